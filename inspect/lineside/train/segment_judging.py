"""How pictures that were not learned from are judged: which share of places counts, and where the limit lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineside.train.bank_choice import MIN_BAD, Limit, limit_of, lowered
from lineside.train.bank_features import Planes
from lineside.train.segment_scores import SHARES, USUAL_SHARE, Scores, auroc_of, picture_scores

__all__ = ["Judging", "judged"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Judging:
    """`share` of the places make a picture's score, `limit` is where bad ones begin. `compared` has the AUROC of each
    share, empty where there was nothing to compare by. Scores are in units of strength.
    """

    share: float
    limit: Limit
    compared: dict[str, float]
    good_scores: Scores
    bad_scores: Scores


def judged(
    good: Sequence[Planes], bad: Sequence[Planes], painted: Sequence[Planes], seen: Sequence[Planes], overkill: float
) -> Judging:
    """From maps of logits: good and bad pictures that were not learned from, `painted` ones in place of bad ones to
    choose the share by, and to hold the limit down, where these are too few, and good ones that were `seen` in
    training: no limit rejects more than the share `overkill` of them.
    """
    by = bad if len(bad) >= MIN_BAD else painted
    compared: dict[str, float] = {}
    if len(by) and len(good):
        kinds = [False] * len(good) + [True] * len(by)
        for share in SHARES:
            compared[f"{share:g}"] = auroc_of(picture_scores([*good, *by], share), kinds)
    share = max(SHARES, key=lambda each: (round(compared.get(f"{each:g}", 0.0), 3), each == USUAL_SHARE))
    good_scores, bad_scores, known = (picture_scores(maps, share) for maps in (good, bad, seen))
    limit = limit_of(good_scores, bad_scores, overkill)
    if len(bad) < MIN_BAD and len(painted):
        limit = lowered(limit, good_scores, picture_scores(painted, share), overkill)
    lowest = float(np.quantile(known, 1 - overkill, method="higher")) if known.size else 0.0
    if limit.value <= lowest:
        limit = Limit(
            value=float(np.nextafter(lowest, np.inf)) * 1.05,
            how=f"{limit.how}; raised until at most {overkill:.3g} of {known.size} good pictures of train are at or "
            "above it",
        )
    return Judging(share=share, limit=limit, compared=compared, good_scores=good_scores, bad_scores=bad_scores)
