"""Scores of pictures under models that were made without them and their groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lineside.train.bank import SHARES, USUAL_SHARE, picture_score
from lineside.train.bank_choice import MIN_BAD, auroc, dealt
from lineside.train.bank_features import Planes

__all__ = ["Shown", "UnseenScores", "scores_unseen"]

_FOLDS: Final = 32

_TELLING: Final = 0.005
"""A gain in AUROC by less may be chance."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shown:
    """Codes (h, w, k) of the good pictures of train, stacked, and of val; and of bad ones, which are of train and of
    val and learned from in neither. `groups` and `bad_groups` are theirs.
    """

    good: Planes
    groups: Sequence[str]
    val_good: Sequence[Planes]
    bad: Sequence[Planes]
    bad_groups: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UnseenScores:
    """`held_out` are those of the good pictures of train, `good` these and those of val, `bad` those of the bad ones:
    the means of the highest `share` of places. `auroc` is of bad against good; a half where there are no bad ones.
    """

    share: float
    held_out: Scores
    good: Scores
    bad: Scores

    @property
    def auroc(self) -> float:
        return auroc(self.good, self.bad) if len(self.bad) else 0.5


def scores_unseen(
    shown: Shown, map_without: Callable[[NDArray[np.intp]], Callable[[Planes], Planes]], seed: int
) -> UnseenScores:
    """`map_without` makes a model without the good pictures of these numbers, and gives what turns codes into its map.

    `seed` deals the groups that are left out together. A bad picture of a part whose good ones were learned from is
    scored as if they had not been. The share of places is the usual one, unless another tells bad pictures
    clearly better.
    """
    folds = dealt(shown.groups, _FOLDS, seed)
    fold_of = {shown.groups[index]: number for number, fold in enumerate(folds) for index in fold}
    fold_of_bad = [fold_of.get(group, len(folds)) for group in shown.bad_groups]
    held_out, bad = (np.full((len(codes), len(SHARES)), np.nan) for codes in (shown.good, shown.bad))
    for number, fold in enumerate([*folds, np.zeros(0, np.intp)]):
        map_of = map_without(fold)
        for index in fold:
            held_out[index] = _by_share(map_of(shown.good[index]))
        for index, place in enumerate(fold_of_bad):
            if place == number:
                bad[index] = _by_share(map_of(shown.bad[index]))
    in_val = np.array([_by_share(map_of(codes)) for codes in shown.val_good], np.float64).reshape(-1, len(SHARES))
    good = np.concatenate([held_out, in_val])
    by_share = [
        UnseenScores(share=share, held_out=held_out[:, column], good=good[:, column], bad=bad[:, column])
        for column, share in enumerate(SHARES)
    ]
    usual = by_share[SHARES.index(USUAL_SHARE)]
    best = max(by_share, key=lambda scores: scores.auroc)
    return best if len(shown.bad) >= MIN_BAD and best.auroc >= usual.auroc + _TELLING else usual


def _by_share(cells: Planes) -> list[float]:
    return [picture_score(cells, share) for share in SHARES]
