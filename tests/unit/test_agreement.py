"""Kappa: published examples, and bounds that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from gauge_examples import CROSS_TABLES, SUBJECTS_BY_CATEGORY, rated

from lineside.statistics.agreement import cohen, fleiss


@pytest.mark.parametrize("who", CROSS_TABLES)
def test_the_aiag_cross_tables_give_the_published_kappas(who):
    table, published = CROSS_TABLES[who]

    assert published == pytest.approx(cohen(*rated(table)).value, abs=5e-3)


def test_the_bounds_of_a_published_kappa_are_as_wide_as_its_published_error():
    """J. L. Fleiss, "Statistical Methods for Rates and Proportions" (1981), table 13.1: 0.68, standard error 0.087."""
    kappa = cohen(*rated(((75, 1, 4), (5, 4, 1), (0, 0, 10))))

    assert 0.68 == pytest.approx(kappa.value, abs=5e-3)
    assert 2 * 1.984 * 0.087 == pytest.approx(kappa.high - kappa.low, rel=0.06)


def test_the_worked_example_of_many_raters_gives_its_kappa():
    ratings = [[word for word, count in enumerate(counts) for _ in range(count)] for counts in SUBJECTS_BY_CATEGORY]

    assert 0.210 == pytest.approx(fleiss(ratings).value, abs=5e-4)


def test_ratings_by_chance_have_a_kappa_of_zero_within_bounds():
    """The bounds hold zero in about 95 % of studies of 30 parts with three ratings each."""
    rng = np.random.default_rng(5)
    found = [fleiss(rng.integers(0, 2, (30, 3)).tolist()) for _ in range(300)]

    assert 0.9 <= np.mean([each.low <= 0.0 <= each.high for each in found]) <= 0.98


def test_repeated_ratings_of_a_part_count_as_one_part():
    """Every rating ten times over says nothing more: the bounds stay as wide."""
    first, second = rated(((20, 5), (5, 20)))
    once, often = cohen(first, second), cohen([each * 10 for each in first], [each * 10 for each in second])

    assert once.value == pytest.approx(often.value)
    assert once.high - once.low == pytest.approx(often.high - often.low)


def test_perfect_agreement_on_few_parts_is_not_told_as_certain():
    kappa = cohen(*rated(((5, 0), (0, 5))), what="Ann and Bob")

    assert 1.0 == kappa.value
    assert 0.2 < kappa.low < 0.6
    assert kappa.words.startswith("Ann and Bob: good agreement, kappa 1.00")


def test_where_every_rating_is_the_same_kappa_is_not_told():
    kappa = fleiss([["pass", "pass"]] * 8)

    assert kappa.value is None
    assert "cannot be told from chance" in kappa.words


def test_sides_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="a pair for every rating"):
        cohen([[1], [1]], [[1], [1, 0]])
    with pytest.raises(ValueError, match="as many for each"):
        fleiss([[1, 1], [1]])
    with pytest.raises(ValueError, match="at least two"):
        cohen([[1]], [[1]])
