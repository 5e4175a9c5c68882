"""Where a limit lies between scores of good and bad pictures, and how groups are dealt."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.train.bank_choice import auroc, dealt, limit_of, lowered


def test_a_group_is_left_out_whole() -> None:
    folds = dealt(["a", "b", "a", "c", "b"], 2, seed=0)

    assert [0, 1, 2, 3, 4] == sorted(np.concatenate(folds).tolist())
    assert all({0, 2} <= set(fold) or not {0, 2} & set(fold) for fold in folds)
    assert all({1, 4} <= set(fold) or not {1, 4} & set(fold) for fold in folds)


def test_the_limit_of_good_pictures_is_not_moved_by_one_odd_one() -> None:
    scores = np.linspace(1, 2, 21)

    with_odd = limit_of(np.append(scores, 50.0), np.array([]), 0.05)

    assert 2 < with_odd.value < 4.5
    assert "median + 3" in with_odd.how


@pytest.mark.parametrize("deviations", [0.2, 0.5, 1.0])
def test_scores_that_lean_to_the_high_side_put_the_limit_where_few_good_ones_reach_it(deviations: float) -> None:
    drawn = np.random.default_rng(0).lognormal(0.0, deviations, (2, 1000))
    good, others = drawn[0, :30], drawn[1]

    limit = limit_of(good, np.array([]), 0.05)

    assert (good >= limit.value).sum() <= 1
    assert (others >= limit.value).mean() <= 0.05


def test_a_limit_that_too_many_good_ones_reach_is_raised_and_says_so() -> None:
    good = np.array([1.0] * 30 + [5.013] * 10)

    limit = limit_of(good, np.array([]), 0.05)

    assert (np.float32(good) / np.float32(limit.value) >= 1).sum() <= 2, "as the graph reckons"
    assert "raised until at most 2 of them" in limit.how


def test_good_pictures_that_score_nothing_still_give_a_limit() -> None:
    assert 0 < limit_of(np.zeros(8), np.array([]), 0.05).value < 1


def test_with_bad_pictures_the_limit_rejects_no_more_good_ones_than_allowed_and_as_many_bad_as_it_can() -> None:
    good, bad = np.array([*np.linspace(1, 2, 19), 6.0]), np.array([1.5, 3, 4, 5, 7, 8])

    limit = limit_of(good, bad, 0.05).value

    assert 1 == (good >= limit).sum()
    assert 1 == (bad < limit).sum()
    assert 2 < limit < 3


def test_with_bad_pictures_that_cannot_be_told_the_limit_still_passes_the_good() -> None:
    good, bad = np.linspace(1, 2, 20), np.linspace(0.1, 0.5, 6)

    assert 0 == (good >= limit_of(good, bad, 0.0).value).sum()


def test_the_auroc_counts_ties_half() -> None:
    assert 0.75 == auroc(np.array([1.0, 2.0]), np.array([2.0, 2.0]))


def test_a_limit_that_few_good_pictures_put_above_all_painted_flaws_is_lowered_and_says_so() -> None:
    """Scores of a real training: 6 good figurines, and painted flaws of which none reached the limit."""
    good = np.array([0.738, 1.34, 2.494, 2.604, 3.894, 4.155])
    painted = np.linspace(0.9, 8.8, 24)
    limit = limit_of(good, np.array([]), 0.05)
    assert limit.value > painted.max()

    told = lowered(limit, good, painted, 0.05)

    assert (good >= told.value).sum() <= 1
    assert (painted >= told.value).sum() == 12
    assert "lowered until half of 24 painted flaws" in told.how


def test_a_limit_is_not_lowered_below_the_good_pictures_nor_raised_to_painted_flaws() -> None:
    good, faint, plain = np.linspace(1, 2, 20), np.full(9, 0.5), np.full(9, 50.0)
    limit = limit_of(good, np.array([]), 0.05)

    assert (good >= lowered(limit, good, faint, 0.05).value).sum() == 1
    assert limit == lowered(limit, good, plain, 0.05)
