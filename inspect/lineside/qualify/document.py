"""A qualification as a document: what was judged by what, on which data, and what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lineside.core.errors import ConfigError
from lineside.core.identity import sha256_of_value

__all__ = [
    "SCHEMA_VERSION",
    "Agreement",
    "AreaFigure",
    "Bin",
    "By",
    "ClassEscapes",
    "Data",
    "DetectionProbability",
    "LatencyFigures",
    "Made",
    "NotJudged",
    "OperatingPoint",
    "PartFigure",
    "PictureResult",
    "PixelFigures",
    "PodPoint",
    "Presentation",
    "Qualification",
    "RateFigure",
    "Repeatability",
    "RocPoint",
    "ShownAgain",
    "Trap",
    "qualification_schema",
    "read_qualification",
]

SCHEMA_VERSION: Final = 1
"""Grows by one when a field changes its meaning or goes; new fields alone do not change it."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class RateFigure(_Document):
    """So many of so many, with exact two-sided bounds (Clopper and Pearson); `rate` is null where `of` is 0."""

    count: int
    of: int
    rate: float | None
    low: float
    high: float


class PartFigure(_Document):
    """One rate by part and by picture.

    A part counts when any of its pictures does. Pictures of one part are not independent: only the bounds by part hold.
    """

    parts: RateFigure
    pictures: int = Field(description="pictures that count")
    of_pictures: int
    not_inspected: int = Field(description="pictures that were NOT_INSPECTED: rejected by the line, never passed")


class ClassEscapes(_Document):
    """Escapes of the bad parts of one class."""

    class_name: str
    escapes: PartFigure


class By(_Document):
    """What judged."""

    form: Literal["package", "recipe"]
    label: str
    package_id: str
    package_revision: int
    package_sha256: str
    recipe_id: str = Field(description="empty where a package was judged alone, by its own threshold")
    recipe_sha256: str
    view: str = Field(default="", description="which one was judged, where the recipe has several")
    calibration_id: str
    calibration_sha256: str
    threshold: float
    threshold_set_by: str
    decides_by_score: bool = Field(description="whether the threshold alone decides, and no limit of size or region")
    provider: str


class Data(_Document):
    """What was judged."""

    name: str
    split: str
    split_by: str
    pictures: int
    good_parts: int
    bad_parts: int
    grouped: bool = Field(description="whether several pictures show one part")
    sha256: str = Field(description="of the list of pictures: file, truth, class, group, SHA-256 of picture and mask")
    seen_in_training: tuple[str, ...] = Field(description="pictures that the package has learned from or was set by")
    training_known: bool = Field(description="whether the package tells which pictures it has learned from")


class NotJudged(_Document):
    """A picture that shows nothing: unreadable, or not what was declared. It is in no rate."""

    name: str
    good: bool
    why: str


class AreaFigure(_Document):
    """An area under the ROC: the chance that a bad picture scores above a good one."""

    value: float
    low: float
    high: float


class RocPoint(_Document):
    """What one threshold would do, by picture; the threshold is null where nothing but NOT_INSPECTED is rejected."""

    threshold: float | None
    overkill: float
    escapes: float
    precision: float


class OperatingPoint(_Document):
    """The fewest escapes that any threshold has with at most so much overkill, by picture, found on these pictures."""

    max_overkill: float
    escapes: float


class Bin(_Document):
    """One bar of the histogram."""

    low: float
    high: float
    good: int
    bad: int


class PixelFigures(_Document):
    """Whether the map is high where the mask says that the defect is. Pixels are those of the frames."""

    pictures: int
    with_mask: int
    without_map: int = Field(description="pictures that were NOT_INSPECTED and have no map: in none of these figures")
    regions: int
    auroc: float
    aupro: float = Field(description="per-region overlap, averaged over up to 30 % false positive pixels")
    best_f1: float = Field(description="the best of all thresholds, found on these very pixels")
    best_f1_threshold: float
    f1_at_threshold: float


class PodPoint(_Document):
    """One point of the fitted curve; `sure_from` is the size from which on the probability is sure."""

    size: float
    probability: float
    sure_from: float | None


class DetectionProbability(_Document):
    """Each masked defect, found or missed, by the longer side of its smallest rectangle."""

    unit: Literal["mm", "px"]
    found: int
    of: int
    parts: int = Field(description="parts that the defects are on: defects of one part are not independent")
    a50: float | None
    a90: float | None
    a90_95: float | None = Field(description="upper bound of a90, one-sided, at 95 %; null where the data tell none")
    slope: float | None
    separated: bool
    why_not: str = Field(description="why there is no curve; empty where there is one")
    curve: tuple[PodPoint, ...]
    sizes_found: tuple[float, ...]
    sizes_missed: tuple[float, ...]


