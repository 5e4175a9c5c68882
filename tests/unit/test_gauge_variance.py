"""The crossed gauge study: the textbook's figures, and what is true in simulated studies whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from gauge_examples import CROSSED, IMPEDANCE

from lineside.statistics.gauge_study import GaugeStudy
from lineside.statistics.mean_squares import MeanSquare, bounds_of_sum
from lineside.statistics.variance import crossed_study

STUDIES = 1000


def a_study(rng, *, part=1.0, operator=0.1, interaction=0.05, error=0.1, parts=10, operators=3, repeats=3):
    """Simulated measurements with these components of variance."""

    def effect(variance, *shape):
        return rng.normal(0.0, np.sqrt(variance), shape)

    return (
        effect(part, parts, 1, 1)
        + effect(operator, 1, operators, 1)
        + effect(interaction, parts, operators, 1)
        + effect(error, parts, operators, repeats)
    )


def row(study: GaugeStudy, source: str, *, pooled: bool = False):
    return next(each for each in (study.pooled_anova if pooled else study.anova) if each.source == source)


def test_the_aiag_example_gives_the_published_analysis_of_variance():
    """Sums of squares, degrees of freedom and mean squares as printed."""
    study = crossed_study(CROSSED)

    for source, df, sum_of_squares, mean_square in (
        ("operator", 2, 3.1673, 1.58363),
        ("part", 9, 88.3619, 9.81799),
        ("operator x part", 18, 0.3590, 0.01994),
        ("repeatability", 60, 2.7589, 0.04598),
    ):
        found = row(study, source)
        assert df == found.df
        assert sum_of_squares == pytest.approx(found.sum_of_squares, abs=5e-5)
        assert mean_square == pytest.approx(found.mean_square, abs=5e-6)
    assert 94.6471 == pytest.approx(row(study, "total").sum_of_squares, abs=5e-5)
    assert 0.434 == pytest.approx(row(study, "operator x part").f, abs=5e-4)


def test_the_aiag_example_gives_the_published_components():
    """EV, AV, GRR and PV as printed, with their shares of the total variation and the distinct categories."""
    study = crossed_study(CROSSED)

    assert study.pooled
    for component, deviation, share, contribution in (
        (study.repeatability, 0.199933, 0.184, 0.034),
        (study.reproducibility, 0.226838, 0.209, 0.044),
        (study.gauge, 0.302373, 0.279, 0.078),
        (study.part, 1.042327, 0.960, 0.922),
        (study.total, 1.0853, 1.0, 1.0),
    ):
        assert component is not None
        assert deviation == pytest.approx(component.deviation.value, abs=2e-6 if component is not study.total else 5e-5)
        assert share == pytest.approx(study.share_of_variation(component), abs=5e-4)
        assert contribution == pytest.approx(component.variance / study.total.variance, abs=5e-4)
    assert 0.279 == pytest.approx(study.gauge_share.value, abs=5e-4)
    assert 4 == study.whole_categories
    assert study.words.startswith("Of the total variation 28 % is the gauge")


def test_montgomery_s_example_gives_the_published_components_with_their_interaction():
    """Mean squares 437.33, 19.63, 2.70, 0.51; F 162.27, 7.28, 5.27; variances 48.29, 0.56, 0.73, 0.51."""
    study = crossed_study(IMPEDANCE)

    assert not study.pooled
    for source, mean_square, f in (
        ("part", 437.33, 162.27),
        ("operator", 19.63, 7.28),
        ("operator x part", 2.70, 5.27),
        ("repeatability", 0.51, None),
    ):
        assert mean_square == pytest.approx(row(study, source).mean_square, abs=5e-3)
        assert f is None or f == pytest.approx(row(study, source).f, abs=5e-3)
    found = (study.part, study.operator, study.interaction, study.repeatability)
    assert [48.29, 0.56, 0.73, 0.51] == pytest.approx([each.variance for each in found if each], abs=6e-3)


def test_the_interaction_is_kept_where_it_is_told_to_be():
    study = crossed_study(CROSSED, pool_above=1.0)

    assert not study.pooled
    assert study.interaction is not None
    assert 0.0 == study.interaction.variance  # its mean square is below the repeatability's: cut at zero
    assert 0.04598 == pytest.approx(study.repeatability.variance, abs=5e-6)


@pytest.mark.parametrize(
    ("truth", "pool_above"),
    [
        ({"part": 1.0, "operator": 0.1, "interaction": 0.05, "error": 0.1}, 1.0),
        ({"part": 1.0, "operator": 0.02, "interaction": 0.0, "error": 0.1}, 0.0),
        ({"part": 1.0, "operator": 0.0, "interaction": 0.0, "error": 0.1, "operators": 1}, 0.25),
    ],
    ids=["with interaction", "pooled", "one operator"],
)
def test_known_components_are_recovered_and_lie_within_their_bounds_as_often_as_said(truth, pool_above):
    """Over many simulated studies: no bias in the components, and the 95 % bounds hold the truth in about 95 %."""
    rng = np.random.default_rng(20)
    studies = [crossed_study(a_study(rng, **truth), pool_above=pool_above) for _ in range(STUDIES)]
    gauge = truth["operator"] + truth["interaction"] + truth["error"]
    share = np.sqrt(gauge / (gauge + truth["part"]))
    known = {"repeatability": truth["error"], "gauge": gauge, "part": truth["part"], "total": gauge + truth["part"]}
    if truth.get("operators") != 1:
        known |= {"operator": truth["operator"], "reproducibility": truth["operator"] + truth["interaction"]}

    for name, variance in known.items():
        found = [getattr(study, name) for study in studies]
        estimates = np.array([each.variance for each in found])
        covered = np.mean([each.low <= variance <= each.high for each in found])
        assert variance == pytest.approx(estimates.mean(), abs=4 * estimates.std() / np.sqrt(STUDIES) + 1e-3), name
        assert 0.92 <= covered <= 0.985, name
    assert 0.93 <= np.mean([each.gauge_share.low <= share <= each.gauge_share.high for each in studies])


def test_bounds_of_a_single_mean_square_are_the_exact_chi_square_ones():
    """Degrees of freedom 10, mean square 1: 10 / 20.483 and 10 / 3.247, as tabled."""
    low, high = bounds_of_sum([(1.0, MeanSquare(value=1.0, df=10))])

    assert (0.4882, 3.0798) == pytest.approx((low, high), abs=1e-4)


def test_the_bound_of_a_difference_is_zero_where_the_f_test_is_at_its_limit():
    """Upper 2.5 % point of F(9, 18): 2.929."""
    low, _ = bounds_of_sum([(1.0, MeanSquare(value=2.9291, df=9)), (-1.0, MeanSquare(value=1.0, df=18))])

    assert 0.0 == pytest.approx(low, abs=1e-3)


def test_the_share_of_the_tolerance_is_six_deviations_of_the_gauge_over_its_width():
    study = crossed_study(CROSSED)

    assert 6 * 0.302373 / 8 == pytest.approx(study.share_of_tolerance(8.0).value, abs=1e-5)
    with pytest.raises(ValueError, match="above zero"):
        study.share_of_tolerance(0.0)


def test_a_gauge_that_repeats_exactly_takes_no_share():
    values = np.repeat(np.arange(5.0)[:, None], 4, axis=1).reshape(5, 2, 2)
    study = crossed_study(values)

    assert 0.0 == study.gauge_share.value
    assert study.whole_categories is None
    assert "any number of kinds of part apart" in study.words


def test_operators_who_differ_but_repeat_exactly_are_told_without_a_division_by_zero():
    """0.1 and 0.3 have no exact binary form: what is left of the arithmetic is no scatter."""
    values = np.broadcast_to(np.array([[0.1, 0.3], [1.2, 1.3], [2.4, 2.7]])[:, :, None], (3, 2, 3)).copy()
    study = crossed_study(values)

    assert 0.0 == study.repeatability.variance
    assert 0.0 == study.interaction_p
    assert study.interaction is not None
    assert study.interaction.variance > 0
    assert "kept as a component of its own" in study.interaction_words


def test_measurements_that_are_all_the_same_are_told_as_that():
    assert "nothing varies" in crossed_study(np.ones((4, 3, 2))).words


@pytest.mark.parametrize("shape", [(1, 3, 3), (5, 3, 1), (5, 0, 2), (5, 6)])
def test_a_study_that_is_too_small_is_refused(shape):
    with pytest.raises(ValueError, match="expected \\(parts, operators, repeats\\)"):
        crossed_study(np.zeros(shape))


def test_a_missing_value_is_refused():
    values = CROSSED.copy()
    values[3, 1, 2] = np.nan

    with pytest.raises(ValueError, match="not finite"):
        crossed_study(values)
