"""Makes a package of a graph that another tool exported: what it says is read, the rest must be declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import TypeAdapter, ValidationError

from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels
from lineside.core.identity import sha256_of_file
from lineside.detectors.graph_facts import GraphFacts, read_graph
from lineside.detectors.manifest import DYNAMIC, InputSpec, Output, Threshold
from lineside.detectors.package import ModelPackage, PackageDraft, write_package
from lineside.detectors.reference import read_frame

__all__ = ["Declarations", "pack", "synthetic_frames"]

_OUTPUT_KEYS: Mapping[str, tuple[str, ...]] = {
    "anomaly_map": ("map", "score", "class_name"),
    "segmentation": ("map", "classes", "activation", "background"),
    "boxes": (
        "variant", "boxes", "scores", "labels", "label_offset", "classes", "coordinates", "min_score", "nms_iou",
        "nms_across_classes", "prototypes", "max_findings",
    ),
    "classes": ("scores", "classes", "activation", "good"),
}  # fmt: skip
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "anomaly_map": ("map",),
    "segmentation": ("map", "classes", "activation"),
    "boxes": ("variant", "boxes", "classes"),
    "classes": ("scores", "classes", "activation"),
}
_MAIN_OUTPUT = {"anomaly_map": "map", "segmentation": "map", "boxes": "boxes", "classes": "scores"}
_RAW = ("yolo", "yolo_objectness")


@dataclass(frozen=True, kw_only=True, slots=True)
class Declarations:
    """What the person who packs declares; None leaves it to what the graph says of itself. Names are the manifest's."""

    pixel_format: str | None = None
    layout: str | None = None
    channels: str | None = None
    size_px: tuple[int, int] | None = None
    resize: str | None = None
    interpolation: str | None = None
    pad_value: int | None = None
    letterbox_at: str | None = None
    in_graph: bool | None = None
    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    kind: str | None = None
    map: str | None = None
    score: str | None = None
    class_name: str | None = None
    classes: tuple[str, ...] | None = None
    activation: str | None = None
    background: str | None = None
    good: tuple[str, ...] | None = None
    variant: str | None = None
    boxes: str | None = None
    scores: str | None = None
    labels: str | None = None
    label_offset: int | None = None
    coordinates: str | None = None
    min_score: float | None = None
    nms_iou: float | None = None
    nms_across_classes: bool | None = None
    prototypes: str | None = None
    max_findings: int | None = None
    threshold: float | None = None
    threshold_set_by: str | None = None
    id: str | None = None
    revision: int = 1
    licence: str | None = None
    made_by: str | None = None
    abs_tolerance: float = 1e-3
    rel_tolerance: float = 1e-3


def pack(
    graph: Path, folder: Path, declared: Declarations, *, references: Sequence[Path] = (), replace: bool = False
) -> tuple[ModelPackage, tuple[str, ...]]:
    """The new package, and a line for each value that was not declared but read from the graph or taken by default.

    `references` are pictures in the declared pixel format; without any, seeded synthetic ones are made.
    Raises: ConfigError with all that is still to be declared, PackageError.
    """
    facts = read_graph(graph)
    settled = _Settled(facts, declared)
    draft = settled.draft(folder.name)
    if references:
        frames = [read_frame(path, draft.input.pixel_format) for path in references]
    else:
        frames = synthetic_frames(draft.input)
        settled.notes.append(f"references = {len(frames)} synthetic frames (no --reference was given)")
    package = write_package(
        folder,
        graph=graph.read_bytes(),
        draft=draft,
        reference_inputs=frames,
        other_files={name: (graph.parent / name).read_bytes() for name in facts.external_data},
        replace=replace,
    )
    return package, tuple(settled.notes)


def synthetic_frames(spec: InputSpec, seed: int = 0) -> list[Pixels]:
    """Two frames that the input accepts, the same on every machine: noise, and soft blotches that fill the range."""
    width, height = spec.size_px or (640, 480)
    if spec.resize != "exact":
        width, height = width + width // 4, height + height // 8  # so that the resizing is part of the reference
    shape = spec.pixel_format.shape(width, height)
    random = np.random.default_rng(seed)
    top, dtype = spec.pixel_format.max_value, spec.pixel_format.dtype
    noise = random.integers(0, top, size=shape, endpoint=True).astype(dtype)
    coarse: Any = random.integers(0, top, size=(8, 8, *shape[2:]), endpoint=True).astype(dtype)
    frames: list[Any] = [noise, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)]
    return frames


