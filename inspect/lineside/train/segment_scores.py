"""From maps of logits to one score for a picture, and how well scores and maps tell bad from good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.train.bank_choice import auroc
from lineside.train.bank_features import Planes
from lineside.train.defects import Levels

__all__ = ["SHARES", "USUAL_SHARE", "Scores", "Seen", "auroc_of", "best_f1", "picture_scores", "strength", "top_count"]

SHARES: Final = (0.0005, 0.002, 0.01, 0.05)
"""A picture's score is the mean strength of one of these shares of its places, the highest."""

USUAL_SHARE: Final = 0.002
_BINS: Final = 400
_LOGITS: Final = 12.0

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Seen:
    """A picture that is not learned from: `planes` (C, H, W), whether it is good, and the mask (H, W) of its defects,
    all False for a good one and None where it is not known.
    """

    planes: Levels
    good: bool
    mask: NDArray[np.bool_] | None


def strength(logits: Planes) -> Planes:
    """log(1 + e^logit): 0 for a sure no, and without an upper end, so that two sure places still differ."""
    return np.asarray(np.logaddexp(0, logits), np.float32)


def top_count(places: int, share: float) -> int:
    """How many places a picture's score is the mean of."""
    return max(1, math.ceil(places * share))


def picture_scores(maps: Sequence[Planes], share: float = USUAL_SHARE) -> Scores:
    """The mean of the strongest places of each map (h, w) of logits."""
    scores = []
    for logits in maps:
        count = top_count(logits.size, share)
        scores.append(float(strength(np.partition(logits.ravel(), -count)[-count:]).mean()))
    return np.array(scores, np.float64)


def auroc_of(scores: Scores, bad: Sequence[bool]) -> float:
    """NaN where one of the kinds is missing."""
    which = np.array(bad, np.bool_)
    return auroc(scores[~which], scores[which]) if which.any() and not which.all() else math.nan


def best_f1(maps: Sequence[Planes], masks: Sequence[NDArray[np.bool_] | None]) -> float:
    """The best F1 of pixels over all limits, on pictures whose masks are known; NaN without a defect."""
    defect, other = np.zeros(_BINS), np.zeros(_BINS)
    for logits, mask in zip(maps, masks, strict=True):
        if mask is None:
            continue
        height, width = logits.shape
        small = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) >= 0.5
        places = np.clip((logits + _LOGITS) / (2 * _LOGITS) * _BINS, 0, _BINS - 1).astype(int)
        defect += np.bincount(places[small], minlength=_BINS)
        other += np.bincount(places[~small], minlength=_BINS)
    if not defect.sum():
        return math.nan
    hit, wrong = defect[::-1].cumsum(), other[::-1].cumsum()
    return float((2 * hit / (hit + wrong + defect.sum())).max())
