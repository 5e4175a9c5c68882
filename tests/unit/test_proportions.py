"""Exact bounds of a rate are the published ones, and hold the true rate as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.statistics.proportions import at_least, at_most, between, parts_to_show
from lineside.statistics.wording import percent, points, points_between, probability


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven methods",
        # Statistics in Medicine 17 (1998) 857-872, table I, method 5 (Clopper-Pearson), 95 %.
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0000, 0.1684),
        (1, 29, 0.0009, 0.1776),
        # W. J. Conover, Practical Nonparametric Statistics, 3rd ed. (1999), table A4, 95 %.
        (5, 25, 0.068, 0.407),
    ],
)
def test_two_sided_bounds_are_the_published_ones(count: int, of: int, low: float, high: float) -> None:
    rate = between(count, of)
    places = 3 if of == 25 else 4

    assert (low, high) == (round(rate.low, places), round(rate.high, places))


@pytest.mark.parametrize(
    ("parts", "rate", "allowed", "confidence"),
    [
        # The success-run theorem, n = ln(1 - C) / ln(R): 59 parts for 95/95, 22 for 90/90, 299 for 99/95 and so on,
        # as in any table of zero-failure tests; W. Q. Meeker, G. J. Hahn, L. A. Escobar, Statistical Intervals, 2nd ed.
        (59, 0.05, 0, 0.95),
        (22, 0.10, 0, 0.90),
        (299, 0.01, 0, 0.95),
        (2995, 0.001, 0, 0.95),
        # The same with failures: the classic 95/95 sampling sizes 93, 124, 153 for 1, 2, 3 (S. S. Wilks, "Determination
        # of sample sizes for setting tolerance limits", Annals of Mathematical Statistics 12 (1941) 91-96).
        (93, 0.05, 1, 0.95),
        (124, 0.05, 2, 0.95),
        (153, 0.05, 3, 0.95),
        (473, 0.01, 1, 0.95),
    ],
)
def test_how_many_parts_show_a_rate_is_the_published_figure(
    parts: int, rate: float, allowed: int, confidence: float
) -> None:
    assert parts == parts_to_show(rate, allowed=allowed, confidence=confidence)


@pytest.mark.parametrize("allowed", [0, 1, 7])
@pytest.mark.parametrize("rate", [0.5, 0.03, 0.0004])
def test_one_part_fewer_would_not_show_it(rate: float, allowed: int) -> None:
    parts = parts_to_show(rate, allowed=allowed)

    assert at_most(allowed, parts).high <= rate < at_most(allowed, parts - 1).high


@pytest.mark.parametrize("of", [1, 9, 60, 400])
@pytest.mark.parametrize("true_rate", [0.004, 0.1, 0.5, 0.93])
def test_bounds_hold_the_true_rate_at_least_as_often_as_they_say(of: int, true_rate: float) -> None:
    drawn = np.random.default_rng(of).binomial(of, true_rate, size=2000)
    held = {count: between(int(count), of) for count in set(drawn.tolist())}
    caught = np.mean([held[count].low <= true_rate <= held[count].high for count in drawn.tolist()])
    above = np.mean([at_most(count, of).high >= true_rate for count in drawn.tolist()[:200]])

    assert caught >= 0.95 - 3 * (0.05 * 0.95 / 2000) ** 0.5  # three standard errors of the simulation
    assert above >= 0.95 - 3 * (0.05 * 0.95 / 200) ** 0.5


def test_one_sided_bounds_are_nearer_than_two_sided_ones() -> None:
    both = between(7, 200)

    assert at_most(7, 200).high < both.high
    assert at_least(7, 200).low > both.low
    assert (0.0, 1.0) == (at_most(7, 200).low, at_least(7, 200).high)


def test_nothing_looked_at_says_that_nothing_is_known() -> None:
    rate = between(0, 0)

    assert (None, 0.0, 1.0) == (rate.rate, rate.low, rate.high)
    assert rate.words == "None was looked at, so nothing is known of the rate."


def test_a_rate_is_told_in_one_sentence() -> None:
    assert between(2, 9).words == "2 of 9 (22 %); with 95 % confidence the true rate is 2.8 % to 61 %."
    assert between(0, 1_000_000).words == (
        "0 of 1,000,000 (0 %); with 95 % confidence the true rate is at most 0.00037 %."
    )
    assert between(20, 20).bounds == "at least 83 %"


@pytest.mark.parametrize(("count", "of", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0), (1, 5, 0.0)])
def test_counts_that_cannot_be_are_refused(count: int, of: int, confidence: float) -> None:
    for bound in (between, at_most, at_least):
        with pytest.raises(ValueError, match="expected"):
            bound(count, of, confidence=confidence)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_a_rate_that_no_number_of_parts_can_show_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        parts_to_show(rate)


@pytest.mark.parametrize(
    ("share", "up", "words"),
    [
        (0.0, None, "0 %"),
        (1.0, None, "100 %"),
        (0.00421, None, "0.42 %"),
        (0.5, None, "50 %"),
        (0.9996, None, "99.96 %"),
        (0.16843, True, "17 %"),
        (0.16843, False, "16 %"),
        (0.0299, True, "3 %"),
        (1e-9, True, "0.0000001 %"),
    ],
)
def test_a_share_is_told_in_figures_that_count(share: float, up: bool | None, words: str) -> None:
    assert words == percent(share, up=up)


def test_bounds_that_lie_close_are_told_with_more_figures() -> None:
    assert points_between(0.001, 0.02) == "+0.1 to +2 points"
    assert points_between(0.0198, 0.0202) == "+1.98 to +2.02 points"
    assert points_between(0.0, 0.0) == "0 to 0 points"


def test_differences_and_probabilities_are_told_as_people_write_them() -> None:
    assert [points(value) for value in (0.004, -0.0123, 0.0, 0.31)] == [
        "+0.4 points",
        "\N{MINUS SIGN}1.2 points",
        "0 points",
        "+31 points",
    ]
    assert [probability(value) for value in (0.0001, 0.039, 0.7)] == ["below 0.001", "0.039", "0.70"]
