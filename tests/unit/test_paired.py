"""A against B on the same parts: published figures, the stated error rate, and what is told of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lineside.statistics.paired import compare, difference


def test_the_published_example_comes_out() -> None:
    """Airway hyper-responsiveness before and after stem cell transplantation, 21 children: 1 and 7 differ.

    M. W. Fagerland, S. Lydersen, P. Laake, BMC Medical Research Methodology 13 (2013) 91: exact conditional p 0.0703,
    mid-p 0.0391. Bounds by hand after Bonett and Price: (2 - 8) / 23 +- 1.96 sqrt((10/23 - (6/23)^2) / 23).
    """
    told = compare(1, 7, 21)
    apart = difference(7, 1, 21)

    assert (0.0703, 0.0391) == (round(told.p_exact, 4), round(told.p_mid, 4))
    assert told.odds == 7
    assert (-0.508, -0.013) == (round(apart.low, 3), round(apart.high, 3))
    assert round(apart.value, 3) == -0.286


def test_another_published_example_comes_out() -> None:
    """Complete response before and after consolidation therapy, 161 patients: 6 and 16 differ.

    The same paper's second example (Cavo et al. 2012): exact conditional p 0.0525, mid-p 0.0347.
    """
    told = compare(6, 16, 161)

    assert (0.0525, 0.0347) == (round(told.p_exact, 4), round(told.p_mid, 4))


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 5), (3, 11), (400, 330)])
def test_neither_is_first(only_a: int, only_b: int) -> None:
    there, back = compare(only_a, only_b, 1000), compare(only_b, only_a, 1000)

    assert (there.p_exact, there.p_mid) == (back.p_exact, back.p_mid)
    assert 0 < there.p_mid <= there.p_exact <= 1
    assert difference(only_a, only_b, 1000).low == pytest.approx(-difference(only_b, only_a, 1000).high)


@pytest.mark.parametrize(("parts", "apart"), [(40, 0.3), (500, 0.05)])
def test_where_neither_is_better_the_tests_cry_wolf_no_more_often_than_they_say(parts: int, apart: float) -> None:
    random = np.random.default_rng(parts)
    drawn = random.multinomial(parts, [apart / 2, apart / 2, 1 - apart], size=1500)
    told = [compare(int(a), int(b), parts) for a, b, _ in drawn]
    spare = 3 * (0.05 * 0.95 / len(told)) ** 0.5

    assert np.mean([each.p_exact < 0.05 for each in told]) <= 0.05 + spare
    assert 0.01 < np.mean([each.is_significant for each in told]) <= 0.05 + spare


@pytest.mark.parametrize(("only_a", "only_b", "parts"), [(0.02, 0.05, 150), (0.001, 0.004, 3000), (0.3, 0.1, 30)])
def test_bounds_of_the_difference_hold_it_about_as_often_as_they_say(only_a: float, only_b: float, parts: int) -> None:
    drawn = np.random.default_rng(parts).multinomial(parts, [only_a, only_b, 1 - only_a - only_b], size=1500)
    found = [difference(int(a), int(b), parts) for a, b, _ in drawn]

    assert np.mean([each.low <= only_b - only_a <= each.high for each in found]) >= 0.935


def test_it_is_told_what_it_means() -> None:
    assert compare(2, 30, 5000, a="A", b="B", what="judged rightly").words == (
        "Of 5,000 parts, 30 were judged rightly by B alone and 2 by A alone: B does so more often than A, and that is"
        " hardly an accident (chance alone shows such a difference in less than 0.1 % of cases)."
    )
    assert "may well be chance, which shows such a difference in 45 % of cases" in compare(2, 4, 50).words
    assert compare(0, 0, 12).words == "A and B never differ on 12 parts."


def test_odds_without_an_upper_bound_are_told_as_such() -> None:
    told = compare(0, 9, 100)

    assert told.odds is None
    assert math.isinf(told.odds_high)
    assert told.odds_low > 1


@pytest.mark.parametrize(("only_a", "only_b", "of"), [(-1, 2, 5), (3, 3, 5)])
def test_counts_that_cannot_be_are_refused(only_a: int, only_b: int, of: int) -> None:
    for tell in (compare, difference):
        with pytest.raises(ValueError, match="expected"):
            tell(only_a, only_b, of)
