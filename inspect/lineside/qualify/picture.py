"""A labelled picture, and what the inspector made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.verdict import Judgement, Outcome

__all__ = ["Judged", "LabelledPicture", "Looked", "Unread", "judged_of"]


class LabelledPicture(Protocol):
    """One picture file and what people say of it; those of `train.dataset` are of this kind.

    Pictures of one `group` show the same part, or the same place of it.
    """

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def split(self) -> str: ...
    @property
    def good(self) -> bool: ...
    @property
    def class_name(self) -> str: ...
    @property
    def mask(self) -> Path | None: ...
    @property
    def group(self) -> str: ...
    def sha256(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Looked:
    """The inspector's answer to one frame; `detection` is None where the part was NOT_INSPECTED.

    `score` is the lowest threshold at which the part would have passed: the highest score of any finding or place that
    the recipe looks at. Infinite where the part was NOT_INSPECTED: no threshold lets it pass.
    """

    frame: Frame
    judgement: Judgement
    detection: Detection | None
    score: float

    @property
    def rejected(self) -> bool:
        """Whether the line would take the part out: with anything but PASS."""
        return self.judgement.outcome is not Outcome.PASS


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What is kept of each picture."""

    name: str
    group: str
    good: bool
    class_name: str
    sha256: str
    outcome: Outcome
    detail: str
    score: float
    decode_ns: int
    infer_ns: int
    inspect_ns: int

    @property
    def part(self) -> tuple[str, bool]:
        """Pictures of one group and truth are of one part."""
        return self.group, self.good

    @property
    def rejected(self) -> bool:
        return self.outcome is not Outcome.PASS

    @property
    def inspected(self) -> bool:
        return math.isfinite(self.score)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A picture that could not be read, or is not what was declared: it shows nothing, and is in no rate."""

    name: str
    good: bool
    why: str


def judged_of(picture: LabelledPicture, digest: str, looked: Looked, decode_ns: int) -> Judged:
    """What is kept of a picture that was looked at."""
    judgement = looked.judgement
    return Judged(
        name=picture.name,
        group=picture.group,
        good=picture.good,
        class_name=picture.class_name,
        sha256=digest,
        outcome=judgement.outcome,
        detail=judgement.detail,
        score=looked.score,
        decode_ns=decode_ns,
        infer_ns=judgement.infer_ns,
        inspect_ns=judgement.total_ns,
    )
