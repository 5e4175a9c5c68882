"""One candidate for a bank: fitted to good pictures, and scored on pictures that it had not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.train.bank import (
    BankSettings,
    CodeBook,
    distances,
    fit_codes,
)
from lineside.train.bank_features import Planes, features
from lineside.train.places import Moments, Slack, without
from lineside.train.unseen import Shown, UnseenScores, scores_unseen

__all__ = ["Seen", "Trial", "try_settings"]

_CODE_PICTURES: Final = 60
"""Pictures that the code book is made of; more change nothing in it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Seen:
    """The pictures as the bank looks at them, each (C, H, W): the good ones of train with their groups, and val.

    Bad ones are of train and of val, and learned from in neither; `bad_groups` are theirs.
    """

    pixel_format: PixelFormat
    good: Sequence[Planes]
    groups: Sequence[str]
    val_good: Sequence[Planes]
    bad: Sequence[Planes]
    bad_groups: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trial:
    """What came of one candidate. Scores are in standard deviations."""

    settings: BankSettings
    book: CodeBook
    moments: Moments
    scores: UnseenScores


def try_settings(settings: BankSettings, seen: Seen, seed: int) -> Trial:
    """Fits the candidate and scores what it had not seen; `seed` deals the groups that are left out together."""

    def looked_at(planes: Planes) -> Planes:
        return features(planes, seen.pixel_format, even_contrast=settings.even_contrast)

    good = [looked_at(planes) for planes in seen.good]
    book = fit_codes(good[:: math.ceil(len(good) / _CODE_PICTURES)], settings.dimensions)
    codes = np.stack([book.codes(each) for each in good])
    moments = Moments(codes)
    slack = Slack(codes.shape[1], codes.shape[2], settings.places.slack)

    def map_without(left_out: NDArray[np.intp]) -> Callable[[Planes], Planes]:
        mean, precision = without(codes, moments, left_out, settings.places)
        return lambda codes: distances(codes, mean, precision, slack)

    shown = Shown(
        good=codes,
        groups=seen.groups,
        val_good=[book.codes(looked_at(planes)) for planes in seen.val_good],
        bad=[book.codes(looked_at(planes)) for planes in seen.bad],
        bad_groups=seen.bad_groups,
    )
    scores = scores_unseen(shown, map_without, seed)
    return Trial(settings=replace(settings, top_share=scores.share), book=book, moments=moments, scores=scores)
