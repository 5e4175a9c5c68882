"""Our one answer to one trigger."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from lineside.core.finding import Defect
from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.trigger import Trigger

__all__ = ["ImageReference", "Judgement", "Latency", "Outcome", "Verdict", "ViewScore"]


class Outcome(enum.IntEnum):
    """PASS lets a part through; everything else, zero included, means reject."""

    UNSPECIFIED = 0
    PASS = 1
    FAIL = 2
    NOT_INSPECTED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewScore:
    """The model's score for one view and the threshold it was held against; higher is worse."""

    view: str
    score: float
    threshold: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What the inspector makes of one part. Same pixels, package, recipe and calibration: the same judgement.

    `detail` is one sentence for a person. `defects` holds the worst ones, worst first; `defects_total` counts them all.
    `infer_ns` and `total_ns` are measured and are not part of the answer.
    """

    outcome: Outcome
    reason: Reason
    detail: str = ""
    defects: tuple[Defect, ...] = ()
    defects_total: int = 0
    view_scores: tuple[ViewScore, ...] = ()
    review: bool = False
    models: tuple[Identity, ...] = ()
    provider: str = ""
    infer_ns: int = field(default=0, compare=False)
    total_ns: int = field(default=0, compare=False)

    @property
    def summary(self) -> str:
        """Outcome and why, in a few words."""
        return f"{self.outcome.name}: {self.detail}" if self.detail else self.outcome.name

    @classmethod
    def not_inspected(cls, reason: Reason, detail: str = "") -> Judgement:
        """The answer when there is no answer."""
        return cls(outcome=Outcome.NOT_INSPECTED, reason=reason, detail=detail or reason.sentence)


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Where the time of one part went, in monotonic nanoseconds; 0 where a stage did not happen.

    `capture_ns` trigger to frame in shared memory, `queue_ns` waiting for an inspector, `inspect_ns` in the inspector
    (of which `infer_ns` is the model), `decide_ns` trigger to verdict.
    """

    capture_ns: int = 0
    queue_ns: int = 0
    inspect_ns: int = 0
    infer_ns: int = 0
    decide_ns: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """Names one archived image; `kept` says whether the archive was asked to keep it."""

    view: str
    image_id: str
    kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Our one answer to one trigger, with all that an auditor asks for.

    `sequence` numbers verdicts without gaps, in the order in which they were told. `captured_utc_ns` is 0 when no
    frame came. `slack_ns` is due time minus decision: negative never happens to a PASS or FAIL.
    `calibration_files` are the measured files that `calibration` is over.
    """

    sequence: int
    boot_id: str
    line_id: str
    station_id: str
    trigger: Trigger
    part_id: str
    judgement: Judgement
    captured_utc_ns: int
    decided_utc_ns: int
    decided_mono_ns: int
    latency: Latency
    recipe: Identity
    calibration: Identity
    config_fingerprint: str
    simulated: bool
    images: tuple[ImageReference, ...] = ()
    calibration_files: tuple[Identity, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return self.judgement.outcome

    @property
    def reason(self) -> Reason:
        return self.judgement.reason

    @property
    def slack_ns(self) -> int:
        return self.trigger.due_mono_ns - self.decided_mono_ns
