"""Pixel figures against counting every pixel at every threshold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label

from lineside.core.finding import ScoreMap
from lineside.qualify.pixels import PixelTally, regions_of
from lineside.statistics.ranking import area

SHAPE = (24, 32)


def scored(values: NDArray[np.float32]) -> tuple[ScoreMap, ...]:
    return (ScoreMap(class_name="anomaly", values=values),)


def pictures(seed: int, *, shift: float = 0.0) -> list[tuple[NDArray[np.float32], NDArray[np.bool_] | None]]:
    """Maps whose defects score higher on average: two pictures with masks, of one and two defects, and a good one.

    Scores are exact in the bits that the tally keeps, so that it must agree with counting to the last digit.
    """
    rng = np.random.default_rng(seed)
    one, two = np.zeros(SHAPE, np.bool_), np.zeros(SHAPE, np.bool_)
    one[3:9, 4:12] = True
    two[2:5, 2:6] = two[15:22, 20:30] = True

    def values(mask: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        raw = rng.integers(0, 40, SHAPE) + (0 if mask is None else 15 * mask)
        return (raw / 8 + shift).astype(np.float32)

    return [(values(one), one), (values(two), two), (values(None), None)]


def tallied(seen: list[tuple[NDArray[np.float32], NDArray[np.bool_] | None]]) -> PixelTally:
    tally = PixelTally()
    for values, mask in seen:
        tally.add(scored(values), mask, (SHAPE[1], SHAPE[0]))
    return tally


@pytest.mark.parametrize("shift", [0.0, -3.0], ids=["positive scores", "negative ones too"])
def test_area_and_best_f1_are_those_of_all_pixels_at_all_thresholds(shift: float) -> None:
    seen = pictures(1, shift=shift)
    told = tallied(seen).told(2.0 + shift)
    scores = np.concatenate([values.ravel() for values, _ in seen])
    bad = np.concatenate([(np.zeros(SHAPE, np.bool_) if mask is None else mask).ravel() for _, mask in seen])

    def f1(threshold: float) -> float:
        above = scores >= threshold
        return float(2 * (above & bad).sum() / (above.sum() + bad.sum()))

    assert told is not None
    assert area(scores[~bad].astype(float), scores[bad].astype(float)) == pytest.approx(told.auroc, abs=1e-12)
    assert max(map(f1, np.unique(scores))) == pytest.approx(told.best_f1, abs=1e-12)
    assert f1(told.best_f1_threshold) == pytest.approx(told.best_f1, abs=1e-12)
    assert f1(2.0 + shift) == pytest.approx(told.f1_at_threshold, abs=1e-12)


def test_per_region_overlap_is_the_mean_over_defects_up_to_three_tenths_of_false_positives() -> None:
    seen = pictures(2)
    told = tallied(seen).told(2.0)
    good_scores = np.concatenate([values[~mask] if mask is not None else values.ravel() for values, mask in seen])
    regions = []
    for values, mask in seen:
        labels, count = label(mask, np.ones((3, 3))) if mask is not None else (np.zeros(SHAPE), 0)
        regions += [values[labels == number] for number in range(1, count + 1)]
    thresholds = [np.inf, *np.unique(np.concatenate([values.ravel() for values, _ in seen]))[::-1]]
    false = np.array([(good_scores >= t).mean() for t in thresholds])
    overlap = np.array([np.mean([(region >= t).mean() for region in regions]) for t in thresholds])
    grid = np.linspace(0, 0.3, 30_001)

    assert told is not None
    assert (told.regions, len(regions)) == (3, 3)
    assert float(np.trapezoid(np.interp(grid, false, overlap), grid)) / 0.3 == pytest.approx(told.aupro, abs=1e-5)


def test_a_map_that_is_the_mask_is_perfect() -> None:
    mask = np.zeros(SHAPE, np.bool_)
    mask[4:8, 4:8] = True
    told = tallied([(mask.astype(np.float32), mask)]).told(0.5)

    assert told is not None
    assert (told.auroc, told.aupro, told.best_f1, told.f1_at_threshold) == pytest.approx((1, 1, 1, 1))


def test_places_that_no_map_covers_do_not_count() -> None:
    mask = np.zeros((24, 64), np.bool_)
    mask[4:8, 4:8] = mask[4:8, 50:60] = True  # the second lies beyond the map
    values = np.zeros(SHAPE, np.float32)
    values[4:8, 4:8] = 1
    tally = PixelTally()
    tally.add(scored(values), mask, (64, 24))

    told = tally.told(0.5)
    assert told is not None
    assert (told.regions, told.auroc) == (1, 1.0)


def test_without_defects_there_is_nothing_to_tell() -> None:
    assert tallied([(np.ones(SHAPE, np.float32), None)]).told(0.5) is None


def test_defects_that_touch_at_a_corner_are_one() -> None:
    mask = np.zeros((6, 6), np.bool_)
    mask[:3, :3] = mask[3:, 3:] = True

    assert len(regions_of(mask)) == 1
