"""A threshold for a wanted rate: what it promises is so, and what cannot be promised is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from lineside.core.errors import ConfigError
from lineside.qualify.threshold import WantedRates, choose

FEW_BAD = np.array([5.0, 6.0, 7.0])


def test_the_promised_rate_holds_as_often_as_the_confidence_says() -> None:
    """Good scores are normal: the true overkill of each threshold is known."""
    rng, studies = np.random.default_rng(5), 600
    wanted = WantedRates(max_overkill=0.05, confidence=0.9)
    held = 0
    for _ in range(studies):
        chosen = choose(rng.normal(0, 1, 120), np.array([50.0]), wanted)
        assert not chosen.warnings
        held += norm.sf(chosen.value) <= 0.05

    # In the middle between two scores: a little better than promised.
    assert 0.88 <= held / studies <= 0.97


def test_as_many_parts_as_the_bound_allows_are_on_the_wrong_side() -> None:
    good = np.arange(1.0, 474.0)
    chosen = choose(good, np.array([1e4]), WantedRates(max_overkill=0.01))

    # 473 parts show at most 1 % at 95 % with one of them rejected; with two it takes 628.
    assert (chosen.overkill.count, chosen.overkill.of) == (1, 473)
    assert 472 < chosen.value < 473
    assert chosen.overkill.high <= 0.01


def test_too_few_parts_are_warned_of_with_how_many_it_takes() -> None:
    chosen = choose(np.arange(20.0), FEW_BAD + 30, WantedRates(max_overkill=0.02))

    (warning,) = chosen.warnings
    assert "20 good parts, none on the wrong side, show at most 14 %" in warning
    assert "for 2 % it takes 149" in warning
    assert 19 < chosen.value < 35
    assert chosen.overkill.count == 0


def test_for_escapes_alone_the_threshold_is_as_high_as_they_allow() -> None:
    bad = np.arange(100.0, 200.0)
    chosen = choose(np.arange(10.0), bad, WantedRates(max_escape=0.05))

    # Of 100 bad parts one may escape: two would show 6.2 %.
    assert (chosen.escapes.count, chosen.value) == (1, 100.5)


def test_both_rates_at_once_leave_the_most_distance() -> None:
    chosen = choose(np.linspace(0, 1, 60), np.linspace(3, 4, 60), WantedRates(max_overkill=0.05, max_escape=0.05))

    assert (chosen.value, chosen.overkill.count, chosen.escapes.count) == (2.0, 0, 0)


def test_rates_that_no_threshold_keeps_are_refused_with_what_each_asks_for() -> None:
    with pytest.raises(ConfigError, match="overkill asks for one above 59, escapes for one of at most 30"):
        choose(np.arange(60.0), np.arange(30.0, 90.0), WantedRates(max_overkill=0.05, max_escape=0.05))


def test_no_part_of_val_changes_its_side_by_where_in_the_gap_the_threshold_lies() -> None:
    good, bad = np.array([0.1, 0.2, 0.3]), np.array([0.25, 0.9])
    chosen = choose(good, bad, WantedRates(max_overkill=0.6))

    assert 0.3 < chosen.value <= 0.9
    assert (chosen.overkill.count, chosen.escapes.count) == (0, 1)


def test_a_good_part_that_was_not_inspected_is_overkill_at_every_threshold() -> None:
    good = np.array([*np.arange(59.0), np.inf])

    with pytest.raises(ConfigError, match="1 of 60 good parts were NOT_INSPECTED"):
        choose(good, FEW_BAD + 100, WantedRates(max_overkill=0.05))


def test_bad_parts_that_were_not_inspected_do_not_escape() -> None:
    chosen = choose(np.arange(5.0), np.array([np.inf] * 60), WantedRates(max_escape=0.05))

    assert chosen.escapes.count == 0
    assert np.isfinite(chosen.value)


def test_without_parts_of_the_kind_there_is_no_rate() -> None:
    with pytest.raises(ConfigError, match="no bad part in val"):
        choose(np.arange(5.0), np.array([]), WantedRates(max_escape=0.05))
