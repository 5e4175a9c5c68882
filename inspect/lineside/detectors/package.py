"""A model package: a folder with a graph, a manifest, reference frames and answers, and a hash of every byte."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from lineside.core.errors import InspectionError, PackageError
from lineside.core.frame import Pixels
from lineside.core.identity import sha256_of_file
from lineside.detectors.declaration import (
    MANIFEST,
    MAX_BYTES,
    SEAL,
    DeclaredPackage,
    checked_manifest,
    read_declaration,
    seal_of,
)
from lineside.detectors.manifest import FORMAT, InputSpec, Manifest, Output, Reference, Threshold
from lineside.detectors.preparation import Preparation
from lineside.detectors.reference import compare, read_frame, read_outputs, write_frame, write_outputs
from lineside.detectors.session import Session, open_session

__all__ = ["GRAPH", "MANIFEST", "SEAL", "ModelPackage", "PackageDraft", "load_package", "write_package"]

GRAPH = "model.onnx"

_MAX_FILE_BYTES = 8 << 30
_MAX_FILES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageDraft:
    """What the maker of a package declares. `training` is free: who trained it, on what (with hashes), how.

    References must be reproduced within `abs_tolerance` + `rel_tolerance` x |expected|.
    """

    id: str
    revision: int = 1
    licence: str
    made_by: str
    input: InputSpec
    output: Output
    threshold: Threshold
    training: Mapping[str, Any] = field(default_factory=dict)
    abs_tolerance: float = 1e-3
    rel_tolerance: float = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPackage(DeclaredPackage):
    """A package whose every byte was verified."""

    @property
    def graph_path(self) -> Path:
        return self.folder / GRAPH

    def check_graph(self, session: Session) -> None:
        """Compares what the manifest declares with what the graph has. Raises: PackageError."""
        _check_graph(session, self.manifest.input, self.manifest.output, self.folder)

    def reference_frames(self) -> tuple[Pixels, ...]:
        """The reference frames in the package's pixel format. Raises: PackageError."""
        pixel_format = self.manifest.input.pixel_format
        return tuple(read_frame(self.folder / named.input, pixel_format) for named in self.manifest.references)

    def preparation(self) -> Preparation:
        """What turns frames into the graph's input, the part's location included. Raises: PackageError."""
        return _preparation(self.folder, self.manifest.input)

    def reproduce(self, session: Session) -> float:
        """Runs every reference frame; the largest absolute difference. Raises: PackageError beyond the tolerance."""
        names = self.manifest.output.names
        preparation = self.preparation()
        largest = 0.0
        for named, frame in zip(self.manifest.references, self.reference_frames(), strict=True):
            got = _answer(session, preparation, names, frame, self.folder / named.input)
            expected = read_outputs(self.folder / named.output, names)
            largest = max(largest, compare(str(self.folder), named, got, expected, session.provider))
        return largest


def load_package(folder: Path) -> ModelPackage:
    """Reads the folder and verifies every file in it; the graph itself is not run. Raises: PackageError."""
    present = _files_in(folder)
    declared = read_declaration(folder)
    _verify_files(folder, declared.manifest, present)
    return ModelPackage(folder=folder, manifest=declared.manifest, identity=declared.identity)


