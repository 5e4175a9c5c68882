"""What a bank cannot know beforehand, settled on pictures that it was not made of: its settings and its limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_BAD", "Limit", "auroc", "dealt", "limit_of", "lowered"]

MIN_BAD: Final = 5
"""Fewer bad pictures say nothing about settings, nor about where a limit should be."""

_DEVIATIONS: Final = 3.0
_MAD_TO_DEVIATION: Final = 1.4826
_JUST_ABOVE: Final = 1.001
"""A limit above a score by less is reached by it in the graph's float32."""
_LEAST: Final = 1e-9

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A score, and how it came about."""

    value: float
    how: str


def dealt(groups: Sequence[str], folds: int, seed: int) -> list[NDArray[np.intp]]:
    """Indices dealt into at most so many folds, each group whole in one of them."""
    names = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[index]: place % folds for place, index in enumerate(order)}
    placed = np.array([fold_of[group] for group in groups])
    return [np.flatnonzero(placed == fold) for fold in range(min(folds, len(names)))]


def auroc(good: Scores, bad: Scores) -> float:
    """The chance that a bad part scores above a good one; ties count half."""
    above = np.subtract.outer(bad, good)
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def limit_of(good: Scores, bad: Scores, overkill: float) -> Limit:
    """The limit between the scores of good pictures and, where there are enough, those of bad ones.

    None of them was scored by what was made of it. Scores are above 0, and those of good parts lean to the high side:
    without bad ones the limit is set on their logarithms, and one odd picture does not move it.
    """
    if len(bad) < MIN_BAD:
        return _limit_of_good(good, overkill)
    allowed = int(overkill * len(good))
    lowest = _exceeded_by(good, allowed)
    above = bad[bad > lowest]
    value = float(np.sqrt(lowest * above.min())) if len(above) else lowest + _deviation(good)
    return Limit(
        value=max(value, lowest * _JUST_ABOVE, _LEAST),
        how=f"at most {allowed} of {len(good)} good pictures ({overkill:.3g}) at or above it, "
        f"half-way (in ratio) to the next of {len(bad)} bad pictures that were not learned from",
    )


def lowered(limit: Limit, good: Scores, painted: Scores, overkill: float) -> Limit:
    """The limit, or where fewer than half of the painted flaws reach it, the level that half of them do: few good
    pictures say little of how far scores of good ones go. Not so low that too many of the good ones reach it.
    """
    allowed = max(1, int(overkill * len(good)))
    half = max(float(np.median(painted)), _exceeded_by(good, allowed) * _JUST_ABOVE)
    if half >= limit.value:
        return limit
    how = f"{limit.how}; lowered until half of {len(painted)} painted flaws are above it, or {allowed} of the good ones"
    return Limit(value=half, how=how)


def _limit_of_good(good: Scores, overkill: float) -> Limit:
    logs = np.log(np.maximum(good, _LEAST))
    value = float(np.exp(np.median(logs) + _DEVIATIONS * _deviation(logs)))
    how = (
        f"median + {_DEVIATIONS:g} x {_MAD_TO_DEVIATION} x median absolute deviation "
        f"of the logarithms of the scores of {len(good)} good pictures"
    )
    allowed = max(1, int(overkill * len(good)))
    lowest = _exceeded_by(good, allowed)
    if value >= lowest * _JUST_ABOVE:
        return Limit(value=value, how=how)
    how = f"{how}; raised until at most {allowed} of them ({overkill:.3g}, or one) are at or above it"
    return Limit(value=lowest * _JUST_ABOVE, how=how)


def _exceeded_by(scores: Scores, count: int) -> float:
    """The highest score that a limit must lie above for no more than so many to reach it."""
    return float(np.sort(scores)[::-1][min(count, len(scores) - 1)])


def _deviation(values: Scores) -> float:
    """As the standard deviation of a normal distribution, whatever a few odd ones do."""
    return float(np.median(np.abs(values - np.median(values)))) * _MAD_TO_DEVIATION
