"""One row of the answer: one part, judged by one candidate. The schema of rows.parquet."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, fields

import pyarrow as pa

__all__ = [
    "ROW_SCHEMA",
    "SIZES_MM",
    "TIMING_COLUMNS",
    "DefectRow",
    "ImageRow",
    "ModelRow",
    "Row",
    "State",
    "ViewScoreRow",
    "table_of",
    "told",
]


class State(enum.StrEnum):
    """What became of a part in this run."""

    JUDGED = "judged"
    UNREADABLE = "unreadable"
    """An image is damaged, odd, gone or forbidden: `error` says which and why. Ends the run with exit code 1."""
    NOT_KEPT = "not_kept"
    """The archive was never asked to keep its images, or gave them up by name: nothing to look at, nothing wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewScoreRow:
    view: str
    score: float
    threshold: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DefectRow:
    """As `core.finding.Defect`, without its outline. Box in frame pixels; sizes in mm None without a ruler."""

    view: str
    class_name: str
    score: float
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    area_px: float
    length_px: float
    area_mm2: float | None
    length_mm: float | None
    width_mm: float | None
    diameter_mm: float | None
    area_uncertainty_mm2: float | None
    length_uncertainty_mm: float | None
    width_uncertainty_mm: float | None
    diameter_uncertainty_mm: float | None
    region: str
    limit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRow:
    id: str
    revision: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRow:
    """`sha256` is of the file's bytes as read now; empty where they could not be read."""

    view: str
    url: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One part judged by one candidate. All but the four timing columns is the same in every run, on every engine.

    `unreached`: the storage did not give an image and may give it another time, so that `--resume` tries it again.
    `score` is the highest of score / threshold over the views: 1 is where findings begin; None when not judged.
    `judgement` is the canonical message of the judgement (see `wire.codec`), `judgement_sha256` its hash.
    `reproduces` is None where there is nothing to compare with; `difference` names what differs from the original
    (which hash, which provider, which field), and is empty where nothing does.
    """

    part_key: str
    candidate: str
    part_id: str = ""
    captured_utc_ns: int = 0
    state: State
    error: str = ""
    unreached: bool = False
    outcome: str = ""
    reason: str = ""
    detail: str = ""
    score: float | None = None
    view_scores: tuple[ViewScoreRow, ...] = ()
    defects: tuple[DefectRow, ...] = ()
    defects_total: int = 0
    review: bool = False
    truth_bad: bool | None = None
    truth_class: str = ""
    original_sequence: int = 0
    original_trigger_number: int = 0
    original_outcome: str = ""
    original_reason: str = ""
    reproduces: bool | None = None
    difference: str = ""
    recipe_sha256: str = ""
    calibration_sha256: str = ""
    models: tuple[ModelRow, ...] = ()
    provider: str = ""
    judgement: bytes = b""
    judgement_sha256: str = ""
    images: tuple[ImageRow, ...] = ()
    read_ms: float = 0.0
    decode_ms: float = 0.0
    infer_ms: float = 0.0
    judge_ms: float = 0.0


TIMING_COLUMNS = ("read_ms", "decode_ms", "infer_ms", "judge_ms")
"""Measured, and so different in each run. `judge_ms` is the inspector's whole time, of which `infer_ms` the model's."""

SIZES_MM = (
    *("area_mm2", "length_mm", "width_mm", "diameter_mm"),
    *("area_uncertainty_mm2", "length_uncertainty_mm", "width_uncertainty_mm", "diameter_uncertainty_mm"),
)
"""Of a DefectRow, as of `core.finding.Defect`."""

_STRING, _FLOAT, _INT, _BOOL = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_VIEW_SCORE = pa.struct([("view", _STRING), ("score", _FLOAT), ("threshold", _FLOAT)])
_DEFECT = pa.struct(
    [(name, _STRING) for name in ("view", "class_name")]
    + [(name, _FLOAT) for name in ("score", "x_px", "y_px", "width_px", "height_px", "area_px", "length_px")]
    + [(name, _FLOAT) for name in SIZES_MM]
    + [(name, _STRING) for name in ("region", "limit")]
)
_MODEL = pa.struct([("id", _STRING), ("revision", _INT), ("sha256", _STRING)])
_IMAGE = pa.struct([("view", _STRING), ("url", _STRING), ("sha256", _STRING)])
_SPECIAL = {
    "captured_utc_ns": _INT,
    "score": _FLOAT,
    "view_scores": pa.list_(_VIEW_SCORE),
    "defects": pa.list_(_DEFECT),
    "defects_total": _INT,
    "review": _BOOL,
    "unreached": _BOOL,
    "truth_bad": _BOOL,
    "original_sequence": _INT,
    "original_trigger_number": _INT,
    "reproduces": _BOOL,
    "models": pa.list_(_MODEL),
    "judgement": pa.binary(),
    "images": pa.list_(_IMAGE),
    **dict.fromkeys(TIMING_COLUMNS, _FLOAT),
}

ROW_SCHEMA = pa.schema([(field.name, _SPECIAL.get(field.name, _STRING)) for field in fields(Row)])
"""Columns of rows.parquet, in the order of `Row`'s fields."""


def table_of(rows: Iterable[Row]) -> pa.Table:
    """The rows as a table of ROW_SCHEMA, in the order given. Text that is not Unicode is told with escapes."""
    return pa.Table.from_pylist([_plain(row) for row in rows], schema=ROW_SCHEMA)


def told(text: str) -> str:
    """The text as it stands in a row."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _plain(value: object) -> object:
    match value:
        case str():
            return told(value)
        case tuple():
            return [_plain(each) for each in value]
        case Row() | ViewScoreRow() | DefectRow() | ModelRow() | ImageRow():
            return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
