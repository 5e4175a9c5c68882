"""package.toml: everything that must be known about a graph before its answers may decide about parts."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from lineside.core.pixel_format import PixelFormat
from lineside.detectors.locate_spec import LocateSpec
from lineside.imaging.resize import INTERPOLATIONS, Interpolation

__all__ = [
    "DYNAMIC",
    "FORMAT",
    "PACKAGE_ID",
    "AnomalyMapOutput",
    "BoxesOutput",
    "ClassesOutput",
    "InputSpec",
    "Manifest",
    "Output",
    "Reference",
    "SegmentationOutput",
    "Threshold",
]

FORMAT = 1
"""The version of the package format that this code writes and reads."""

DYNAMIC = "dynamic"
"""Stands for a dimension that the graph leaves open."""

PACKAGE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""What the id of a package is made of."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Side = Annotated[int, Field(ge=1, le=16384)]
Dimension = Side | Literal["dynamic"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputSpec(_Table):
    """The graph's input, and how a frame becomes it. With `locate`, what is said of frames holds for located parts.

    value = (pixel * `scale` - `mean`) / `std`, per channel in the order in which the graph has them; with `in_graph`
    pixels go in as they are. `channels` says how the graph's channels follow from the frame's; `letterbox_at`, where a
    letterboxed frame lies: in the middle if it is left out.
    """

    name: Name
    shape: tuple[Dimension, ...]
    layout: Literal["NCHW", "NHWC", "CHW", "HWC"] = "NCHW"
    dtype: Literal["float32", "uint8", "uint16"] = "float32"
    pixel_format: PixelFormat
    channels: Literal["same", "reversed", "repeated"] = "same"
    resize: Literal["exact", "stretch", "letterbox"] = "exact"
    interpolation: Interpolation | None = None
    pad_value: Annotated[int, Field(ge=0, le=65535)] | None = None
    letterbox_at: Literal["middle", "top_left"] | None = None
    in_graph: bool = False
    scale: Annotated[float, Field(gt=0.0)] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[Annotated[float, Field(gt=0.0)], ...] | None = None
    locate: LocateSpec | None = None

    @property
    def channel_count(self) -> int:
        """1 or 3."""
        return 3 if self.channels == "repeated" else self.pixel_format.channels

    @property
    def size_px(self) -> tuple[int, int] | None:
        """(width, height) of the tensor; None where it follows the frame."""
        height, width = (self.shape[self.layout.index(axis)] for axis in "HW")
        return (width, height) if isinstance(width, int) and isinstance(height, int) else None

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        if len(self.shape) != len(self.layout):
            raise ValueError(f"shape has {len(self.shape)} dimensions; expected {len(self.layout)} as in {self.layout}")
        if "N" in self.layout and self.shape[0] not in (1, DYNAMIC):
            raise ValueError(f"shape has a batch of {self.shape[0]}; expected 1 or '{DYNAMIC}'")
        if self.pixel_format.device_only:
            raise ValueError(f"pixel_format {self.pixel_format} is spoken by cameras only; expected Mono, RGB8 or BGR8")
        count = self.shape[self.layout.index("C")]
        if count != self.channel_count:
            raise ValueError(
                f"shape has {count} channels in layout {self.layout}; expected {self.channel_count} "
                f"for {self.pixel_format} frames with channels = '{self.channels}'"
            )
        if self.channels == "reversed" and self.pixel_format.channels != 3:
            raise ValueError(f"channels = 'reversed' with {self.pixel_format}; expected a format with three channels")
        if self.channels == "repeated" and self.pixel_format.channels != 1:
            raise ValueError(f"channels = 'repeated' with {self.pixel_format}; expected a format with one channel")
        return self

    @model_validator(mode="after")
    def _check_resize(self) -> Self:
        if self.resize == "exact" and (self.interpolation or self.pad_value is not None):
            raise ValueError("resize = 'exact' changes no pixel; expected neither interpolation nor pad_value")
        if self.resize != "exact" and self.interpolation is None:
            raise ValueError(f"resize = '{self.resize}' without interpolation; expected one of {INTERPOLATIONS}")
        if self.resize != "exact" and self.size_px is None:
            raise ValueError(f"resize = '{self.resize}' to an open shape; expected height and width as numbers")
        if (self.resize == "letterbox") != (self.pad_value is not None):
            raise ValueError("pad_value belongs to resize = 'letterbox'; expected both or neither")
        if self.letterbox_at is not None and self.resize != "letterbox":
            raise ValueError(f"letterbox_at with resize = '{self.resize}'; expected it with letterbox only")
        if self.pad_value is not None and self.pad_value > self.pixel_format.max_value:
            raise ValueError(f"pad_value {self.pad_value}; expected at most {self.pixel_format.max_value}")
        return self

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        stated = (self.scale, self.mean, self.std)
        if self.in_graph and stated != (None, None, None):
            raise ValueError("in_graph = true leaves pixels as they are; expected neither scale, mean nor std")
        if not self.in_graph and self.scale is None:
            raise ValueError("expected either in_graph = true or a scale (1.0 to leave values as they are)")
        if self.dtype != "float32" and not self.in_graph:
            raise ValueError(f"dtype {self.dtype} cannot hold normalised values; expected in_graph = true")
        if self.dtype != "float32" and self.dtype != str(self.pixel_format.dtype):
            raise ValueError(
                f"dtype {self.dtype} for {self.pixel_format}; expected {self.pixel_format.dtype} or float32"
            )
        for key, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != self.channel_count:
                raise ValueError(f"{key} has {len(values)} values; expected {self.channel_count}, one per channel")
        return self


class AnomalyMapOutput(_Table):
    """One map of scores, higher is worse: `map` is (1, 1, h, w), (1, h, w) or (h, w), as large as the input or
    smaller by a whole stride. `score` names the graph's own score for the whole frame, else the map's maximum holds.
    """

    kind: Literal["anomaly_map"] = "anomaly_map"
    map: Name
    score: Name | None = None
    class_name: Name = "anomaly"

    @property
    def names(self) -> tuple[str, ...]:
        """The graph's outputs that are read."""
        return (self.map,) if self.score is None else (self.map, self.score)

    @property
    def finding_classes(self) -> tuple[str, ...]:
        return (self.class_name,)


