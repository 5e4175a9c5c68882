"""Scores of pictures that a model has not seen: who is left out together, and which places make a score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.train.bank import USUAL_SHARE, distances
from lineside.train.bank_features import Planes
from lineside.train.places import Moments, PlaceSettings, Slack, without
from lineside.train.unseen import Shown, scores_unseen

ALONE = PlaceSettings(own_share=0.3, reach=0)


def test_a_picture_scores_higher_where_it_was_left_out() -> None:
    """Otherwise the limit would be set on pictures that the model knows."""
    codes = np.random.default_rng(3).normal(size=(20, 6, 6, 8)).astype(np.float32)
    moments = Moments(codes)

    def map_without(left_out: NDArray[np.intp]) -> Callable[[Planes], Planes]:
        mean, precision = without(codes, moments, left_out, ALONE)
        return lambda codes: distances(codes, mean, precision, Slack(6, 6, 0))

    names = [str(index) for index in range(20)]
    shown = Shown(good=codes, groups=names, val_good=codes, bad=codes, bad_groups=names)
    scores = scores_unseen(shown, map_without, seed=0)
    known = scores.good[20:]

    assert scores.held_out.mean() > known.mean()
    np.testing.assert_array_equal(scores.held_out, scores.good[:20])
    np.testing.assert_array_equal(scores.held_out, scores.bad, "bad ones of a known group are scored without it")


def test_bad_pictures_of_unknown_parts_are_scored_by_all_good_ones() -> None:
    codes = np.random.default_rng(3).normal(size=(6, 2, 2, 4)).astype(np.float32)
    asked: list[int] = []

    def map_without(left_out: NDArray[np.intp]) -> Callable[[Planes], Planes]:
        asked.append(len(left_out))
        return lambda codes: np.full((2, 2), len(left_out), np.float32)

    shown = Shown(good=codes[:4], groups=["a", "a", "b", "c"], val_good=[], bad=codes[4:], bad_groups=["a", "other"])
    scores = scores_unseen(shown, map_without, seed=0)

    assert [2, 2, 1, 1] == scores.held_out.tolist()
    assert [2, 0] == scores.bad.tolist()
    assert [0, 1, 1, 2] == sorted(asked)


def _shown_as(maps: Planes, bad: Planes) -> tuple[Shown, Callable[[NDArray[np.intp]], Callable[[Planes], Planes]]]:
    """Pictures whose maps are what they are, whatever was learned."""
    names = [str(index) for index in range(len(maps))]
    bad_names = [f"bad {index}" for index in range(len(bad))]
    return Shown(good=maps, groups=names, val_good=[], bad=bad, bad_groups=bad_names), lambda _: lambda shown: shown


@pytest.mark.parametrize(("bad_pictures", "wanted"), [(12, 0.1), (4, USUAL_SHARE), (0, USUAL_SHARE)])
def test_bad_pictures_choose_how_many_places_make_a_score(bad_pictures: int, wanted: float) -> None:
    """Good ones have some odd places, bad ones are a little odd over a tenth of the picture."""
    rng = np.random.default_rng(6)
    maps = rng.uniform(0, 1, (20 + bad_pictures, 50, 40)).astype(np.float32)
    maps[:, :3, :10] += rng.uniform(0, 3, (len(maps), 1, 1)).astype(np.float32)
    maps[20:, 20:30, :20] += 0.6

    scores = scores_unseen(*_shown_as(maps[:20], maps[20:]), seed=0)

    assert wanted == scores.share
    assert scores.good.shape == (20,) and scores.bad.shape == (bad_pictures,)
    assert not np.isnan([*scores.good, *scores.bad]).any()


def test_a_gain_that_may_be_chance_chooses_nothing() -> None:
    maps = np.random.default_rng(7).uniform(0, 1, (40, 50, 40)).astype(np.float32)
    maps[20:, 20:24, :20] += 3

    assert USUAL_SHARE == scores_unseen(*_shown_as(maps[:20], maps[20:]), seed=0).share
