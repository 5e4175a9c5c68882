"""Scores by truth and over time, at a fixed cost in memory: counted on a fine grid of equal ratios."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lineside.reinspect.summary.document import Histogram, Period

__all__ = ["ScoresByTruth", "ScoresOverTime"]

_STEPS = 64
"""To a doubling: neighbouring grid lines are 1.1 % apart."""
_OCTAVES = 10
"""Scores from 1/1024 to 1024 of the threshold are told apart; what lies beyond counts as the nearest."""
_CELLS = 2 * _OCTAVES * _STEPS + 2
_EDGES = np.concatenate([[0.0], 2.0 ** (np.arange(_CELLS - 1) / _STEPS - _OCTAVES)])
"""Lower edge of each cell."""

_MINUTE_NS = 60 * 10**9
_LADDER = (
    ("minute", _MINUTE_NS),
    ("10 minutes", 10 * _MINUTE_NS),
    ("hour", 60 * _MINUTE_NS),
    ("day", 24 * 60 * _MINUTE_NS),
    ("week", 7 * 24 * 60 * _MINUTE_NS),
    ("4 weeks", 28 * 24 * 60 * _MINUTE_NS),
)
_MOST_PERIODS = 400
_FEWEST_PERIODS = 12
_FEWEST_SCORES = 20
"""A median of fewer scores says little: periods are made longer while the middle one has fewer."""
_BINS = 48
_HIGHEST_TOP = 5.0
"""Thresholds. What happens near the threshold matters; how far beyond it the clearest defects are does not."""

Counts = NDArray[np.int64]


def cells_of(scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """The grid cell of each score; scores must not be NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.floor((np.log2(scores) + _OCTAVES) * _STEPS) + 1
    return np.where(scores > 0, np.clip(steps, 0, _CELLS - 1), 0).astype(np.intp)


def quantile(counts: Counts, share: float) -> float | None:
    """The score below which that share lies; None without scores. Within a cell it is taken as evenly spread."""
    total = int(counts.sum())
    if not total:
        return None
    cumulated = np.cumsum(counts)
    cell = int(np.searchsorted(cumulated, share * total, side="left"))
    cell = min(max(cell, int(np.flatnonzero(counts)[0])), _CELLS - 1)
    before = int(cumulated[cell] - counts[cell])
    within = (share * total - before) / int(counts[cell])
    low = float(_EDGES[cell])
    high = float(_EDGES[cell + 1]) if cell + 1 < _CELLS else low
    return low + min(max(within, 0.0), 1.0) * (high - low)


class ScoresByTruth:
    """One candidate's scores of bad, good and unknown parts."""

    def __init__(self) -> None:
        self._counts = {truth: np.zeros(_CELLS, np.int64) for truth in ("good", "bad", "unknown")}

    def add(self, scores: NDArray[np.float64], bad: NDArray[np.bool_], good: NDArray[np.bool_]) -> None:
        """Scores of some parts; NaN is none."""
        told = ~np.isnan(scores)
        for truth, chosen in (("good", good), ("bad", bad), ("unknown", ~(good | bad))):
            self._counts[truth] += np.bincount(cells_of(scores[told & chosen]), minlength=_CELLS)

    def histogram(self) -> Histogram | None:
        """In bins of equal width, up to where nearly all scores are, but with the threshold well inside."""
        together = sum(self._counts.values(), start=np.zeros(_CELLS, np.int64))
        highest = quantile(together, 0.995)
        if highest is None:
            return None
        top = next(nice for nice in _nice_tops() if nice >= min(max(2.0, highest), _HIGHEST_TOP))
        edges = np.linspace(0, top, _BINS + 1)
        middles = np.append(np.sqrt(np.maximum(_EDGES[:-1], _EDGES[1] / 2) * _EDGES[1:]), _EDGES[-1])
        bins = np.clip((middles / top * _BINS).astype(np.intp), 0, _BINS - 1)
        binned = {
            truth: tuple(int(count) for count in np.bincount(bins, weights=counts, minlength=_BINS))
            for truth, counts in self._counts.items()
        }
        return Histogram(edges=tuple(float(edge) for edge in edges), **binned)


