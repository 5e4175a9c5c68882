"""Two detectors' areas under the ROC on the same parts: their difference between bounds.

E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more correlated receiver
operating characteristic curves: a nonparametric approach", Biometrics 44 (1988) 837-845.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = ["AreaDifference", "area_difference"]

Scores = NDArray[np.float64]
"""(n,); none is NaN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaDifference:
    """Both areas, and B's less A's with its bounds. With `same_order` no good and bad part changed places: the bounds
    then are of no width, which says nothing about parts that were not looked at.
    """

    a: float
    b: float
    value: float
    low: float
    high: float
    confidence: float
    same_order: bool


def area_difference(
    good: tuple[Scores, Scores], bad: tuple[Scores, Scores], *, confidence: float = 0.95
) -> AreaDifference:
    """`good` and `bad` hold the scores of the same parts by A and by B.

    Raises: ValueError for fewer than two of either.
    """
    if len(good[0]) != len(good[1]) or len(bad[0]) != len(bad[1]) or min(len(good[0]), len(bad[0])) < 2:
        raise ValueError(
            f"{[len(each) for each in (*good, *bad)]} scores: expected the same parts, two or more of each"
        )
    wins = [_wins(*each) for each in zip(good, bad, strict=True)]
    areas = [float(each.mean()) for each in wins]
    apart = wins[1] - wins[0]
    by_bad, by_good = apart.mean(axis=1), apart.mean(axis=0)
    variance = float(by_bad.var(ddof=1) / len(by_bad) + by_good.var(ddof=1) / len(by_good))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance)
    value = areas[1] - areas[0]
    return AreaDifference(
        a=areas[0],
        b=areas[1],
        value=value,
        low=max(-1.0, value - reach),
        high=min(1.0, value + reach),
        confidence=confidence,
        same_order=not apart.any(),
    )


def _wins(good: Scores, bad: Scores) -> NDArray[np.float64]:
    """(bad, good): 1 where the bad part scores higher, a half where they tie."""
    return np.asarray((bad[:, None] > good[None]) + 0.5 * (bad[:, None] == good[None]), np.float64)
