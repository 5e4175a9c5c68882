"""A new revision of a package with another threshold: the same graph and references, another manifest and hash."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from lineside.core.errors import PackageError
from lineside.core.identity import sha256_of_file
from lineside.detectors.declaration import MANIFEST, SEAL, checked_manifest, seal_of
from lineside.detectors.manifest import Threshold
from lineside.detectors.package import ModelPackage, load_package

__all__ = ["RECORD", "revised"]

RECORD = "threshold_set"
"""The table of `[training]` that says how the threshold of this revision came about."""


def revised(
    package: ModelPackage,
    threshold: Threshold,
    *,
    record: Mapping[str, Any],
    files: Mapping[str, bytes],
    folder: Path | None = None,
) -> ModelPackage:
    """Writes the next revision in the package's place, or as the new `folder`; the old manifest is kept in it.

    `revisions/<n>.toml` is the package.toml of the revision n, byte for byte: with the other files that it names it is
    the old package again. `files` are added, by their path. It appears whole or not at all. Raises: PackageError.
    """
    target = folder or package.folder
    if folder is not None and folder.exists():
        raise PackageError(f"{folder} exists", expected="a new folder", remedy="choose another name")
    values = package.manifest.model_dump(mode="json", exclude_none=True)
    kept = {f"revisions/{package.identity.revision}.toml": (package.folder / MANIFEST).read_bytes()}
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.partial"
    former = target.parent / f".{target.name}.former"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(package.folder, partial)
        for name, content in {**kept, **files}.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        for name in (MANIFEST, SEAL):
            (partial / name).unlink()
        values |= {
            "id": target.name if folder is not None else package.identity.id,
            "revision": package.identity.revision + 1,
            "training": {**values["training"], RECORD: dict(record)},
            "threshold": threshold.model_dump(mode="json"),
            "files": {
                path.relative_to(partial).as_posix(): sha256_of_file(path)
                for path in sorted(partial.rglob("*"))
                if path.is_file()
            },
        }
        checked = checked_manifest(partial / MANIFEST, values)
        data = tomli_w.dumps(checked.model_dump(mode="json", exclude_none=True)).encode()
        (partial / MANIFEST).write_bytes(data)
        (partial / SEAL).write_bytes(seal_of(hashlib.sha256(data).hexdigest()))
        load_package(partial)
        if target.exists():
            target.rename(former)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)
    return load_package(target)
