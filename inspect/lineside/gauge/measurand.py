"""What is measured: one figure of what the inspector sees in a part."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lineside.core.errors import ConfigError
from lineside.core.verdict import Outcome

__all__ = ["LARGEST", "Measurand", "Quantity", "Reading", "Seen", "SeenFinding"]


LARGEST: Final = "the largest of"
"""Begins the note of a value that is one of several: of so many findings."""


class Quantity(enum.StrEnum):
    """A figure that an inspection gives; sizes are of one finding."""

    LENGTH_MM = "length_mm"
    AREA_MM2 = "area_mm2"
    LENGTH_PX = "length_px"
    AREA_PX = "area_px"
    WIDTH_PX = "width_px"
    HEIGHT_PX = "height_px"
    SCORE = "score"
    OUTCOME = "outcome"

    @property
    def unit(self) -> str:
        """As it stands behind a figure; empty for scores and outcomes."""
        _, _, unit = self.value.rpartition("_")
        return {"mm": "mm", "mm2": "mm²", "px": "px"}.get(unit, "") if self is not Quantity.AREA_PX else "px²"


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenFinding:
    """One finding with its sizes, each by `Quantity`; one that there is no scale for is left out."""

    view: str
    class_name: str
    region: str
    limit: str
    sizes: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One inspection of one part, wherever it was made. `scores` are by view, `why` is the verdict's own sentence.

    `only_defects` says that findings within the limits were not told.
    """

    outcome: Outcome
    why: str
    findings: Sequence[SeenFinding] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    judged_by: str = ""
    only_defects: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A value, or None with the reason in `note`; a note beside a value says what else is to be known of it."""

    value: str | None
    note: str = ""
    judged_by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurand:
    """What a study measures. Of findings the empty words do not ask: any limit, class, region, view."""

    quantity: Quantity
    limit: str = ""
    class_name: str = ""
    region: str = ""
    view: str = ""

    @property
    def words(self) -> str:
        """As it stands in the study's file."""
        asked = (("limit", self.limit), ("class", self.class_name), ("region", self.region), ("view", self.view))
        return " ".join([self.quantity.value, *(f"{name}={value}" for name, value in asked if value)])

    @classmethod
    def of_words(cls, words: str) -> Measurand:
        """What `words` made of it. Raises: ConfigError for other words."""
        quantity, *asked = re.split(r" (?=(?:limit|class|region|view)=)", words)
        told = dict(each.split("=", 1) for each in asked)
        try:
            return cls(
                quantity=Quantity(quantity),
                limit=told.get("limit", ""),
                class_name=told.get("class", ""),
                region=told.get("region", ""),
                view=told.get("view", ""),
            )
        except ValueError as error:
            raise ConfigError(f"the study measures {words!r}", expected=", ".join(Quantity)) from error

    def of(self, seen: Seen) -> Reading:
        """The value in what was seen. Where several findings are asked for it is the largest one's, and noted.

        Raises: ConfigError where there can be no value whatever the part: a view without a scale, an unknown view.
        """
        if seen.outcome is Outcome.NOT_INSPECTED:
            return Reading(value=None, note=f"NOT_INSPECTED: {seen.why}", judged_by=seen.judged_by)
        if self.quantity is Quantity.OUTCOME:
            return Reading(value=seen.outcome.name, note=seen.why, judged_by=seen.judged_by)
        if self.quantity is Quantity.SCORE:
            return Reading(value=_told(self._score(seen.scores)), judged_by=seen.judged_by)
        return self._size(seen)

    def _score(self, scores: Mapping[str, float]) -> float:
        known = self.view in scores if self.view else len(scores) == 1
        if not known:
            raise ConfigError(
                f"the score of view {self.view or '(not named)'}",
                expected=f"one of {', '.join(scores) or 'none: no scores were told'}",
                remedy="name the view",
            )
        return scores[self.view] if self.view else next(iter(scores.values()))

    def _size(self, seen: Seen) -> Reading:
        found = [finding for finding in seen.findings if self._asks_for(finding)]
        if not found:
            others = f"; {len(seen.findings)} other findings" if seen.findings else ""
            within = "; findings within the limits are not told" if seen.only_defects else ""
            return Reading(value=None, note=f"nothing found{others}{within}", judged_by=seen.judged_by)
        sizes = {finding.sizes[self.quantity] for finding in found if self.quantity in finding.sizes}
        if not sizes:
            raise ConfigError(
                f"{self.quantity} of a view without a scale",
                expected="a calibration with that view's scale, or a size in px",
            )
        note = f"{LARGEST} {len(sizes)}" if len(sizes) > 1 else ""
        return Reading(value=_told(max(sizes)), note=note, judged_by=seen.judged_by)

    def _asks_for(self, finding: SeenFinding) -> bool:
        asked = (
            (self.limit, finding.limit),
            (self.class_name, finding.class_name),
            (self.region, finding.region),
            (self.view, finding.view),
        )
        return all(not wanted or wanted == found for wanted, found in asked)


def _told(value: float) -> str:
    """More figures than any gauge of this kind has."""
    return f"{value:.9g}"