class SegmentationOutput(_Table):
    """One map per class: `map` is (1, C, h, w) with C = len(classes). `activation` is what is still to be applied:
    "softmax" over classes, "sigmoid" per class, "none" for probabilities. `background` names the class that is no
    finding.
    """

    kind: Literal["segmentation"] = "segmentation"
    map: Name
    classes: tuple[Name, ...] = Field(min_length=1)
    activation: Literal["softmax", "sigmoid", "none"]
    background: Name | None = None

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        _distinct(self.classes)
        if self.background is not None and self.background not in self.classes:
            raise ValueError(f"background '{self.background}' is no class; expected one of {list(self.classes)}")
        if self.activation == "softmax" and self.background is None:
            raise ValueError("softmax shares 1 among the classes; expected a background class")
        if set(self.classes) == {self.background}:
            raise ValueError("the background is the only class; expected one that can be a finding")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The graph's outputs that are read."""
        return (self.map,)

    @property
    def finding_classes(self) -> tuple[str, ...]:
        return tuple(name for name in self.classes if name != self.background)


class BoxesOutput(_Table):
    """Boxes with scores.

    `variant`: "yolo" is `boxes` (1, 4 + C, N), centre, size, class scores; "yolo_objectness" is (1, N, 5 + C) with an
    objectness before the class scores; "yolo_nms" is (1, N, 6), corners, score, class index, zero-score rows being
    padding; "torchvision" is three outputs, corners (N, 4), `scores` (N,), `labels` (N,), where label
    `label_offset` is the first class. Candidates below `min_score` are not reported. `nms_iou` is for the variants
    without built-in suppression, `nms_across_classes` lets a box suppress those of other classes too. `coordinates`:
    pixels of the graph's input, or shares of its width and height. `prototypes` (1, M, h, w) over the whole input are
    what YOLO's masks are sums of: each row then ends with its M coefficients, and what sums up to more than 0 inside
    the box is the mask.
    """

    kind: Literal["boxes"] = "boxes"
    variant: Literal["yolo", "yolo_objectness", "yolo_nms", "torchvision"]
    boxes: Name
    scores: Name | None = None
    labels: Name | None = None
    label_offset: Annotated[int, Field(ge=0, le=1)] | None = None
    classes: tuple[Name, ...] = Field(min_length=1)
    coordinates: Literal["pixels", "normalised"] = "pixels"
    min_score: Share
    nms_iou: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    nms_across_classes: bool = False
    prototypes: Name | None = None
    max_findings: Annotated[int, Field(ge=1, le=10000)] = 300

    @model_validator(mode="after")
    def _check_variant(self) -> Self:
        _distinct(self.classes)
        torchvision = self.variant == "torchvision"
        if torchvision != (self.scores is not None) or torchvision != (self.labels is not None):
            raise ValueError(
                f"variant '{self.variant}': scores and labels name outputs of torchvision graphs, of no other"
            )
        if torchvision != (self.label_offset is not None):
            raise ValueError(
                f"variant '{self.variant}': expected label_offset for torchvision, and only there "
                "(1 where label 0 is the background and not among the classes)"
            )
        raw = self.variant in ("yolo", "yolo_objectness")
        if raw != (self.nms_iou is not None):
            raise ValueError(f"variant '{self.variant}': expected nms_iou for yolo and yolo_objectness, and only there")
        if self.nms_across_classes and not raw:
            raise ValueError(f"variant '{self.variant}' suppresses by itself; expected no nms_across_classes")
        if self.prototypes is not None and self.variant not in ("yolo", "yolo_nms"):
            raise ValueError(f"variant '{self.variant}' has no prototypes; expected them with yolo or yolo_nms")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The graph's outputs that are read."""
        named = (self.boxes, self.scores, self.labels, self.prototypes)
        return tuple(name for name in named if name is not None)

    @property
    def finding_classes(self) -> tuple[str, ...]:
        return self.classes


