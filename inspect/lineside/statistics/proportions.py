"""Exact bounds of a rate (Clopper and Pearson), and how many parts it takes to show one.

Exact means that the bounds hold the true rate at least as often as they say, however few the parts and however rare
the event: with 0 escapes of 20 the rate is below 17 %, not zero. Source: C. J. Clopper, E. S. Pearson, "The use of
confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934) 404-413.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lineside.statistics.wording import percent

__all__ = ["Rate", "at_least", "at_most", "between", "parts_to_show"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """So many of so many, and where the true rate lies at the stated confidence. `rate` is None where `of` is 0."""

    count: int
    of: int
    low: float
    high: float
    confidence: float

    @property
    def rate(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def bounds(self) -> str:
        """The bounds alone: "10 % to 35 %", "at most 17 %"."""
        if self.low <= 0:
            return f"at most {percent(self.high, up=True)}" if self.high < 1 else "anything"
        if self.high >= 1:
            return f"at least {percent(self.low, up=False)}"
        return f"{percent(self.low, up=False)} to {percent(self.high, up=True)}"

    @property
    def words(self) -> str:
        """One sentence for a quality manager."""
        if self.rate is None:
            return "None was looked at, so nothing is known of the rate."
        return (
            f"{self.count:,} of {self.of:,} ({percent(self.rate)}); with {percent(self.confidence)} confidence the"
            f" true rate is {self.bounds}."
        )


def between(count: int, of: int, *, confidence: float = 0.95) -> Rate:
    """Two-sided bounds: the true rate lies between them, and beyond either with at most half of what is left over.

    Raises: ValueError for counts that cannot be, or a confidence that is not between 0 and 1.
    """
    _check(count, of, confidence)
    tail = (1 - confidence) / 2
    low, high = _lower(count, of, tail), _upper(count, of, tail)
    return Rate(count=count, of=of, low=low, high=high, confidence=confidence)


def at_most(count: int, of: int, *, confidence: float = 0.95) -> Rate:
    """One-sided: the highest rate that the counts leave possible; `low` is 0. Raises: ValueError."""
    _check(count, of, confidence)
    return Rate(count=count, of=of, low=0.0, high=_upper(count, of, 1 - confidence), confidence=confidence)


def at_least(count: int, of: int, *, confidence: float = 0.95) -> Rate:
    """One-sided: the lowest rate that the counts leave possible; `high` is 1. Raises: ValueError."""
    _check(count, of, confidence)
    return Rate(count=count, of=of, low=_lower(count, of, 1 - confidence), high=1.0, confidence=confidence)


def parts_to_show(rate: float, *, allowed: int = 0, confidence: float = 0.95) -> int:
    """The fewest parts that show a rate of at most `rate` while `allowed` of them have the event.

    To show at most 1 % escapes at 95 % confidence, 299 bad parts must all be caught; with one escape allowed, 473.
    Raises: ValueError for a rate or confidence that is not between 0 and 1.
    """
    if not 0 < rate < 1 or not 0 < confidence < 1 or allowed < 0:
        raise ValueError(f"rate {rate}, confidence {confidence}, allowed {allowed}: expected 0 to 1, 0 to 1, 0 or more")

    def shows(parts: int) -> bool:
        return _upper(allowed, parts, 1 - confidence) <= rate

    enough = max(allowed + 1, math.ceil(math.log(1 - confidence) / math.log1p(-rate)))
    while not shows(enough):
        enough *= 2
    too_few = allowed
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if shows(middle) else (middle, enough)
    return enough


def _check(count: int, of: int, confidence: float) -> None:
    if not 0 <= count <= of or not 0 < confidence < 1:
        raise ValueError(f"{count} of {of} at confidence {confidence}: expected 0 <= count <= of, confidence 0 to 1")


def _lower(count: int, of: int, tail: float) -> float:
    """The rate at which so many or more would be seen with a chance of `tail`."""
    from scipy.stats import beta  # noqa: PLC0415 - half a second, and a station never needs it

    return float(beta.ppf(tail, count, of - count + 1)) if count else 0.0


def _upper(count: int, of: int, tail: float) -> float:
    """The rate at which so many or fewer would be seen with a chance of `tail`."""
    from scipy.stats import beta  # noqa: PLC0415 - likewise

    return float(beta.isf(tail, count + 1, of - count)) if count < of else 1.0