class Agreement(_Document):
    """A kappa; null where every outcome is the same."""

    what: str
    kappa: float | None
    low: float
    high: float
    agreed: int
    of: int
    words: str


class Presentation(_Document):
    """One way of showing a part again; the lists are by trial."""

    name: str
    rejected: tuple[bool, ...]
    scores: tuple[float | None, ...]


class ShownAgain(_Document):
    """One part that was shown several times."""

    name: str
    good: bool
    score: float | None
    rejected: bool = Field(description="the picture as it is")
    flips: int = Field(description="presentations whose outcome is another than that of the picture as it is")
    presentations: tuple[Presentation, ...]


class Repeatability(_Document):
    """The same parts shown again: as an attribute agreement analysis, with presentations for operators."""

    trials: int
    shift_px: float
    light: float
    noise: float
    within: tuple[Agreement, ...]
    between: Agreement
    against_truth: Agreement
    as_taken: Agreement
    missed: int = Field(description="presentations of bad parts that passed")
    of_bad: int
    false_alarms: int = Field(description="presentations of good parts that were rejected")
    of_good: int
    parts: tuple[ShownAgain, ...]


class LatencyFigures(_Document):
    """Milliseconds a picture on the machine that is named, from the second picture on."""

    decode_median_ms: float
    inspect_median_ms: float
    inspect_p95_ms: float
    inspect_max_ms: float
    infer_median_ms: float


class Trap(_Document):
    """What tells good from bad in these pictures without looking at the part."""

    name: Literal["border", "border brightness", "brightness", "file size", "order"]
    auroc: AreaFigure | None = Field(
        description="of bad against good; of a single figure whichever way round is higher; null: not known"
    )
    auroc_by_part: AreaFigure | None = Field(description="the same with bounds that count parts, not pictures")
    told: bool = Field(description="whether it separates good from bad, beyond chance")
    words: str


class PictureResult(_Document):
    """One picture; the score is null where it was NOT_INSPECTED."""

    name: str
    group: str
    good: bool
    class_name: str
    outcome: str
    score: float | None
    sha256: str
    why: str


class Made(_Document):
    """How and where this came about."""

    command: str
    utc: str
    lineside: str
    versions: dict[str, str]
    machine: str
    wall_s: float


class Qualification(_Document):
    """All that `lineside qualify` has found."""

    schema_version: int = SCHEMA_VERSION
    answer: str = Field(description="one sentence for a quality manager")
    more: tuple[str, ...] = Field(description="what else has to be known to read it")
    confidence: float
    by: By
    data: Data
    not_judged: tuple[NotJudged, ...]
    escapes: PartFigure
    overkill: PartFigure
    escapes_by_class: tuple[ClassEscapes, ...]
    torn_parts: int = Field(description="parts with several pictures that were not all judged alike")
    auroc: AreaFigure | None
    average_precision: float | None
    operating_points: tuple[OperatingPoint, ...]
    roc: tuple[RocPoint, ...]
    histogram: tuple[Bin, ...]
    pixels: PixelFigures | None
    pixels_why_not: str
    detection_probability: DetectionProbability | None
    detection_why_not: str
    repeatability: Repeatability | None
    repeatability_why_not: str
    latency: LatencyFigures | None
    traps: tuple[Trap, ...]
    worst_escapes: tuple[str, ...] = Field(description="names of pictures, the lowest score first")
    worst_overkill: tuple[str, ...] = Field(description="names of pictures, the highest score first")
    pictures: tuple[PictureResult, ...]
    made: Made
    sha256: str = Field(default="", description="of this document without this field: json, sorted keys, no spaces")

    def sealed(self) -> Qualification:
        """The same with its own hash."""
        return self.model_copy(update={"sha256": self.own_sha256()})

    def own_sha256(self) -> str:
        """The hash that `sha256` must be."""
        return sha256_of_value({key: value for key, value in self.model_dump(mode="json").items() if key != "sha256"})

    def to_json(self) -> str:
        """Indented, Unicode, ending in a new line."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_qualification(path: Path) -> Qualification:
    """The document in the file. Raises: ConfigError when it is none, or not as it was written."""
    try:
        document = Qualification.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", expected="a qualification") from error
    except ValidationError as error:
        raise ConfigError(
            f"{path} is no qualification: {error.errors()[0]['msg']}",
            expected="the JSON that `lineside qualify` wrote",
            remedy="qualify again",
        ) from error
    if document.sha256 != document.own_sha256():
        raise ConfigError(
            f"{path} has been changed: its content has the SHA-256 {document.own_sha256()}",
            expected=document.sha256 or "a hash",
            remedy="qualify again",
        )
    return document


def qualification_schema() -> str:
    """The JSON Schema of the document, as text: every field with what it means."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    schema = Qualification.model_json_schema(mode="serialization")
    return json.dumps({"$schema": dialect, **schema}, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
