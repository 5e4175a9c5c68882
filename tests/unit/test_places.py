"""Gaussians at places: what is left out is left out, and what may be elsewhere is looked for there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.train.bank import distances
from lineside.train.bank_features import Planes
from lineside.train.places import FOUND, HELD, Moments, PlaceSettings, Slack, without

ALONE = PlaceSettings(own_share=0.3, reach=0)


def test_moments_without_some_pictures_are_those_of_the_others() -> None:
    codes = np.random.default_rng(2).normal(size=(7, 3, 4, 5)).astype(np.float32)
    near = PlaceSettings(own_share=0.3, reach=1)

    left, direct = Moments(codes).without(codes[[1, 4]]), Moments(codes[[0, 2, 3, 5, 6]])

    for one, other in zip(left.mean_and_covariance(near), direct.mean_and_covariance(near), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


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