class ClassesOutput(_Table):
    """One score per class for the whole frame: `scores` is (1, C) or (C,). `activation` is what is still to be
    applied. `good` names the classes that are no finding; the frame's score is 1 - P(good), or the highest
    probability among the others where `activation` is "sigmoid" or nothing is good.
    """

    kind: Literal["classes"] = "classes"
    scores: Name
    classes: tuple[Name, ...] = Field(min_length=1)
    activation: Literal["softmax", "sigmoid", "none"]
    good: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        _distinct(self.classes)
        strange = sorted(set(self.good) - set(self.classes))
        if strange:
            raise ValueError(f"good names {strange}; expected some of {list(self.classes)}")
        if set(self.good) == set(self.classes):
            raise ValueError("every class is good; expected one that can be a finding")
        if self.activation == "softmax" and not self.good:
            raise ValueError("softmax shares 1 among the classes; expected at least one good class")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The graph's outputs that are read."""
        return (self.scores,)

    @property
    def finding_classes(self) -> tuple[str, ...]:
        return tuple(name for name in self.classes if name not in self.good)


Output = Annotated[AnomalyMapOutput | SegmentationOutput | BoxesOutput | ClassesOutput, Field(discriminator="kind")]


class Threshold(_Table):
    """The score from which on something is a finding, and how that number came about."""

    value: float
    set_by: Words


class Reference(_Table):
    """A frame and the graph's answer to it: `input` is a PNG in the package's pixel format, `output` an .npz with one
    array per graph output. They agree where |got - expected| <= abs_tolerance + rel_tolerance * |expected|.
    """

    input: Name
    output: Name
    abs_tolerance: Annotated[float, Field(ge=0.0)]
    rel_tolerance: Annotated[float, Field(ge=0.0)]


class Manifest(_Table):
    """package.toml as a value. `files` maps every other file of the folder to its SHA-256."""

    format: Literal[1]
    id: Annotated[str, StringConstraints(pattern=PACKAGE_ID)]
    revision: Annotated[int, Field(ge=1)]
    licence: Name
    made_by: Name
    training: dict[str, Any] = {}
    input: InputSpec
    output: Output
    threshold: Threshold
    references: tuple[Reference, ...] = Field(min_length=1)
    files: dict[str, Sha256]

    @field_validator("files")
    @classmethod
    def _check_paths(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or str(path) != name or "\\" in name:
                raise ValueError(f"'{name}' is no plain path inside the package; expected one like 'reference/0.png'")
        return files

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        named = [name for reference in self.references for name in (reference.input, reference.output)]
        if self.input.locate is not None:
            named.append(self.input.locate.reference)
        missing = sorted({*named, "model.onnx"} - set(self.files))
        if missing:
            raise ValueError(f"{missing} without a hash; expected every file of the package under [files]")
        return self


def _distinct(classes: tuple[str, ...]) -> None:
    if len(set(classes)) != len(classes):
        raise ValueError(f"classes {list(classes)} name one twice; expected distinct names")
