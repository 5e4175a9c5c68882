"""Bars of the histogram hold every score once; times leave out the first picture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest

from lineside.core.verdict import Outcome
from lineside.qualify.figures import histogram, latency, ranking
from lineside.qualify.picture import Judged


def judged(scores: Sequence[float], *, good: bool, inspect_ns: int = 2_000_000) -> list[Judged]:
    return [
        Judged(
            name=f"{good} {index}",
            group=f"{good} {index}",
            good=good,
            class_name="",
            sha256="",
            outcome=Outcome.PASS if math.isfinite(score) else Outcome.NOT_INSPECTED,
            detail="",
            score=score,
            decode_ns=1_000_000,
            infer_ns=1_000_000,
            inspect_ns=inspect_ns,
        )
        for index, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("good", "bad", "threshold"),
    [
        ([0.1, 0.2, 0.9], [0.5, 1.5, 90.0, math.inf], 1.0),
        ([-5.0, -4.0], [-3.0, -1.0], -2.0),
        ([0.0], [0.0], 1.0),
        ([3.0], [3.0], 0.5),
    ],
    ids=["a far one", "negative", "all nought", "above the threshold"],
)
def test_every_score_is_in_one_bar_and_a_part_that_was_not_inspected_in_none(
    good: list[float], bad: list[float], threshold: float
) -> None:
    bars = histogram([*judged(good, good=True), *judged(bad, good=False)], threshold)

    assert sum(bar.good for bar in bars) == len(good)
    assert sum(bar.bad for bar in bars) == sum(map(math.isfinite, bad))
    assert all(bar.low < bar.high for bar in bars)
    assert all(one.high == other.low for one, other in itertools.pairwise(bars))


def test_a_far_score_does_not_squeeze_the_others() -> None:
    bars = histogram([*judged([0.1, 0.2], good=True), *judged([1.2, 500.0], good=False)], 1.0)

    assert bars[0].high < 0.1
    assert bars[-1].bad == 1


def test_the_first_picture_is_not_timed_and_one_alone_tells_nothing() -> None:
    cold, warm = judged([0.1], good=True, inspect_ns=10**9), judged([0.1, 0.2, 0.3], good=True)
    told = latency([*cold, *warm])

    assert told is not None
    assert (told.inspect_median_ms, told.inspect_max_ms, told.decode_median_ms) == (2.0, 2.0, 1.0)
    assert latency(cold) is None


def test_a_long_curve_is_thinned_out_and_keeps_its_ends() -> None:
    told = ranking(
        [*judged([i / 1000 for i in range(500)], good=True), *judged([0.3 + i / 1000 for i in range(500)], good=False)],
        0.95,
    )

    assert told is not None
    assert len(told.points) == 200
    assert (told.points[0].escapes, told.points[0].overkill) == (1.0, 0.0)
    assert (told.points[-1].escapes, told.points[-1].overkill) == (0.0, 1.0)