def _nice_tops() -> Iterator[float]:
    for exponent in range(5):
        yield from (step * 10.0**exponent for step in (1, 1.5, 2, 3, 4, 5, 6, 8))


@dataclass(eq=False)
class _Stretch:
    judged: int
    rejected: int
    counts: Counts

    def take(self, other: _Stretch) -> None:
        self.judged += other.judged
        self.rejected += other.rejected
        self.counts += other.counts


class ScoresOverTime:
    """One candidate's scores by minute; where that makes too many stretches of time, by longer ones."""

    def __init__(self) -> None:
        self._step = 0
        self._stretches: dict[int, _Stretch] = {}
        self.untimed = 0
        """Judged parts without a time."""

    def add(
        self,
        captured_utc_ns: NDArray[np.int64],
        scores: NDArray[np.float64],
        passes: NDArray[np.bool_],
        rejects: NDArray[np.bool_],
    ) -> None:
        """Some parts; those that are neither passed nor rejected were not judged and are left out."""
        judged = passes | rejects
        timed = judged & (captured_utc_ns > 0)
        self.untimed += int(judged.sum() - timed.sum())
        for span_utc_ns, chosen in self._spans(captured_utc_ns, timed):
            told = scores[chosen]
            told = told[~np.isnan(told)]
            fresh = _Stretch(
                judged=len(chosen),
                rejected=int(rejects[chosen].sum()),
                counts=np.bincount(cells_of(told), minlength=_CELLS),
            )
            # The ladder may have been climbed since this batch was taken apart.
            number = span_utc_ns // _LADDER[self._step][1]
            if number in self._stretches:
                self._stretches[number].take(fresh)
            else:
                self._stretches[number] = fresh
                if len(self._stretches) > _MOST_PERIODS:
                    self._coarsen()

    def periods(self) -> tuple[str, tuple[Period, ...]]:
        """The name of the period, and all periods that have parts, in order of time."""
        while self._step < len(_LADDER) - 1 and len(self._stretches) > _FEWEST_PERIODS and self._is_thin():
            self._coarsen()
        name, length_ns = _LADDER[self._step]
        return name, tuple(
            Period(
                from_utc_ns=number * length_ns,
                to_utc_ns=(number + 1) * length_ns,
                judged=stretch.judged,
                rejected=stretch.rejected,
                q05=quantile(stretch.counts, 0.05),
                q50=quantile(stretch.counts, 0.5),
                q95=quantile(stretch.counts, 0.95),
            )
            for number, stretch in sorted(self._stretches.items())
        )

    def _spans(
        self, captured_utc_ns: NDArray[np.int64], timed: NDArray[np.bool_]
    ) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """The start of each stretch of time in a batch, with the places of its parts."""
        places = np.flatnonzero(timed)
        length_ns = _LADDER[self._step][1]
        numbers = captured_utc_ns[places] // length_ns
        order = np.argsort(numbers, kind="stable")
        starts, firsts = np.unique(numbers[order], return_index=True)
        ends: Sequence[int] = [*firsts.tolist(), len(order)]
        for start, (first, end) in zip(starts.tolist(), pairwise(ends), strict=True):
            yield start * length_ns, places[order[first:end]]

    def _coarsen(self) -> None:
        """One rung up the ladder; beyond the last one stretches are as many as they are."""
        if self._step == len(_LADDER) - 1:
            return
        old_ns, self._step = _LADDER[self._step][1], self._step + 1
        merged: dict[int, _Stretch] = {}
        for number, stretch in self._stretches.items():
            longer = number * old_ns // _LADDER[self._step][1]
            if longer in merged:
                merged[longer].take(stretch)
            else:
                merged[longer] = stretch
        self._stretches = merged

    def _is_thin(self) -> bool:
        return float(np.median([stretch.judged for stretch in self._stretches.values()])) < _FEWEST_SCORES
