"""Gaussians at places: what is left out is left out, and what may be elsewhere is looked for there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.train.bank import USUAL_SHARE, distances
from lineside.train.bank_features import Planes
from lineside.train.places import FOUND, HELD, Moments, PlaceSettings, Slack, without
from lineside.train.unseen import Shown, scores_unseen

ALONE = PlaceSettings(own_share=0.3, reach=0)


def test_moments_without_some_pictures_are_those_of_the_others() -> None:
    codes = np.random.default_rng(2).normal(size=(7, 3, 4, 5)).astype(np.float32)
    near = PlaceSettings(own_share=0.3, reach=1)

    left, direct = Moments(codes).without(codes[[1, 4]]), Moments(codes[[0, 2, 3, 5, 6]])

    for one, other in zip(left.mean_and_covariance(near), direct.mean_and_covariance(near), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


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


@pytest.mark.parametrize("slack", [0, 1, 2])
def test_slack_compares_with_every_gaussian_so_far_away_and_with_no_other(slack: int) -> None:
    rows, columns, dimensions = 4, 6, 3
    rng = np.random.default_rng(4)
    codes, mean = rng.normal(size=(2, rows, columns, dimensions)).astype(np.float32)
    root = rng.normal(size=(rows, columns, dimensions, dimensions))
    precision = root @ root.swapaxes(-1, -2) + np.eye(dimensions)

    answers = _answers(codes, mean, precision, by_number := Slack(rows, columns, slack))
    nearest = by_number.nearest(answers).reshape(rows, columns)

    for row in range(rows):
        for column in range(columns):
            square = [
                (codes[row, column] - mean[y, x]) @ precision[y, x] @ (codes[row, column] - mean[y, x])
                for y in range(max(0, row - slack), min(rows, row + slack + 1))
                for x in range(max(0, column - slack), min(columns, column + slack + 1))
            ]
            assert nearest[row, column] == pytest.approx(min(square), rel=1e-5)


def _answers(codes: Planes, mean: Planes, precision: NDArray[np.float64], slack: Slack) -> NDArray[np.float64]:
    """(h * w, steps): every Gaussian's word on the codes around it."""
    dimensions = codes.shape[-1]
    away = codes.reshape(-1, dimensions)[slack.seen] - mean.reshape(-1, 1, dimensions)
    return np.einsum("psk,pkj,psj->ps", away, precision.reshape(-1, dimensions, dimensions), away)


def test_what_is_one_place_away_from_where_it_belongs_is_odd_without_slack_only() -> None:
    rng = np.random.default_rng(5)
    usual = rng.normal(scale=5, size=(12, 12, 4))
    good = (usual + rng.normal(scale=0.1, size=(30, 12, 12, 4))).astype(np.float32)
    shifted = np.roll(good[0], 1, axis=1)
    strange = good[0].copy()
    strange[5, 5] += 30
    mean, precision = without(good, Moments(good), np.zeros(0, np.intp), ALONE)

    def highest(codes: Planes, slack: int) -> float:
        return float(distances(codes, mean, precision, Slack(12, 12, slack))[3:-3, 3:-3].max())

    usually = highest(good[1], 0)
    assert highest(shifted, 0) > 5 * usually
    assert highest(shifted, 1) < 2 * usually
    assert highest(strange, 1) > 5 * usually, "what belongs nowhere near stays odd"


def test_only_parts_that_are_found_have_slack() -> None:
    assert (0, 2) == (HELD.slack, FOUND.slack)


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
