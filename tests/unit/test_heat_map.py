"""Scores are laid over the picture where they belong, whatever the map's resolution and the picture's size."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.core.finding import ScoreMap
from lineside.imaging.heat_map import overlay_heat


def grey(height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def changed(picture: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    return np.any(picture != drawn, axis=2)


@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("step_px", [1, 4, 8])
def test_a_hot_place_is_drawn_where_it_is_in_the_frame(scale: float, step_px: int) -> None:
    values = np.zeros((120 // step_px, 160 // step_px), np.float32)
    values[64 // step_px : 80 // step_px, 32 // step_px : 56 // step_px] = 3.0
    picture = grey(round(120 * scale), round(160 * scale))
    score_map = ScoreMap(class_name="dent", values=values, step_x_px=step_px, step_y_px=step_px)

    rows, columns = np.nonzero(changed(picture, overlay_heat(picture, [score_map], 1.0, px_per_frame_px=scale)))

    spread_px = step_px + 1  # the map is smooth between the centres of its pixels
    for found, wanted in ((rows, (64, 80)), (columns, (32, 56))):
        assert wanted[0] - spread_px <= found.min() / scale <= wanted[0] + 1
        assert wanted[1] - 2 <= (found.max() + 1) / scale <= wanted[1] + spread_px


def test_scores_below_half_the_threshold_leave_the_picture_as_it_was() -> None:
    cool = ScoreMap(class_name="dent", values=np.full((12, 16), 0.49, np.float32), step_x_px=10, step_y_px=10)

    assert not changed(grey(), overlay_heat(grey(), [cool], 1.0)).any()
    assert not changed(grey(), overlay_heat(grey(), [], 1.0)).any()


def test_the_highest_of_several_maps_is_shown() -> None:
    low = ScoreMap(class_name="dent", values=np.full((120, 160), 0.2, np.float32))
    high = ScoreMap(class_name="stain", values=np.full((120, 160), 0.9, np.float32))

    assert np.array_equal(overlay_heat(grey(), [low, high], 1.0), overlay_heat(grey(), [high], 1.0))


def test_places_beyond_the_map_stay_as_they_are() -> None:
    values = np.full((40, 40), 5.0, np.float32)
    part = ScoreMap(class_name="dent", values=values, left_px=60, top_px=20)

    drawn = changed(grey(), overlay_heat(grey(), [part], 1.0))

    assert drawn[20:60, 60:100].all()
    assert not drawn[:, :58].any()
    assert not drawn[64:].any()


@pytest.mark.parametrize("threshold", [0.0, -2.0])
def test_a_threshold_of_nothing_or_less_still_gives_a_picture(threshold: float) -> None:
    values = np.full((120, 160), threshold + 0.5, np.float32)

    assert changed(grey(), overlay_heat(grey(), [ScoreMap(class_name="dent", values=values)], threshold)).all()
