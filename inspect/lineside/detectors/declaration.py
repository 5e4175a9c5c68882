"""What a model package says of itself. Imports no runtime: the station process, which runs no model, reads it too."""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lineside.core.errors import ConfigError, PackageError
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import ANY
from lineside.detectors.manifest import FORMAT, Manifest

__all__ = ["MANIFEST", "MAX_BYTES", "SEAL", "DeclaredPackage", "checked_manifest", "read_declaration", "seal_of"]

MANIFEST = "package.toml"
SEAL = "package.sha256"
"""Holds the SHA-256 of package.toml, as `sha256sum` writes it: package.toml names the hash of every other file."""

MAX_BYTES = {MANIFEST: 1 << 20, SEAL: 1 << 10}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredPackage:
    """A package whose manifest was verified. `identity.sha256` is the hash of package.toml, and so of everything."""

    folder: Path
    manifest: Manifest
    identity: Identity

    @property
    def threshold(self) -> float:
        return self.manifest.threshold.value

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that its findings can have: what a recipe's limits may name."""
        return self.manifest.output.finding_classes

    @property
    def min_score(self) -> float:
        """Findings below this are never reported, so a recipe's limit must not ask for less; 0 where nothing is cut."""
        output = self.manifest.output
        return output.min_score if output.kind == "boxes" else 0.0

    @property
    def highest_score(self) -> float:
        """No finding can have more: 1 where scores are probabilities, infinity for the scores of an anomaly map."""
        return math.inf if self.manifest.output.kind == "anomaly_map" else 1.0

    @property
    def has_maps(self) -> bool:
        """True where findings are cut out of a score map inside a region; boxes may reach beyond it."""
        return self.manifest.output.kind in ("anomaly_map", "segmentation")

    def most_findings(self, class_name: str) -> float:
        """How many findings of that class (`ANY`: of any) a frame can have at most; infinity where nothing is cut."""
        output = self.manifest.output
        classes = [name for name in output.finding_classes if class_name in (ANY, name)]
        match output.kind:
            case "boxes":
                return output.max_findings if classes else 0
            case "classes":
                return len(classes)
            case _:
                return math.inf if classes else 0

    def check_frames(self, pixel_format: PixelFormat, width_px: int, height_px: int) -> None:
        """Checks what a recipe declares of its frames against what the graph accepts. Raises: ConfigError."""
        wanted = self.manifest.input
        if pixel_format is not wanted.pixel_format:
            raise ConfigError(
                f"frames in {pixel_format} for the package {self.identity.id}",
                expected=f"{wanted.pixel_format}",
                remedy="correct the recipe's pixel_format, or pack the graph for these frames",
            )
        if wanted.locate is None and wanted.resize == "exact" and wanted.size_px not in (None, (width_px, height_px)):
            raise ConfigError(
                f"frames of {width_px}x{height_px} px for the package {self.identity.id}",
                expected=f"exactly {wanted.size_px} px (width, height)",
                remedy="correct the recipe's size_px, or pack the graph with resize = 'stretch' or 'letterbox'",
            )


def read_declaration(folder: Path) -> DeclaredPackage:
    """Reads the manifest and verifies it by its seal; no other file is looked at. Raises: PackageError."""
    data, seal = _bytes_of(folder, MANIFEST), _bytes_of(folder, SEAL)
    digest = hashlib.sha256(data).hexdigest()
    if seal != seal_of(digest):
        raise PackageError(
            f"{folder / MANIFEST}: its SHA-256 is {digest}",
            expected=f"the one in {SEAL}",
            remedy="restore the package from its source; after an intended change pack the graph again",
        )
    manifest = _parse(folder / MANIFEST, data)
    identity = Identity(id=manifest.id, revision=manifest.revision, sha256=digest)
    return DeclaredPackage(folder=folder, manifest=manifest, identity=identity)


def checked_manifest(path: Path, values: Mapping[str, Any]) -> Manifest:
    """The manifest that stands, or is to stand, at `path`. Raises: PackageError with every fault."""
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise PackageError(
            f"{path}: {'; '.join(faults)}", expected="the keys and values of docs/model-packages.md"
        ) from error


def seal_of(digest: str) -> bytes:
    """What the seal holds for a package.toml with that SHA-256."""
    return f"{digest}  {MANIFEST}\n".encode()


def _bytes_of(folder: Path, name: str) -> bytes:
    try:
        with (folder / name).open("rb") as file:
            data = file.read(MAX_BYTES[name] + 1)
    except FileNotFoundError as error:
        raise PackageError(
            f"{folder}: no {name}", expected="a model package", remedy="make one with `lineside models pack`"
        ) from error
    except OSError as error:
        raise PackageError(f"{folder / name}: cannot be read ({error.strerror})", expected="a model package") from error
    if len(data) > MAX_BYTES[name]:
        raise PackageError(f"{folder / name}: more than {MAX_BYTES[name]} bytes", expected="a model package")
    return data


def _parse(path: Path, data: bytes) -> Manifest:
    try:
        values = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PackageError(f"{path}: {error}", expected="a TOML file in UTF-8") from error
    if values.get("format") != FORMAT:
        raise PackageError(
            f"{path}: format {values.get('format')}",
            expected=f"format {FORMAT}",
            remedy="pack the graph again with this version of Lineside",
        )
    return checked_manifest(path, values)
