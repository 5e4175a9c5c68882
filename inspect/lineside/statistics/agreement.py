"""How far ratings agree beyond chance: kappa of two raters (Cohen), of many (Fleiss), and against a standard.

Kappa is 1 where all agree, 0 where they agree as often as chance alone would have it. Its bounds are found by leaving
out one part after the other (jackknife): they hold however many ratings each part has, which are not independent of
each other. Where all ratings agree there is no spread to see: the lower bound then is that of the share of parts in
agreement (Clopper and Pearson), at the same chance agreement. Sources: J. Cohen, "A coefficient of agreement for
nominal scales", Educational and Psychological Measurement 20 (1960) 37-46; J. L. Fleiss, "Measuring nominal scale
agreement among many raters", Psychological Bulletin 76 (1971) 378-382; jackknife: K. L. Gwet, "Computing inter-rater
reliability and its variance in the presence of high agreement", British Journal of Mathematical and Statistical
Psychology 61 (2008) 29-48; what is good: AIAG, "Measurement Systems Analysis" (4th edition 2010), chapter III.C.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.statistics.proportions import Rate, between
from lineside.statistics.wording import percent

__all__ = ["GOOD", "POOR", "Kappa", "cohen", "fleiss"]

GOOD = 0.75
"""AIAG: above this the agreement is good."""

POOR = 0.40
"""AIAG: below this it is poor."""

Ratings = Sequence[Sequence[Hashable]]
"""By part, then by rating."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kappa:
    """Agreement beyond chance, between its bounds. `value` is None where every rating is the same word.

    `parts` counts the parts on which all ratings agree.
    """

    what: str
    value: float | None
    low: float
    high: float
    parts: Rate
    ratings: int
    confidence: float

    @property
    def words(self) -> str:
        """One sentence for a quality manager."""
        if self.value is None:
            return f"{self.what}: every rating is the same, so that agreement cannot be told from chance."
        told = "good" if self.value > GOOD else "poor" if self.value < POOR else "middling"
        return (
            f"{self.what}: {told} agreement, kappa {self.value:.2f} ({self.low:.2f} to {self.high:.2f} with"
            f" {percent(self.confidence)} confidence); all agree on {self.parts.count:,} of {self.parts.of:,} parts."
        )


def cohen(first: Ratings, second: Ratings, *, what: str = "agreement", confidence: float = 0.95) -> Kappa:
    """Two raters, each rating of the first held against the second's of the same place: trial by trial.

    A standard is a rater too: give its word as often as the part was rated. Raises: ValueError for sides of different
    shape, or fewer than two parts.
    """
    _check(first)
    if [len(each) for each in first] != [len(each) for each in second]:
        raise ValueError("two raters with different numbers of ratings: expected a pair for every rating")
    index = _index([*first, *second])
    tables = np.zeros((len(first), len(index), len(index)))
    for part, (ours, theirs) in enumerate(zip(first, second, strict=True)):
        for one, other in zip(ours, theirs, strict=True):
            tables[part, index[one], index[other]] += 1

    def agreement(kept: NDArray[np.bool_]) -> tuple[float, float]:
        table = tables[kept].sum(axis=0)
        total = table.sum()
        return float(np.trace(table) / total), float(table.sum(axis=0) @ table.sum(axis=1)) / float(total**2)

    whole = sum(list(ours) == list(theirs) for ours, theirs in zip(first, second, strict=True))
    return _kappa(agreement, len(first), whole, what=what, ratings=int(tables.sum()) * 2, confidence=confidence)


def fleiss(ratings: Ratings, *, what: str = "agreement", confidence: float = 0.95) -> Kappa:
    """Many ratings of each part, whoever gave them. Raises: ValueError for fewer than two parts or ratings of each, or
    parts rated differently often.
    """
    _check(ratings)
    count = len(ratings[0])
    if count < 2 or any(len(each) != count for each in ratings):
        raise ValueError("parts with different numbers of ratings, or one: expected as many for each, two or more")
    index = _index(ratings)
    counts = np.array([[list(each).count(word) for word in index] for each in ratings], np.float64)

    def agreement(kept: NDArray[np.bool_]) -> tuple[float, float]:
        of = counts[kept]
        pairs = (of * (of - 1)).sum(axis=1) / (count * (count - 1))
        return float(pairs.mean()), float(((of.sum(axis=0) / of.sum()) ** 2).sum())

    whole = int((counts.max(axis=1) == count).sum())
    return _kappa(agreement, len(ratings), whole, what=what, ratings=int(counts.sum()), confidence=confidence)


Agreement = Callable[[NDArray[np.bool_]], tuple[float, float]]
"""The share of agreement over the parts that are kept, and what chance alone would make it."""


def _kappa(agreement: Agreement, parts: int, whole: int, *, what: str, ratings: int, confidence: float) -> Kappa:
    everyone = np.ones(parts, np.bool_)
    seen, by_chance = agreement(everyone)
    value = _beyond_chance(seen, by_chance)
    rate = between(whole, parts, confidence=confidence)
    if value is None:
        low, high = -1.0, 1.0
    elif whole == parts:
        low, high = _beyond_chance(rate.low, by_chance) or 0.0, 1.0
    else:
        reach = _jackknife_error(agreement, parts) * _t(parts - 1, confidence)
        low, high = max(-1.0, value - reach), min(1.0, value + reach)
    return Kappa(what=what, value=value, low=low, high=high, parts=rate, ratings=ratings, confidence=confidence)


def _beyond_chance(seen: float, by_chance: float) -> float | None:
    return None if by_chance >= 1 else (seen - by_chance) / (1 - by_chance)


def _jackknife_error(agreement: Agreement, parts: int) -> float:
    """The standard error, from kappa without each part in turn; without a part that alone differs it is 1."""
    kept = ~np.eye(parts, dtype=np.bool_)
    without = [_beyond_chance(*agreement(each)) for each in kept]
    values = np.array([1.0 if each is None else each for each in without])
    return math.sqrt((parts - 1) / parts * float(((values - values.mean()) ** 2).sum()))


def _t(df: int, confidence: float) -> float:
    from scipy.stats import t  # noqa: PLC0415 - half a second, and a station never needs it

    return float(t.ppf((1 + confidence) / 2, df))


def _index(ratings: Ratings) -> dict[Hashable, int]:
    return {word: place for place, word in enumerate(dict.fromkeys(word for each in ratings for word in each))}


def _check(ratings: Ratings) -> None:
    if len(ratings) < 2 or not all(ratings):
        raise ValueError(f"{len(ratings)} rated parts: expected at least two, each with a rating")
