"""Every threshold at once: areas against counting pairs, precision against its definition, bounds against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from lineside.statistics.ranking import area, area_bounds, average_precision, roc

GOOD = np.array([0.1, 0.2, 0.2, 0.35, 0.4, 0.8])
BAD = np.array([0.2, 0.4, 0.45, 0.9, np.inf])


def test_the_area_is_the_share_of_pairs_in_which_the_bad_part_scores_higher() -> None:
    pairs = [(bad > good) + 0.5 * (bad == good) for bad in BAD for good in GOOD]

    assert float(np.mean(pairs)) == pytest.approx(area(GOOD, BAD))


def test_each_point_of_the_curve_is_what_its_threshold_would_do() -> None:
    curve = roc(GOOD, BAD)
    for threshold, overkill, caught, precision in zip(
        curve.thresholds[1:], curve.overkill[1:], curve.caught[1:], curve.precision[1:], strict=True
    ):
        rejected_bad, rejected_good = (BAD >= threshold).sum(), (GOOD >= threshold).sum()

        assert (rejected_good / 6, rejected_bad / 5, rejected_bad / (rejected_bad + rejected_good)) == pytest.approx(
            (overkill, caught, precision)
        )


def test_the_trapezoids_under_the_curve_are_the_area() -> None:
    curve = roc(GOOD, BAD)

    assert area(GOOD, BAD) == pytest.approx(float(np.trapezoid(curve.caught, curve.overkill)))


def test_a_part_that_no_threshold_passes_is_caught_without_overkill() -> None:
    assert roc(GOOD, BAD).escapes_at(0.0) == pytest.approx(3 / 5)


def test_the_fewest_escapes_at_some_overkill_are_those_of_the_best_threshold_allowed() -> None:
    allowed = [t for t in (*GOOD, *BAD) if (GOOD >= t).mean() <= 1 / 6]

    assert min((BAD < t).mean() for t in allowed) == pytest.approx(roc(GOOD, BAD).escapes_at(1 / 6))


def test_average_precision_of_a_perfect_and_of_a_worked_example() -> None:
    assert average_precision(roc(np.array([0.0]), np.array([1.0, 2.0]))) == 1.0
    # Ranks from the top: bad, good, bad: precision 1 at the first, 2/3 at the second.
    assert (1 + 2 / 3) / 2 == pytest.approx(average_precision(roc(np.array([0.5]), np.array([0.9, 0.1]))))


def test_bounds_of_a_perfect_separation_are_not_a_certainty() -> None:
    few, many = area_bounds(1.0, 5, 5), area_bounds(1.0, 200, 200)

    assert (few.high, many.high) == (1.0, 1.0)
    assert few.low < 0.85
    assert many.low > 0.98


def test_bounds_of_the_opposite_ranking_are_mirrored() -> None:
    up, down = area_bounds(0.8, 20, 30), area_bounds(0.2, 20, 30)

    assert (1 - up.high, 1 - up.low) == pytest.approx((down.low, down.high))


@pytest.mark.parametrize(("distance", "good", "bad"), [(1.0, 20, 20), (2.5, 15, 10), (3.0, 50, 8)])
def test_bounds_hold_the_true_area_as_often_as_they_say(distance: float, good: int, bad: int) -> None:
    rng, true, studies = np.random.default_rng(1), float(norm.cdf(distance / np.sqrt(2))), 400

    def held() -> bool:
        bounds = area_bounds(area(rng.normal(0, 1, good), rng.normal(distance, 1, bad)), good, bad)
        return bounds.low <= true <= bounds.high

    assert sum(held() for _ in range(studies)) / studies > 0.92


@pytest.mark.parametrize(
    ("good", "bad"),
    [(np.array([]), BAD), (GOOD, np.array([])), (np.array([np.nan]), BAD)],
    ids=["no good", "no bad", "NaN"],
)
def test_what_has_no_ranking_is_refused(good: NDArray[np.float64], bad: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="expected"):
        area(good, bad)
