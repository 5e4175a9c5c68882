"""Is the score map high where the mask says that the defect is? Counted pixel by pixel, in a memory that does not grow.

Scores are compared by their sign, exponent and first 11 bits behind the point (a step of 0.05 %): pixels within one
step count as tied. AUROC of pixels, best F1, and per-region overlap (PRO) as the mean over defect regions of the share
that is found, against the share of false positive pixels, averaged from 0 to 30 % of the latter: P. Bergmann et al.,
"The MVTec anomaly detection dataset", International Journal of Computer Vision 129 (2021) 1038-1059.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import ScoreMap
from lineside.imaging.heat_map import scores_over

__all__ = ["PixelTally", "Pixels", "regions_of"]

MAX_FALSE_POSITIVES: Final = 0.3
_DROPPED_BITS: Final = 12
_BINS: Final = 1 << (32 - _DROPPED_BITS)

Mask = NDArray[np.bool_]
"""(h, w), true where the defect is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pixels:
    """What the tally tells; `regions` is the number of connected places in the masks."""

    auroc: float
    aupro: float
    best_f1: float
    best_f1_threshold: float
    f1_at_threshold: float
    regions: int


class PixelTally:
    """Counts good and defective pixels by their score."""

    def __init__(self) -> None:
        self._good = np.zeros(_BINS)
        self._bad = np.zeros(_BINS)
        self._overlap = np.zeros(_BINS)
        self._regions = 0

    def add(self, maps: tuple[ScoreMap, ...], mask: Mask | None, size_px: tuple[int, int]) -> None:
        """One picture of that width and height; a good one has no mask. Places that no map covers do not count."""
        scores = scores_over(maps, size_px)
        covered = np.isfinite(scores)
        bins = _bin_of(scores)
        _count(self._good, bins.ravel() if covered.all() else bins[covered], 1)
        if mask is None or not mask.any():
            return
        found = bins[covered & mask]
        _count(self._good, found, -1)
        _count(self._bad, found, 1)
        for region in regions_of(mask):
            inside = bins[covered & region]
            if inside.size:
                np.add.at(self._overlap, inside, 1 / inside.size)
                self._regions += 1

    def told(self, threshold: float) -> Pixels | None:
        """The figures; None when there are not both good and defective pixels."""
        if not self._good.any() or not self._bad.any():
            return None
        used = np.flatnonzero(self._good + self._bad)[::-1]  # from the highest score downwards
        false, true = np.cumsum(self._good[used]), np.cumsum(self._bad[used])
        false_rate, found = _from_nothing(false / false[-1]), _from_nothing(true / true[-1])
        f1 = 2 * true / (true + false + true[-1])
        best = int(np.argmax(f1))
        reached = int(np.searchsorted(-used, -int(_bin_of(np.array([threshold], np.float32))[0]), "right"))
        overlap = _from_nothing(np.cumsum(self._overlap[used]) / self._regions)
        return Pixels(
            auroc=float(np.trapezoid(found, false_rate)),
            aupro=_area_up_to(false_rate, overlap, MAX_FALSE_POSITIVES) / MAX_FALSE_POSITIVES,
            best_f1=float(f1[best]),
            best_f1_threshold=float(_score_of(used[best : best + 1])[0]),
            f1_at_threshold=float(f1[reached - 1]) if reached else 0.0,
            regions=self._regions,
        )


def regions_of(mask: Mask) -> list[Mask]:
    """The connected places of a mask (sides or corners touch), each as a mask of the same size."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return [labels == label for label in range(1, count)]


def _count(counts: NDArray[np.float64], bins: NDArray[np.intp], sign: int) -> None:
    seen = np.bincount(bins)
    counts[: len(seen)] += sign * seen


def _from_nothing(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], shares])


def _area_up_to(x: NDArray[np.float64], y: NDArray[np.float64], end: float) -> float:
    """Below the line through the points, from 0 to `end`."""
    inside = x <= end
    edge = float(np.interp(end, x, y))
    return float(np.trapezoid(np.append(y[inside], edge), np.append(x[inside], end)))


def _bin_of(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Bins in the order of the scores, negative ones included: the bits of a float, made to count upwards."""
    bits = np.ascontiguousarray(scores, np.float32).view(np.uint32)
    ordered = bits | np.uint32(1 << 31)
    negative = np.signbit(scores)
    if negative.any():
        ordered[negative] = ~bits[negative]
    ordered >>= _DROPPED_BITS
    return ordered.astype(np.intp)


def _score_of(bins: NDArray[np.intp]) -> NDArray[np.float32]:
    """The lowest score of each bin."""
    ordered = (bins.astype(np.uint64) << _DROPPED_BITS).astype(np.uint32)
    bits = np.where(ordered >> 31 == 1, ordered & np.uint32((1 << 31) - 1), ~ordered)
    return np.ascontiguousarray(bits, np.uint32).view(np.float32)
