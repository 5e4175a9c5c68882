"""A threshold for a wanted rate of overkill or of escapes, from scores of val, with its confidence.

The threshold lies beyond a score that was seen, so the bound that Clopper and Pearson give for the count holds with
no less than the confidence that is asked for: it is the one-sided tolerance limit of order
statistics (S. S. Wilks, "Determination of sample sizes for setting tolerance limits", Annals of Mathematical
Statistics 12 (1941) 91-96). It holds for independent parts: scores are of parts, not of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ConfigError
from lineside.qualify.picture import Judged
from lineside.qualify.rates import parts_of
from lineside.statistics.proportions import Rate, at_most, parts_to_show
from lineside.statistics.wording import figure, percent

__all__ = ["ChosenThreshold", "WantedRates", "choose", "part_scores"]

Scores = NDArray[np.float64]
"""(n,) of parts; infinite where the part was NOT_INSPECTED."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedRates:
    """The highest rates that are wanted, at least one of them, each with the confidence."""

    max_overkill: float | None = None
    max_escape: float | None = None
    confidence: float = 0.95

    @property
    def words(self) -> str:
        """As it stands in the package."""
        asked = [(self.max_overkill, "overkill"), (self.max_escape, "escapes")]
        rates = " and ".join(f"at most {percent(rate)} {name}" for rate, name in asked if rate is not None)
        return f"{rates} at {percent(self.confidence)} confidence"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenThreshold:
    """The threshold, and what the parts of val show of it: upper bounds, one-sided. `warnings` are for people."""

    value: float
    overkill: Rate
    escapes: Rate
    warnings: tuple[str, ...]


def part_scores(judged: Sequence[Judged]) -> tuple[Scores, Scores]:
    """Of the good parts the highest score of any picture, of the bad ones the lowest: the worst that may happen."""
    parts = parts_of(judged)
    good = [max(each.score for each in pictures) for (_, truth), pictures in parts.items() if truth]
    bad = [min(each.score for each in pictures) for (_, truth), pictures in parts.items() if not truth]
    return np.array(good, np.float64), np.array(bad, np.float64)


def choose(good: Scores, bad: Scores, wanted: WantedRates) -> ChosenThreshold:
    """The threshold that rejects most (or, for escapes alone, least) within the wanted rate.

    It lies in the middle between two scores that were seen. Where there are too few parts to show the rate, no part
    of val is on the wrong side, and a warning says how many it takes. Raises: ConfigError where no threshold does it.
    """
    warnings: list[str] = []
    above, below = -np.inf, np.inf
    if wanted.max_overkill is not None:
        above = _above(good, wanted.max_overkill, wanted.confidence, warnings)
    if wanted.max_escape is not None:
        below = _below(bad, wanted.max_escape, wanted.confidence, warnings)
    if not above < below:
        raise ConfigError(
            f"no threshold keeps both rates on these parts: overkill asks for one above {figure(above)}, "
            f"escapes for one of at most {figure(below)}",
            expected="good and bad parts that the detector tells better",
            remedy="ask for less, or train a better detector",
        )
    value = _between(np.concatenate([good, bad]), above, below)
    return ChosenThreshold(
        value=value,
        overkill=at_most(int((good >= value).sum()), len(good), confidence=wanted.confidence),
        escapes=at_most(int((bad < value).sum()), len(bad), confidence=wanted.confidence),
        warnings=tuple(warnings),
    )


def _above(good: Scores, rate: float, confidence: float, warnings: list[str]) -> float:
    """The highest score that must pass."""
    allowed = _allowed(len(good), rate, confidence, "good", "overkill", warnings)
    lost = int(np.isinf(good).sum())
    if lost > allowed:
        raise ConfigError(
            f"{lost} of {len(good)} good parts were NOT_INSPECTED, and so rejected whatever the threshold",
            expected=f"at most {allowed} for at most {percent(rate)} overkill",
            remedy="look at them with `lineside locate` or `lineside qualify --split val`",
        )
    return float(np.sort(good)[::-1][allowed])


def _below(bad: Scores, rate: float, confidence: float, warnings: list[str]) -> float:
    """The lowest score that must be rejected."""
    allowed = _allowed(len(bad), rate, confidence, "bad", "escapes", warnings)
    return float(np.sort(bad)[allowed])


def _allowed(parts: int, rate: float, confidence: float, kind: str, event: str, warnings: list[str]) -> int:
    """So many of the parts may be on the wrong side."""
    if not parts:
        raise ConfigError(
            f"no {kind} part in val", expected=f"{kind} parts to set a rate of {event} by", remedy="add some to val"
        )
    allowed = 0
    while allowed + 1 < parts and at_most(allowed + 1, parts, confidence=confidence).high <= rate:
        allowed += 1
    shown = at_most(allowed, parts, confidence=confidence).high
    if shown > rate:
        needed = parts_to_show(rate, confidence=confidence)
        warnings.append(
            f"val is too small: {parts:,} {kind} parts, none on the wrong side, show at most {percent(shown, up=True)} "
            f"{event} at {percent(confidence)} confidence; for {percent(rate)} it takes {needed:,}."
        )
    return allowed


def _between(scores: Scores, above: float, below: float) -> float:
    """In the middle of the gap next to the bound, so that no part of val changes its side; a value of float32."""
    finite = np.sort(scores[np.isfinite(scores)])
    if np.isfinite(above):
        higher = finite[finite > above]
        low, high = above, min(below, float(higher[0]) if len(higher) else np.inf)
        if np.isfinite(below):
            high = below  # anything between them keeps both: the middle keeps the most distance
    else:
        lower = finite[finite < below]
        low, high = (float(lower[-1]) if len(lower) else -np.inf), below
    if not np.isfinite(high):
        return float(np.nextafter(np.float32(low), np.float32(np.inf)))
    if not np.isfinite(low):
        return float(np.float32(high))
    middle = np.float32((low + high) / 2)
    return float(middle) if low < middle <= high else high