class _Settled:
    """Declared values first, then what the graph says, with a note; what is missing is collected and said at once."""

    def __init__(self, facts: GraphFacts, declared: Declarations) -> None:
        self._facts = facts
        self._declared = {each.name: getattr(declared, each.name) for each in fields(declared)}
        self._missing: list[str] = []
        self.notes: list[str] = []

    def draft(self, name: str) -> PackageDraft:
        """Raises: ConfigError."""
        if len(self._facts.inputs) != 1:
            raise ConfigError(
                f"{self._facts.path}: {self._facts.sentence}",
                expected="one input, the picture",
                remedy="export the graph with everything else as constants",
            )
        input_values, output_values = self._input(), self._output()
        threshold = self._need("threshold")
        licence, made_by = self._need("licence"), self._need("made_by")
        if self._missing:
            options = [f"--{key.replace('_', '-')}" for key in self._missing]
            raise ConfigError(
                f"{self._facts.path}: not declared, and not to be known from the graph: {', '.join(options)}",
                expected="each of them declared",
                remedy=f"{self._facts.sentence}; read: {'; '.join(self.notes) or 'nothing'}",
            )
        declared = self._declared
        set_by = declared["threshold_set_by"] or "declared when the graph was packed"
        return PackageDraft(
            id=declared["id"] or name,
            revision=declared["revision"],
            licence=licence,
            made_by=made_by,
            training={"packed_from": self._facts.path.name, "packed_from_sha256": sha256_of_file(self._facts.path)},
            input=_checked(InputSpec, input_values, "input"),
            output=_checked(Output, output_values, "output"),
            threshold=_checked(Threshold, {"value": threshold, "set_by": set_by}, "threshold"),
            abs_tolerance=declared["abs_tolerance"],
            rel_tolerance=declared["rel_tolerance"],
        )

    def _input(self) -> dict[str, Any]:
        port = self._facts.inputs[0]
        values = {"name": port.name, "dtype": port.dtype, "pixel_format": self._need("pixel_format")}
        values["layout"] = layout = self._need("layout")
        values["in_graph"] = self._take("in_graph") or False
        keys = ("channels", "interpolation", "pad_value", "letterbox_at", "scale", "mean", "std")
        values |= {key: self._take(key) for key in keys}
        values["resize"] = self._take("resize") or self._default("resize", "exact")
        if not values["in_graph"] and values["scale"] is None:
            self._missing.append("scale")
        if layout is not None:
            if len(layout) != len(port.shape):
                raise ConfigError(f"layout {layout}; {self._facts.sentence}", expected="one letter for each dimension")
            values["shape"] = self._shape(layout, values["pixel_format"], values["channels"])
        return {key: value for key, value in values.items() if value is not None}

    def _shape(self, layout: str, pixel_format: str | None, channels: str | None) -> tuple[int | str, ...]:
        """The graph's own numbers; open dimensions from the declared size, or left open."""
        shape = self._facts.inputs[0].shape
        is_open = not all(isinstance(shape[layout.index(axis)], int) for axis in "HW")
        size = (self._take("size_px") if is_open else None) or (DYNAMIC, DYNAMIC)
        colour = channels == "repeated" or (pixel_format or "").startswith(("RGB", "BGR"))
        open_sizes: dict[str, int | str] = {"N": DYNAMIC, "C": 3 if colour else 1, "W": size[0], "H": size[1]}
        return tuple(has if isinstance(has, int) else open_sizes[axis] for axis, has in zip(layout, shape, strict=True))

    def _output(self) -> dict[str, Any]:
        kind = self._need("kind")
        if kind is None:
            return {}
        if kind not in _OUTPUT_KEYS:
            raise ConfigError(f"kind '{kind}'", expected=f"one of {list(_OUTPUT_KEYS)}")
        main = _MAIN_OUTPUT[kind]
        values: dict[str, Any] = {"kind": kind}
        for key in _OUTPUT_KEYS[kind]:
            values[key] = self._take(key)
            if key == main and values[key] is None and len(self._facts.outputs) == 1:
                values[key] = self._facts.outputs[0].name
                self.notes.append(f"{key} = {values[key]} (the graph's only output)")
            if values[key] is None and key in _REQUIRED[kind]:
                self._missing.append(key)
        if kind == "boxes":
            values["min_score"] = self._or_default(values["min_score"], "min_score", 0.05)
            if values["variant"] in _RAW:
                values["nms_iou"] = self._or_default(values["nms_iou"], "nms_iou", 0.5)
            if values["variant"] == "torchvision" and values["label_offset"] is None:
                self._missing.append("label_offset")
        return {key: value for key, value in values.items() if value is not None}

    def _take(self, key: str) -> Any:
        declared = self._declared[key]
        if declared is not None:
            return declared
        fact = self._facts.known.get(key)
        if fact is None:
            return None
        self.notes.append(f"{key} = {fact.value} (from {fact.source})")
        return fact.value

    def _need(self, key: str) -> Any:
        value = self._take(key)
        if value is None:
            self._missing.append(key)
        return value

    def _or_default(self, value: Any, key: str, default: Any) -> Any:
        return self._default(key, default) if value is None else value

    def _default(self, key: str, value: Any) -> Any:
        self.notes.append(f"{key} = {value} (by default)")
        return value


def _checked(kind: Any, values: Mapping[str, Any], table: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in (table, *fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise ConfigError("; ".join(faults), expected="the keys and values of docs/model-packages.md") from error
