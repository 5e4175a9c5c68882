"""How well scores tell bad parts from good ones, at every threshold at once: ROC, precision and recall.

A part is rejected when its score is at or above the threshold. Scores may be infinite: such a part is rejected at
every threshold. Bounds of the area under the ROC are found by turning a standard error that depends on the area
itself around (R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic.
Part 2", Statistics in Medicine 25 (2006) 559-573, method 5): they stay sensible where all good parts lie below all bad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Area", "Roc", "area", "area_bounds", "average_precision", "roc"]

Scores = NDArray[np.float64]
"""(n,); none is NaN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """The chance that a bad part scores above a good one, ties counting half, and where the true one lies."""

    value: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Roc:
    """What each threshold would do, from the highest downwards; (n,) each.

    `overkill` is the share of good parts that are rejected, `caught` that of bad ones; `precision` is the share of bad
    ones among the rejected. The first threshold rejects nothing: its precision is 1 by convention.
    """

    thresholds: Scores
    overkill: Scores
    caught: Scores
    precision: Scores

    def escapes_at(self, overkill: float) -> float:
        """The fewest escapes, as a share, of all thresholds with at most so much overkill."""
        return float(1 - self.caught[self.overkill <= overkill + 1e-12].max())


def area(good: Scores, bad: Scores) -> float:
    """The area under the ROC. Raises: ValueError when there are none of either."""
    _check(good, bad)
    ordered = np.sort(good)
    below, up_to = (np.searchsorted(ordered, bad, side) for side in ("left", "right"))
    return float((below + up_to).sum() / (2 * len(good) * len(bad)))


def area_bounds(value: float, good: int, bad: int, *, confidence: float = 0.95) -> Area:
    """Two-sided bounds for an area that so many good and bad parts have shown.

    Give the numbers of independent parts: pictures of one part are not. Raises: ValueError.
    """
    if not 0 <= value <= 1 or good < 1 or bad < 1 or not 0 < confidence < 1:
        raise ValueError(f"area {value} of {good} good and {bad} bad parts at confidence {confidence}")
    from scipy.optimize import brentq  # noqa: PLC0415 - half a second, and a station never needs it
    from scipy.stats import norm  # noqa: PLC0415 - likewise

    reach = float(norm.ppf((1 + confidence) / 2))
    more = (good + bad) / 2 - 1

    def beyond(true: float) -> float:
        variance = true * (1 - true) * (1 + more * ((1 - true) / (2 - true) + true / (1 + true))) / (good * bad)
        return abs(value - true) - reach * math.sqrt(max(0.0, variance))

    edge = 1e-9  # at 0 and 1 there is no variance, and so a root that means nothing
    seen = min(max(value, edge), 1 - edge)
    low = float(brentq(beyond, edge, seen)) if beyond(edge) > 0 else 0.0
    high = float(brentq(beyond, seen, 1 - edge)) if beyond(1 - edge) > 0 else 1.0
    return Area(value=value, low=low, high=high, confidence=confidence)


def roc(good: Scores, bad: Scores) -> Roc:
    """The curve, one point for each score that occurs. Raises: ValueError when there are none of either."""
    _check(good, bad)
    thresholds = np.unique(np.concatenate([good, bad]))[::-1]
    rejected_good = len(good) - np.searchsorted(np.sort(good), thresholds, "left")
    rejected_bad = len(bad) - np.searchsorted(np.sort(bad), thresholds, "left")
    return Roc(
        thresholds=np.concatenate([[np.inf], thresholds]),
        overkill=np.concatenate([[0.0], rejected_good / len(good)]),
        caught=np.concatenate([[0.0], rejected_bad / len(bad)]),
        precision=np.concatenate([[1.0], rejected_bad / (rejected_good + rejected_bad)]),
    )


def average_precision(curve: Roc) -> float:
    """The precision, averaged over the bad parts in the order of their scores; depends on how many are bad."""
    return float((np.diff(curve.caught) * curve.precision[1:]).sum())


def _check(good: Scores, bad: Scores) -> None:
    if not len(good) or not len(bad):
        raise ValueError(f"{len(good)} good and {len(bad)} bad parts: expected some of both")
    if np.isnan(good).any() or np.isnan(bad).any():
        raise ValueError("a score that is NaN: expected numbers")
