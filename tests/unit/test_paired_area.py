"""Two areas under the ROC on the same parts: their difference, and bounds that hold."""

import numpy as np
import pytest

from lineside.statistics.paired_area import area_difference
from lineside.statistics.ranking import area


def scores(seed: int, noise: float, good: int = 40, bad: int = 30) -> tuple:
    """Good parts around 0 and bad ones around 1.5, by A and by B, who sees the same through other noise."""
    random = np.random.default_rng(seed)
    parts = random.normal(0, 1, good), random.normal(1.5, 1, bad)
    return tuple((each, each + random.normal(0, noise, len(each))) for each in parts)


def test_both_areas_are_those_of_each_alone() -> None:
    good, bad = scores(0, 1.0)
    found = area_difference(good, bad)

    assert found.a == pytest.approx(area(good[0], bad[0]))
    assert found.b == pytest.approx(area(good[1], bad[1]))
    assert found.value == pytest.approx(found.b - found.a)
    assert found.low < found.value < found.high


def test_a_worked_example() -> None:
    """Wins of A: 1, 1 and 1, 0; of B all. Differences 0, 0, 0, 1: by bad part 0 and 1/2, by good part 0 and 1/2."""
    good = (np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    bad = (np.array([4.0, 2.0]), np.array([4.0, 2.0]))
    found = area_difference(good, bad)

    assert (found.a, found.b, found.value) == (0.75, 1.0, 0.25)
    # Each side's variance is 1/8, over 2 parts: 1/8 in all.
    assert found.high == pytest.approx(0.25 + 1.959964 * np.sqrt(0.125))


def test_the_bounds_hold_as_often_as_they_say() -> None:
    """Detectors that are equally good in truth: 0 lies within the 95 % bounds in about 95 of 100 trials."""
    held = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        good, bad = (
            tuple(part + random.normal(0, 0.7, len(part)) for _ in "AB")
            for part in (random.normal(0, 1, 40), random.normal(1.5, 1, 30))
        )
        found = area_difference((good[0], good[1]), (bad[0], bad[1]))
        held += found.low <= 0 <= found.high
    assert 0.91 <= held / 300 <= 0.99


def test_an_unchanged_order_is_told_apart_from_certainty() -> None:
    good, bad = scores(1, 0.0)
    found = area_difference(good, bad)

    assert found.same_order
    assert (found.low, found.high) == (0.0, 0.0)


def test_scores_of_other_parts_or_of_one_alone_are_refused() -> None:
    one = np.array([1.0])
    with pytest.raises(ValueError, match="two or more"):
        area_difference((one, one), (one, one))
