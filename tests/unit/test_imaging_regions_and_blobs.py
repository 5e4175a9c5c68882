"""Where a finding lies and how large it is."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.core.errors import ConfigError, ModelError
from lineside.core.finding import Box, Finding, ScoreMap
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import ANY, Polygon, Region, ViewRecipe
from lineside.imaging.blobs import MAX_BLOBS, MAX_CONTOUR_POINTS, find_blobs, highest_score
from lineside.imaging.regions import RegionMasks, rasterise


def square(left: float, top: float, right: float, bottom: float) -> Polygon:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def view(*regions: Region, width_px: int = 40, height_px: int = 30) -> ViewRecipe:
    return ViewRecipe(
        view="face",
        package="p",
        pixel_format=PixelFormat.MONO8,
        width_px=width_px,
        height_px=height_px,
        regions=regions or (Region(name="all"),),
    )


def heat(values: np.ndarray, **grid: float) -> ScoreMap:
    return ScoreMap(class_name="scratch", values=values.astype(np.float32), **grid)


def blobs(values: np.ndarray, min_score: float = 0.5, **grid: float) -> tuple[Finding, ...]:
    return find_blobs(heat(values, **grid), np.full(values.shape, 255, np.uint8), min_score)


def at(x: float, y: float, width: float = 1, height: float = 1) -> Finding:
    box = Box(x_px=x, y_px=y, width_px=width, height_px=height)
    return Finding(class_name="scratch", score=1, box=box, area_px=box.area_px, length_px=width)


# Regions


def test_a_region_is_its_includes_without_its_excludes():
    region = Region(name="r", include=(square(0, 0, 10, 10), square(20, 0, 30, 10)), exclude=(square(5, 5, 25, 10),))

    mask = rasterise(region, 40, 30)

    assert mask.sum() == 255 * (100 + 100 - 25 - 25)
    assert mask[4, 9] == 255
    assert mask[5, 5] == 0


def test_a_region_without_includes_is_the_whole_frame():
    assert rasterise(Region(name="r"), 40, 30).all()
    assert rasterise(Region(name="r", exclude=(square(0, 0, 40, 29),)), 40, 30).sum() == 255 * 40


def test_polygons_that_share_a_side_share_no_pixel_and_leave_none_out():
    slanted = ((0, 0), (23.7, 0), (11.2, 30), (0, 30))
    rest = ((23.7, 0), (40, 0), (40, 30), (11.2, 30))

    first, second = (rasterise(Region(name="r", include=(polygon,)), 40, 30) for polygon in (slanted, rest))

    assert not (first & second).any()
    assert (first | second).all()


def test_a_region_without_a_pixel_is_refused():
    nothing = Region(name="rim", include=(square(5, 5, 10, 10),), exclude=(square(0, 0, 20, 20),))

    with pytest.raises(ConfigError, match="region rim of view face holds no pixel"):
        RegionMasks(view(nothing))


def test_a_coarse_map_s_pixel_belongs_when_any_pixel_under_it_does():
    thin = Region(name="thin", include=(square(9, 0, 10, 30),))

    mask = RegionMasks(view(thin)).on_map("thin", heat(np.zeros((3, 4)), step_x_px=10, step_y_px=10))

    assert mask.tolist() == [[255, 0, 0, 0]] * 3


def test_what_lies_beyond_the_frame_is_in_no_region():
    letterbox = heat(np.zeros((6, 4)), left_px=0, top_px=-15, step_x_px=10, step_y_px=10)

    mask = RegionMasks(view()).on_map(ANY, letterbox)

    assert mask[:, 0].tolist() == [0, 255, 255, 255, 255, 0]


def test_a_fine_map_has_the_frame_s_regions():
    left = Region(name="left", include=(square(0, 0, 20, 30),))

    mask = RegionMasks(view(left)).on_map("left", heat(np.zeros((60, 80)), step_x_px=0.5, step_y_px=0.5))

    assert mask[:, :40].all()
    assert not mask[:, 40:].any()


def test_a_map_that_does_not_reach_a_region_is_the_model_s_error():
    right = Region(name="right", include=(square(30, 0, 40, 30),))

    with pytest.raises(ModelError, match="does not reach region right"):
        RegionMasks(view(right)).on_map("right", heat(np.zeros((30, 20))))


@pytest.mark.parametrize(
    ("finding", "inside"),
    [
        (at(19.9, 0), True),
        (at(20, 0), False),
        (at(20, 0, 0, 0), False),
        (at(5, 5, 0, 0), True),
        (at(-5, 5, 5.5, 1), True),
        (at(-5, 5, 5, 1), False),  # wholly beyond the frame
        (at(100, 100), False),
    ],
)
def test_a_finding_is_in_a_region_when_a_pixel_of_its_box_is(finding: Finding, inside: bool):
    left = Region(name="left", include=(square(0, 0, 20, 30),))

    assert inside is RegionMasks(view(left)).hold("left", finding)


def test_a_region_is_named_after_the_outline_before_the_box():
    masks = RegionMasks(view(Region(name="top", include=(square(0, 0, 40, 5),)), Region(name="low")))
    diagonal = Finding(
        class_name="scratch",
        score=1,
        box=Box(x_px=0, y_px=0, width_px=20, height_px=20),
        area_px=9,
        length_px=20,
        contour_px=((10.5, 10.5), (19.5, 19.5)),
    )

    assert masks.name_for(diagonal) == "low"
    assert masks.name_for(at(0, 0, 20, 20)) == "top"


# Blobs


def test_nothing_is_found_below_the_score():
    assert blobs(np.full((30, 40), 0.49)) == ()


def test_a_blob_is_as_large_as_its_pixels():
    values = np.zeros((30, 40))
    values[4:7, 10:20] = 0.6
    values[5, 12] = 0.875

    (found,) = blobs(values)

    assert found.score == 0.875
    assert found.area_px == 30
    assert found.length_px == 10
    assert found.box == Box(x_px=10, y_px=4, width_px=10, height_px=3)
    assert found.contour_px == ((10.5, 4.5), (10.5, 6.5), (19.5, 6.5), (19.5, 4.5))


def test_a_single_pixel_is_a_finding_of_one_pixel():
    values = np.zeros((30, 40))
    values[7, 9] = 1

    (found,) = blobs(values)

    assert (found.area_px, found.length_px) == (1, 1)
    assert found.box == Box(x_px=9, y_px=7, width_px=1, height_px=1)


def test_sizes_are_in_pixels_of_the_frame_not_of_the_map():
    values = np.zeros((30, 40))
    values[4:7, 10:20] = 1

    (found,) = blobs(values, left_px=100, top_px=50, step_x_px=4, step_y_px=2)

    assert found.area_px == 30 * 8
    assert found.length_px == pytest.approx(40)
    assert found.box == Box(x_px=140, y_px=58, width_px=40, height_px=6)


def test_a_slanted_scratch_is_as_long_as_it_is():
    values = np.zeros((200, 200), np.float32)
    cv2.line(values, (20, 30), (140, 120), 1.0, 3)

    (found,) = blobs(values)

    assert found.length_px == pytest.approx(math.hypot(120, 90) + 3, abs=2)  # a line of 3 px has ends of 1.5 px


def test_a_hole_adds_no_area_and_what_lies_in_it_is_found():
    values = np.zeros((30, 40))
    values[2:20, 2:20] = 0.6
    values[5:17, 5:17] = 0
    values[9:12, 9:12] = 0.9

    ring, island = blobs(values)

    assert ring.area_px == 18 * 18 - 12 * 12
    assert ring.score == pytest.approx(0.6)
    assert island.area_px == 9
    assert island.score == pytest.approx(0.9)


def test_what_the_mask_hides_is_not_found():
    values = np.zeros((30, 40))
    values[5, 5:25] = 1
    mask = np.zeros((30, 40), np.uint8)
    mask[:, :15] = 255

    (found,) = find_blobs(heat(values), mask, 0.5)

    assert found.length_px == 10
    assert highest_score(heat(values), mask) == 1
    assert highest_score(heat(values), 255 - np.clip(mask, 0, 255)) == 1
    assert highest_score(heat(np.where(mask, values, 0.25)), 255 - mask) == 0.25


def test_a_ragged_outline_is_cut_to_what_the_wire_carries():
    rng = np.random.default_rng(1)
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    radius = 150 + 20 * rng.random(400)
    corners = np.stack([200 + radius * np.cos(angle), 200 + radius * np.sin(angle)], axis=1).astype(np.int32)
    values = np.zeros((400, 400), np.float32)
    cv2.fillPoly(values, [corners], 1.0)

    (found,) = blobs(values)

    assert 8 <= len(found.contour_px) <= MAX_CONTOUR_POINTS


def test_of_a_flood_of_specks_the_largest_are_measured():
    values = np.zeros((200, 200))
    values[::2, ::2] = 1  # 10,000 specks
    values[101, 50:120] = 1

    found = blobs(values)

    assert len(found) == MAX_BLOBS
    assert max(blob.length_px for blob in found) >= 70


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.02, 0.6))
def test_blobs_share_out_every_hot_pixel(seed: int, share: float):
    rng = np.random.default_rng(seed)
    values = (rng.random((24, 31)) < share).astype(np.float32)

    found = blobs(values)

    count, _ = cv2.connectedComponents(values.astype(np.uint8), connectivity=8)
    assert len(found) == count - 1
    assert sum(blob.area_px for blob in found) == values.sum()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_min_score_never_adds_area(seed: int, low: float, high: float):
    low, high = sorted((low, high))
    values = np.random.default_rng(seed).random((24, 31)).astype(np.float32)

    assert sum(blob.area_px for blob in blobs(values, high)) <= sum(blob.area_px for blob in blobs(values, low))
