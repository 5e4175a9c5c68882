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
    """The pictures as the bank looks at them, each (C, H, W): the good ones of train with their groups, and val."""

    pixel_format: PixelFormat
    good: Sequence[Planes]
    groups: Sequence[str]
    val_good: Sequence[Planes]
    val_bad: Sequence[Planes]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trial:
    """What came of one candidate. Scores are in standard deviations, of pictures that were not seen.

    `held_out` are those of the good pictures of train, `good_scores` these and those of val, `bad_scores` those of the
    bad pictures of val. `auroc` is of bad against good; a half where there are no bad ones.
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
    mean, covariance = moments.mean_and_covariance(settings.reach, rows_alike=settings.rows_alike)
    precision = np.asarray(np.linalg.inv(covariance), np.float64)

    def scores_of(pictures: Sequence[Planes]) -> Scores:
        each = (picture_score(distances(book.codes(looked_at(planes)), mean, precision)) for planes in pictures)
        return np.fromiter(each, np.float64, len(pictures))

    held_out = held_out_scores(codes, dealt(seen.groups, _FOLDS, seed), settings)
    good_scores = np.concatenate([held_out, scores_of(seen.val_good)])
    bad_scores = scores_of(seen.val_bad)
    return Trial(
        settings=settings,
        book=book,
        moments=moments,
        held_out=held_out,
        good_scores=good_scores,
        bad_scores=bad_scores,
        auroc=auroc(good_scores, bad_scores) if len(bad_scores) else 0.5,
    )
