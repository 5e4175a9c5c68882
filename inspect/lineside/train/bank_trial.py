"""One candidate for a bank: fitted to good pictures, and scored on pictures that it had not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.train.bank import (
    BankSettings,
    CodeBook,
    Moments,
    distances,
    fit_codes,
    held_out_scores,
    picture_score,
    without,
)
from lineside.train.bank_choice import auroc, dealt
from lineside.train.bank_features import Planes, features

__all__ = ["Seen", "Trial", "try_settings"]

_CODE_PICTURES: Final = 60
"""Pictures that the code book is made of; more change nothing in it."""
_FOLDS: Final = 32

Scores = NDArray[np.float64]


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
    """What came of one candidate. Scores are in standard deviations, of pictures that were not seen.

    `held_out` are those of the good pictures of train, `good_scores` these and those of val, `bad_scores` those of the
    bad pictures. `auroc` is of bad against good; a half where there are no bad ones.
    """

    settings: BankSettings
    book: CodeBook
    moments: Moments
    held_out: Scores
    good_scores: Scores
    bad_scores: Scores
    auroc: float


def try_settings(settings: BankSettings, seen: Seen, seed: int) -> Trial:
    """Fits the candidate and scores what it had not seen; `seed` deals the groups that are left out together."""

    def looked_at(planes: Planes) -> Planes:
        return features(planes, seen.pixel_format, even_contrast=settings.even_contrast)

    good = [looked_at(planes) for planes in seen.good]
    book = fit_codes(good[:: math.ceil(len(good) / _CODE_PICTURES)], settings.dimensions)
    codes = np.stack([book.codes(each) for each in good])
    moments = Moments(codes)
    mean, precision = without(codes, moments, np.zeros(0, np.intp), settings)

    def score_of(planes: Planes) -> float:
        return picture_score(distances(book.codes(looked_at(planes)), mean, precision))

    folds = dealt(seen.groups, _FOLDS, seed)
    held_out = held_out_scores(codes, folds, settings)
    good_scores = np.concatenate([held_out, [score_of(planes) for planes in seen.val_good]])
    bad_scores = np.array([score_of(planes) for planes in seen.bad])
    # A bad picture of a part whose good ones were learned from is scored as if they had not been.
    known = {seen.groups[index]: fold for fold, members in enumerate(folds) for index in members}
    places = [known.get(group) for group in seen.bad_groups]
    for fold in sorted({place for place in places if place is not None}):
        mean, precision = without(codes, moments, folds[fold], settings)
        for index, place in enumerate(places):
            if place == fold:
                bad_scores[index] = score_of(seen.bad[index])
    return Trial(
        settings=settings,
        book=book,
        moments=moments,
        held_out=held_out,
        good_scores=good_scores,
        bad_scores=bad_scores,
        auroc=auroc(good_scores, bad_scores) if len(bad_scores) else 0.5,
    )
