"""The summary of a run as a document, written as summary.json."""

from __future__ import annotations

import json
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "SCHEMA_VERSION",
    "CandidateSummary",
    "Changes",
    "ClassRate",
    "ComparisonSummary",
    "DriftSummary",
    "Histogram",
    "Identities",
    "JudgedBy",
    "PartList",
    "PartNote",
    "Period",
    "Reason",
    "Reproduction",
    "RunFacts",
    "Significance",
    "Summary",
    "Throughput",
    "TrueRate",
    "TruthSummary",
    "summary_schema",
]

SCHEMA_VERSION: Final = 1
"""Grows by one when a field changes its meaning or goes; new fields alone do not change it."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class RunFacts(_Document):
    """What the run knows of itself, beside its rows. All text is shown as it is given."""

    command: str = Field(description="the command line that does it again")
    source: str = Field(description="what was inspected, as it was named")
    candidates: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="by label, in the order of the rows: what identifies each candidate, name and value",
    )
    engine: str = ""
    workers: int = 0
    started_utc_ns: int = 0
    wall_s: float = Field(default=0.0, description="time spent judging, all sittings of a resumed run together")
    parts_planned: int | None = Field(default=None, description="parts in the plan; None where nobody counted")
    left_out: dict[str, int] = Field(
        default_factory=dict, description="parts of the source that are not in the plan, by the first rule against them"
    )
    ignored: dict[str, int] = Field(
        default_factory=dict, description="things in the source that are no part of it, by what they are"
    )
    hashes: dict[str, str] = Field(default_factory=dict, description="SHA-256 of what went in: the plan, the job")
    versions: dict[str, str] = Field(default_factory=dict, description="of Lineside and what it computes with")
    machine: dict[str, str] = Field(default_factory=dict)


class JudgedBy(_Document):
    """What one candidate said of one part."""

    verdict: str = Field(description="PASS, FAIL, NOT_INSPECTED; unreadable or not_kept where it was not judged")
    why: str = Field(description="the judgement's detail, or why there is none")
    score: float | None = Field(description="score / threshold, the highest of the views: findings begin at 1")
    defects_total: int


class PartNote(_Document):
    """One part to look at."""

    part_key: str
    part_id: str
    captured_utc_ns: int
    truth: Literal["", "good", "bad"]
    truth_class: str
    original: str = Field(description="the original outcome; empty where there is none")
    judged: tuple[JudgedBy, ...] = Field(description="by candidate, in the summary's order")


class PartList(_Document):
    """So many parts, and the most telling of them, most telling first."""

    total: int
    parts: tuple[PartNote, ...]


class Reason(_Document):
    """So many parts for one reason; numbers and names in it are replaced by … so that equal causes count together."""

    reason: str
    count: int
    examples: tuple[str, ...] = Field(description="part keys with what was said of each")


class TrueRate(_Document):
    """So many of so many, with exact (Clopper-Pearson) two-sided bounds of the true rate."""

    count: int
    of: int
    rate: float | None
    low: float
    high: float
    confidence: float
    words: str


class ClassRate(_Document):
    class_name: str
    escapes: TrueRate


class TruthSummary(_Document):
    """Escapes and overkill among judged parts of known truth. NOT_INSPECTED counts as a reject, as on the line."""

    escapes: TrueRate = Field(description="bad parts that passed, of the bad parts judged")
    overkill: TrueRate = Field(description="good parts that were rejected, of the good parts judged")
    by_class: tuple[ClassRate, ...] = Field(description="escapes by class of the bad parts")
    not_judged: int = Field(description="parts of known truth that were unreadable or not kept: in no rate")
    escaped: PartList
    overkilled: PartList


class Changes(_Document):
    """One set of verdicts against another, on the parts that have both."""

    before: str
    after: str
    compared: int
    table: dict[str, dict[str, int]] = Field(description="verdict before, verdict after, parts")
    newly_rejected: PartList
    newly_passed: PartList


class Significance(_Document):
    """McNemar's test on the parts where two sets of verdicts differ."""

    on: Literal["truth", "verdicts"] = Field(description="whether right answers were counted, or rejects")
    only_before: int
    only_after: int
    of: int
    odds: float | None = Field(description="only_after / only_before; None where that is nothing")
    odds_low: float
    odds_high: float | None = Field(description="None where there is no upper bound")
    p_exact: float
    p_mid: float
    confidence: float
    words: str


