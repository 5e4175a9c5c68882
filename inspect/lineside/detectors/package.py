"""A model package: a folder with a graph, a manifest, reference frames and answers, and a hash of every byte."""

from __future__ import annotations

import hashlib
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from lineside.core.errors import ConfigError, FrameError, ModelError, PackageError
from lineside.core.frame import Pixels
from lineside.core.identity import Identity, sha256_of_file
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import FORMAT, InputSpec, Manifest, Output, Reference, Threshold
from lineside.detectors.preparation import Preparation
from lineside.detectors.reference import compare, read_frame, read_outputs, write_frame, write_outputs
from lineside.detectors.session import Session, open_session

__all__ = ["GRAPH", "MANIFEST", "SEAL", "ModelPackage", "PackageDraft", "load_package", "write_package"]

GRAPH = "model.onnx"
MANIFEST = "package.toml"
SEAL = "package.sha256"
"""Holds the SHA-256 of package.toml, as `sha256sum` writes it: package.toml names the hash of every other file."""

_MAX_BYTES = {MANIFEST: 1 << 20, SEAL: 1 << 10}
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
class ModelPackage:
    """A package whose every byte was verified. `identity.sha256` is the hash of package.toml, and so of everything."""

    folder: Path
    manifest: Manifest
    identity: Identity

    @property
    def graph_path(self) -> Path:
        return self.folder / GRAPH

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

    def check_frames(self, pixel_format: PixelFormat, width_px: int, height_px: int) -> None:
        """Checks what a recipe declares of its frames against what the graph accepts. Raises: ConfigError."""
        wanted = self.manifest.input
        if pixel_format is not wanted.pixel_format:
            raise ConfigError(
                f"frames in {pixel_format} for the package {self.identity.id}",
                expected=f"{wanted.pixel_format}",
                remedy="correct the recipe's pixel_format, or pack the graph for these frames",
            )
        if wanted.resize == "exact" and wanted.size_px not in (None, (width_px, height_px)):
            raise ConfigError(
                f"frames of {width_px}x{height_px} px for the package {self.identity.id}",
                expected=f"exactly {wanted.size_px} px (width, height)",
                remedy="correct the recipe's size_px, or pack the graph with resize = 'stretch' or 'letterbox'",
            )

    def check_graph(self, session: Session) -> None:
        """Compares what the manifest declares with what the graph has. Raises: PackageError."""
        _check_graph(session, self.manifest.input, self.manifest.output, self.folder)

    def reference_frames(self) -> tuple[Pixels, ...]:
        """The reference frames in the package's pixel format. Raises: PackageError."""
        pixel_format = self.manifest.input.pixel_format
        return tuple(read_frame(self.folder / named.input, pixel_format) for named in self.manifest.references)

    def reproduce(self, session: Session) -> float:
        """Runs every reference frame; the largest absolute difference. Raises: PackageError beyond the tolerance."""
        names = self.manifest.output.names
        preparation = Preparation(self.manifest.input)
        largest = 0.0
        for named, frame in zip(self.manifest.references, self.reference_frames(), strict=True):
            got = _answer(session, preparation, names, frame, self.folder / named.input)
            expected = read_outputs(self.folder / named.output, names)
            largest = max(largest, compare(str(self.folder), named, got, expected, session.provider))
        return largest


def load_package(folder: Path) -> ModelPackage:
    """Reads the folder and verifies every file in it; the graph itself is not run. Raises: PackageError."""
    present = _files_in(folder)
    for name in (MANIFEST, SEAL):
        if name not in present:
            raise PackageError(
                f"{folder}: no {name}", expected="a model package", remedy="make one with `lineside models pack`"
            )
    data = (folder / MANIFEST).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if (folder / SEAL).read_bytes() != _seal(digest):
        raise PackageError(
            f"{folder / MANIFEST}: its SHA-256 is {digest}",
            expected=f"the one in {SEAL}",
            remedy="restore the package from its source; after an intended change pack the graph again",
        )
    manifest = _parse(folder / MANIFEST, data)
    _verify_files(folder, manifest, present)
    identity = Identity(id=manifest.id, revision=manifest.revision, sha256=digest)
    return ModelPackage(folder=folder, manifest=manifest, identity=identity)


def write_package(
    folder: Path,
    *,
    graph: bytes,
    draft: PackageDraft,
    reference_inputs: Sequence[Pixels],
    external_data: Mapping[str, bytes] | None = None,
    replace: bool = False,
) -> ModelPackage:
    """Makes a package: runs the graph on the CPU over the reference frames, stores them with its answers, hashes all.

    `reference_inputs` are frames in the draft's pixel format. `external_data` are weights beside the graph, by file
    name. The folder appears whole or not at all. Raises: PackageError.
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
        for name, weights in (external_data or {}).items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(weights)
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
    preparation = Preparation(draft.input)
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
    checked = _validate(folder / MANIFEST, manifest)
    data = tomli_w.dumps(checked.model_dump(mode="json", exclude_none=True)).encode()
    (folder / MANIFEST).write_bytes(data)
    (folder / SEAL).write_bytes(_seal(hashlib.sha256(data).hexdigest()))


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
    except (FrameError, ModelError) as error:
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
        size, limit = path.stat().st_size, _MAX_BYTES.get(name, _MAX_FILE_BYTES)
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
    return _validate(path, values)


def _validate(path: Path, values: Mapping[str, Any]) -> Manifest:
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


def _seal(digest: str) -> bytes:
    return f"{digest}  {MANIFEST}\n".encode()
