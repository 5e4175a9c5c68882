"""Releases: who has let which package judge, by which figures. A record for each, beside the packages.

A record names the package by its hash, so that it holds for no other revision, and carries a hash of itself: what
is altered afterwards shows. It is no signature: who may write to the folder and knows how can make a record. Where that
matters, keep the hash that `lineside models release` tells in your own quality records.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lineside.core.errors import ConfigError
from lineside.core.identity import Identity, sha256_of_value

__all__ = ["RELEASES", "ReleaseRecord", "ReleasedRate", "read_release", "release_files", "release_of", "write_release"]

RELEASES: Final = "releases"
"""The folder beside the packages in which the records lie."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ReleasedRate(_Table):
    """What a qualification has shown: so many of so many parts, the upper bound of that, and what was asked for."""

    count: int
    of: int
    at_most: float
    asked: float | None


class ReleaseRecord(_Table):
    """One release. With a `recipe_sha256` it holds for that recipe only, by whose limits the package was qualified."""

    format: Literal[1] = 1
    package_id: str
    package_revision: int
    package_sha256: str
    recipe_id: str
    recipe_sha256: str
    confidence: float
    escapes: ReleasedRate
    overkill: ReleasedRate
    data_name: str
    data_split: str
    data_sha256: str
    qualification_file: str
    qualification_sha256: str
    released_by: str
    released_utc: str
    lineside: str
    sha256: str = ""

    def own_sha256(self) -> str:
        """The hash that `sha256` must be."""
        return sha256_of_value({key: value for key, value in self.model_dump(mode="json").items() if key != "sha256"})

    def sealed(self) -> ReleaseRecord:
        """The same with its own hash."""
        return self.model_copy(update={"sha256": self.own_sha256()})

    @property
    def file_name(self) -> str:
        """Under which it lies: one for each package and, where it holds for one recipe, each recipe."""
        recipe = f"-{self.recipe_id}-{self.recipe_sha256[:12]}" if self.recipe_id else ""
        return f"{self.package_id}-r{self.package_revision}-{self.package_sha256[:12]}{recipe}.json"


def write_release(models: Path, record: ReleaseRecord) -> Path:
    """Writes the record into `models/releases/`, whole or not at all. Raises: ConfigError."""
    path = models / RELEASES / record.file_name
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n", "utf-8")
        partial.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})", expected="a folder to write to") from error
    return path


def read_release(path: Path) -> ReleaseRecord:
    """The record in the file. Raises: ConfigError when it is none, or was altered."""
    try:
        record = ReleaseRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", expected="a release record") from error
    except ValidationError as error:
        raise ConfigError(
            f"{path} is no release record: {error.errors()[0]['msg']}", expected="what `lineside models release` wrote"
        ) from error
    if record.sha256 != record.own_sha256():
        raise ConfigError(
            f"{path} has been altered: its content has the SHA-256 {record.own_sha256()}",
            expected=record.sha256 or "a hash",
            remedy="release the package again",
        )
    return record


def release_files(models: Path) -> list[Path]:
    """Every record beside those packages, by name."""
    return sorted((models / RELEASES).glob("[!.]*.json"))


def release_of(models: Path, package: Identity, recipe: Identity) -> ReleaseRecord:
    """The record that lets the package judge by that recipe. Raises: ConfigError saying why there is none."""
    reasons: list[str] = []
    for path in release_files(models):
        if not path.name.startswith(f"{package.id}-r"):
            continue
        try:
            record = read_release(path)
        except ConfigError as error:
            reasons.append(error.what)
            continue
        if record.package_id != package.id:
            continue
        if not (why := list(_why_not(record, package, recipe))):
            return record
        reasons += why
    told = f": {'; '.join(reasons)}" if reasons else ""
    raise ConfigError(
        f"package {package.id} revision {package.revision} ({package.sha256[:12]}) is not released{told}",
        expected=f"a release record of this very package in {models / RELEASES}",
        remedy=f"qualify it and release it: lineside models release {package.id} --max-escape 1%",
    )


def _why_not(record: ReleaseRecord, package: Identity, recipe: Identity) -> Iterator[str]:
    if record.package_sha256 != package.sha256:
        yield f"released is revision {record.package_revision} ({record.package_sha256[:12]})"
    elif record.recipe_sha256 not in ("", recipe.sha256):
        yield (
            f"it is released for recipe {record.recipe_id} as it was ({record.recipe_sha256[:12]}), "
            f"and this is {recipe.id} ({recipe.sha256[:12]})"
        )