class ComparisonSummary(_Document):
    """Two sets of verdicts held against each other: candidate against candidate, or against the station's own."""

    changes: Changes
    significance: Significance
    escapes_caught: TrueRate | None = Field(description="of the escapes before, those that are rejected after")
    escapes_new: int = Field(description="bad parts rejected before that pass after")
    overkill_change: float | None = Field(description="rate after less rate before; 0.01 is a percentage point")
    overkill_change_low: float | None
    overkill_change_high: float | None
    words: str


class Histogram(_Document):
    """Scores by truth in bins of equal width from 0; the last bin holds everything above its lower edge."""

    edges: tuple[float, ...] = Field(description="lower edges of the bins, and the last bin's nominal upper edge")
    good: tuple[int, ...]
    bad: tuple[int, ...]
    unknown: tuple[int, ...]


class Period(_Document):
    """Scores of the parts taken in one stretch of time. Quantiles are within 1.1 % of the true ones."""

    from_utc_ns: int
    to_utc_ns: int
    judged: int
    rejected: int
    q05: float | None
    q50: float | None
    q95: float | None


class DriftSummary(_Document):
    """Whether the scores move: Theil-Sen slope of the periods' medians, and Kendall's test of a steady trend."""

    period: str = Field(description="minute, 10 minutes, hour, day, week or 4 weeks: as fine as there are parts for")
    periods: tuple[Period, ...]
    untimed: int = Field(description="judged parts without a time: not in here")
    slope_per_day: float | None
    slope_low: float | None
    slope_high: float | None
    p_value: float | None
    words: str


class Reproduction(_Document):
    """Whether the original judgements came out again, byte for byte."""

    identical: int
    different: int
    causes: tuple[Reason, ...]


class Identities(_Document):
    """By what so many parts were judged. More than one of them means that a run was not of one piece."""

    recipe_sha256: str
    calibration_sha256: str
    models: tuple[str, ...] = Field(description="id and SHA-256 of each model package")
    provider: str
    parts: int


class CandidateSummary(_Document):
    """One candidate."""

    label: str
    verdicts: dict[str, int] = Field(description="parts by verdict; unreadable and not_kept are not judged")
    review: int = Field(description="close calls, which a person is asked to look at")
    truth: TruthSummary | None
    reproduction: Reproduction | None
    scores: Histogram | None
    drift: DriftSummary | None
    identities: tuple[Identities, ...]


class Throughput(_Document):
    """How fast, and where the time went: sums over all workers and candidates, so more than the time by the clock."""

    images: int
    images_per_s: float | None
    parts_per_s: float | None
    read_s: float
    decode_s: float
    infer_s: float
    decide_s: float = Field(description="the inspector's time beside the model: limits, measuring, preparing")


class Summary(_Document):
    """What a run found out."""

    schema_version: int = SCHEMA_VERSION
    answer: str = Field(description="the sentence that matters")
    more: tuple[str, ...] = Field(description="what else to know before acting on it")
    parts: int
    known_bad: int
    known_good: int
    original_verdicts: dict[str, int] = Field(description="the station's own verdicts, by outcome; empty without any")
    original_truth: TruthSummary | None = Field(description="how the station's own verdicts did; its lists are empty")
    candidates: tuple[CandidateSummary, ...]
    comparisons: tuple[ComparisonSummary, ...] = Field(
        description="each candidate against the original verdicts where there are any, and against the first candidate"
    )
    unreadable: int
    unreadable_reasons: tuple[Reason, ...]
    not_kept: int
    not_kept_reasons: tuple[Reason, ...]
    throughput: Throughput
    rows_sha256: str = Field(description="SHA-256 of rows.parquet")
    run: RunFacts

    def to_json(self) -> str:
        """summary.json: indented, Unicode, ending in a new line."""
        return self.model_dump_json(indent=2) + "\n"


def summary_schema() -> str:
    """The JSON Schema of summary.json, as text: every field with what it means."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    schema = Summary.model_json_schema(mode="serialization")
    return json.dumps({"$schema": dialect, **schema}, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
