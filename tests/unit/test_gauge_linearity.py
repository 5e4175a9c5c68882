"""Bias, linearity and control limits: the textbook's figures."""

from __future__ import annotations

import numpy as np
import pytest
from gauge_examples import CROSSED, LINEARITY

from lineside.statistics.control_limits import xbar_r
from lineside.statistics.linearity import bias, linearity


def test_the_aiag_example_gives_the_published_line():
    """bias = 0.736667 - 0.131667 x reference, s = 0.23954, R² = 71.4 %, t = -12.043 and 10.158."""
    found = linearity(LINEARITY)

    assert -0.131667 == pytest.approx(found.slope.value, abs=5e-7)
    assert 0.736667 == pytest.approx(found.intercept.value, abs=5e-7)
    assert 0.23954 == pytest.approx(found.residual, abs=5e-6)
    assert 0.714 == pytest.approx(found.r_squared, abs=5e-4)
    assert (-12.043, 10.158) == pytest.approx((found.slope.t, found.intercept.t), abs=5e-4)
    assert (0.591, 0.882) == pytest.approx((found.intercept.low, found.intercept.high), abs=1e-3)
    assert (-0.154, -0.110) == pytest.approx((found.slope.low, found.slope.high), abs=1e-3)
    assert not found.is_linear
    assert found.words.startswith("The bias changes with the size: by \N{MINUS SIGN}0.132 for each unit")


def test_the_aiag_example_gives_the_published_biases():
    found = linearity(LINEARITY)

    assert [0.491667, 0.125, 0.025, -0.29167, -0.61667] == pytest.approx([each.mean for each in found.biases], abs=5e-6)
    assert -0.0533 == pytest.approx(found.mean_bias.mean, abs=5e-5)
    assert [True, False, False, True, True] == [each.is_significant for each in found.biases]
    assert "no bias is shown" in found.biases[1].words


def test_the_band_of_the_line_is_narrowest_in_the_middle():
    found = linearity(LINEARITY)
    low, value, high = found.band(6.0)

    assert found.intercept.value + 6 * found.slope.value == pytest.approx(value)
    assert high - low < found.band(2.0)[2] - found.band(2.0)[0]


def test_known_bias_lies_within_its_bounds_as_often_as_said():
    rng = np.random.default_rng(3)
    held = [each.low <= 0.2 <= each.high for each in (bias(list(rng.normal(0.2, 1.0, 8))) for _ in range(800))]

    assert 0.93 <= np.mean(held) <= 0.97


def test_a_gauge_that_is_always_right_shows_no_bias():
    """No spread at all is no division by zero."""
    assert 1.0 == bias([0.0, 0.0, 0.0]).p
    assert 0.0 == bias([0.25, 0.25, 0.25]).p


def test_two_references_are_no_line():
    with pytest.raises(ValueError, match="at least three"):
        linearity({1.0: [1.0, 1.1], 2.0: [2.0, 2.1]})


def test_the_aiag_example_gives_the_published_ranges():
    """Mean range 0.3417, upper limit 0.88."""
    charts = xbar_r(CROSSED)

    assert 0.3417 == pytest.approx(charts.range, abs=5e-5)
    assert charts.range_limits is not None
    assert 0.88 == pytest.approx(charts.range_limits[1], abs=5e-3)
    assert 1 == charts.ranges_outside
    assert charts.averages_outside is not None
    assert charts.averages_outside > 15


def test_more_repeats_than_are_tabled_leave_the_charts_without_limits():
    charts = xbar_r(np.random.default_rng(1).normal(size=(3, 2, 11)))

    assert charts.average_limits is None
    assert charts.ranges_outside is None