def write_package(
    folder: Path,
    *,
    graph: bytes,
    draft: PackageDraft,
    reference_inputs: Sequence[Pixels],
    other_files: Mapping[str, bytes] | None = None,
    replace: bool = False,
) -> ModelPackage:
    """Makes a package: runs the graph on the CPU over the reference frames, stores them with its answers, hashes all.

    `reference_inputs` are frames in the draft's pixel format. `other_files` (weights, records) lie beside the graph, by
    their path in the folder. It appears whole or not at all. Raises: PackageError.
    """
    if folder.exists() and not replace:
        raise PackageError(
            f"{folder} exists", expected="a new folder", remedy="choose another name, or ask for it to be replaced"
        )
    if not reference_inputs:
        raise PackageError(f"{folder}: no reference frames", expected="at least one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        (partial / "reference").mkdir(parents=True)
        (partial / GRAPH).write_bytes(graph)
        for name, content in (other_files or {}).items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        _write_manifest(partial, draft, _write_references(partial, draft, reference_inputs))
        load_package(partial).reproduce(open_session(partial / GRAPH, providers=("cpu",)))
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return load_package(folder)


def _write_references(folder: Path, draft: PackageDraft, frames: Sequence[Pixels]) -> list[Reference]:
    session = open_session(folder / GRAPH, providers=("cpu",))
    _check_graph(session, draft.input, draft.output, folder)
    preparation = _preparation(folder, draft.input)
    references = []
    for index, frame in enumerate(frames):
        named = Reference(
            input=f"reference/{index}.png",
            output=f"reference/{index}.npz",
            abs_tolerance=draft.abs_tolerance,
            rel_tolerance=draft.rel_tolerance,
        )
        outputs = _answer(session, preparation, draft.output.names, frame, folder / named.input)
        write_frame(folder / named.input, frame, draft.input.pixel_format)
        write_outputs(folder / named.output, outputs)
        references.append(named)
    return references


def _write_manifest(folder: Path, draft: PackageDraft, references: Sequence[Reference]) -> None:
    manifest = {
        "format": FORMAT,
        "id": draft.id,
        "revision": draft.revision,
        "licence": draft.licence,
        "made_by": draft.made_by,
        "training": dict(draft.training),
        "input": draft.input,
        "output": draft.output,
        "threshold": draft.threshold,
        "references": tuple(references),
        "files": {name: sha256_of_file(folder / name) for name in sorted(_files_in(folder))},
    }
    checked = checked_manifest(folder / MANIFEST, manifest)
    data = tomli_w.dumps(checked.model_dump(mode="json", exclude_none=True)).encode()
    (folder / MANIFEST).write_bytes(data)
    (folder / SEAL).write_bytes(seal_of(hashlib.sha256(data).hexdigest()))


def _preparation(folder: Path, spec: InputSpec) -> Preparation:
    reference = None if spec.locate is None else read_frame(folder / spec.locate.reference, spec.pixel_format)
    return Preparation(spec, reference)


def _check_graph(session: Session, spec: InputSpec, output: Output, folder: Path) -> None:
    """Compares what is declared with what the graph has. Raises: PackageError."""
    remedy = "correct the declaration, or export the graph again"
    if [port.name for port in session.inputs] != [spec.name]:
        raise PackageError(
            f"{folder}: the graph's inputs are {[port.name for port in session.inputs]}",
            expected=f"one, named '{spec.name}'",
            remedy=remedy,
        )
    port = session.inputs[0]
    fits = len(port.shape) == len(spec.shape) and all(
        not isinstance(has, int) or has == declared for has, declared in zip(port.shape, spec.shape, strict=True)
    )
    if port.dtype != spec.dtype or not fits:
        raise PackageError(
            f"{folder}: the graph's input '{port.name}' is {port.dtype}{list(port.shape)}",
            expected=f"{spec.dtype}{list(spec.shape)}, as declared",
            remedy=remedy,
        )
    missing = sorted(set(output.names) - {port.name for port in session.outputs})
    if missing:
        raise PackageError(
            f"{folder}: the graph has no outputs {missing}",
            expected=f"some of its own: {[port.name for port in session.outputs]}",
            remedy=remedy,
        )


def _answer(
    session: Session, preparation: Preparation, names: tuple[str, ...], frame: Pixels, where: Path
) -> dict[str, Any]:
    try:
        tensor, _ = preparation.prepare(frame)
        return session.run(names, preparation.spec.name, tensor)
    except InspectionError as error:
        raise PackageError(f"{where}: {error.what}", expected=error.expected, remedy=error.remedy) from error


def _files_in(folder: Path) -> set[str]:
    """Every file below the folder as 'reference/0.png'. Raises: PackageError for what is neither file nor folder."""
    if not folder.is_dir():
        raise PackageError(f"{folder}: no such folder", expected="the folder of a model package")
    found: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise PackageError(f"{path}: a link or device", expected="plain files only", remedy="copy the file itself")
        if path.is_dir():
            continue
        name = path.relative_to(folder).as_posix()
        size, limit = path.stat().st_size, MAX_BYTES.get(name, _MAX_FILE_BYTES)
        if size > limit:
            raise PackageError(f"{path}: {size} bytes", expected=f"at most {limit} bytes")
        found.add(name)
        if len(found) > _MAX_FILES:
            raise PackageError(f"{folder}: more than {_MAX_FILES} files", expected="one model package")
    return found


def _verify_files(folder: Path, manifest: Manifest, present: set[str]) -> None:
    listed = set(manifest.files) | {MANIFEST, SEAL}
    remedy = "restore the package from its source"
    if listed != present:
        raise PackageError(
            f"{folder}: missing files {sorted(listed - present)}, unlisted files {sorted(present - listed)}",
            expected=f"exactly the files that {MANIFEST} lists",
            remedy=remedy,
        )
    for name, wanted in manifest.files.items():
        digest = sha256_of_file(folder / name)
        if digest != wanted:
            raise PackageError(f"{folder / name}: its SHA-256 is {digest}", expected=wanted, remedy=remedy)
