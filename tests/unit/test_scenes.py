"""Rendered parts: the same again for the same numbers, and the truth is what can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.cameras.scenes import PRODUCTS, SceneOptions, render, truth_of
from lineside.core.errors import ConfigError
from lineside.core.frame import check_pixels
from lineside.core.pixel_format import PixelFormat

SMALL = {"width_px": 320, "height_px": 240}
ALL_BAD = SceneOptions(defect_rate=1.0, **SMALL)
ALL_GOOD = SceneOptions(defect_rate=0.0, **SMALL)


@pytest.mark.parametrize("product", sorted(PRODUCTS))
def test_the_same_numbers_give_the_same_part(product: str) -> None:
    first, again = (render(product, 5, 17, ALL_BAD) for _ in range(2))

    assert np.array_equal(first.pixels, again.pixels)
    assert first.truth == again.truth


def test_another_seed_gives_other_parts() -> None:
    assert not np.array_equal(render("plate", 1, 0, ALL_GOOD).pixels, render("plate", 2, 0, ALL_GOOD).pixels)


@pytest.mark.parametrize("product", sorted(PRODUCTS))
def test_the_truth_is_known_without_rendering(product: str) -> None:
    for index in range(12):
        assert render(product, 3, index, ALL_BAD).truth == truth_of(product, 3, index, ALL_BAD)


@pytest.mark.parametrize("product", sorted(PRODUCTS))
@pytest.mark.parametrize("pixel_format", [name for name in PixelFormat if not name.device_only])
def test_every_product_comes_in_every_format_of_the_house(product: str, pixel_format: PixelFormat) -> None:
    options = SceneOptions(pixel_format=pixel_format, **SMALL)

    pixels = render(product, 1, 0, options).pixels

    check_pixels(pixels, pixel_format)
    assert options.width_px == pixels.shape[1] and options.height_px == pixels.shape[0]
    assert pixel_format.max_value / 8 < pixels.mean() < pixel_format.max_value * 7 / 8
    assert pixels.max() <= pixel_format.max_value


def test_rgb_and_bgr_are_the_same_picture_in_another_order() -> None:
    red_first, blue_first = (
        render("board", 1, 0, SceneOptions(pixel_format=name, **SMALL)).pixels
        for name in (PixelFormat.RGB8, PixelFormat.BGR8)
    )

    assert np.array_equal(red_first, blue_first[:, :, ::-1])
    assert red_first[:, :, 1].mean() > red_first[:, :, 0].mean()  # the board is green


@pytest.mark.parametrize("product", sorted(PRODUCTS))
def test_defects_of_every_class_occur_and_change_the_picture_where_the_mask_says(product: str) -> None:
    seen: set[str] = set()
    for index in range(60):
        bad, good = render(product, 1, index, ALL_BAD), render(product, 1, index, ALL_GOOD)
        difference = np.abs(bad.pixels.astype(int) - good.pixels.astype(int))
        seen |= {defect.class_name for defect in bad.truth.defects}

        assert bad.mask.any()
        assert difference[bad.mask].mean() > 8 * max(difference[~bad.mask].mean(), 0.2)

    assert set(PRODUCTS[product].defect_classes) == seen


def test_the_boxes_hold_the_mask() -> None:
    for index in range(30):
        part = render("plate", 9, index, ALL_BAD)
        rest = part.mask.copy()
        for defect in part.truth.defects:
            box = defect.box
            left, top = int(box.x_px) - 1, int(box.y_px) - 1
            rest[max(0, top) : top + int(box.height_px) + 4, max(0, left) : left + int(box.width_px) + 4] = False

        assert not rest.any()
        assert sum(defect.area_px for defect in part.truth.defects) == pytest.approx(part.mask.sum(), rel=0.1)


def test_the_share_of_bad_parts_is_the_one_asked_for() -> None:
    options = SceneOptions(defect_rate=0.15)
    bad = sum(not truth_of("plate", 4, index, options).good for index in range(1000))

    assert 110 <= bad <= 190


def test_a_good_part_stays_good_and_moves_little() -> None:
    pictures = [render("plate", 1, index, ALL_GOOD).pixels.astype(float) for index in range(8)]

    for index, picture in enumerate(pictures):
        assert truth_of("plate", 1, index, ALL_GOOD).good
        assert 0.85 < picture.mean() / pictures[0].mean() < 1.15


def test_severity_fades_the_defects() -> None:
    clear, faint = (SceneOptions(defect_rate=1.0, severity=(value, value), **SMALL) for value in (1.0, 0.1))
    index = next(index for index in range(100) if truth_of("plate", 1, index, clear).defects[0].class_name == "stain")
    good = render("plate", 1, index, ALL_GOOD).pixels.astype(int)
    contrasts = [
        np.abs(part.pixels.astype(int) - good)[part.mask].mean()
        for part in (render("plate", 1, index, options) for options in (clear, faint))
    ]

    assert contrasts[1] < 0.3 * contrasts[0]


def test_brightness_follows_the_exposure() -> None:
    full, half = (
        render("plate", 1, 0, SceneOptions(exposure_us=value, defect_rate=0, **SMALL)).pixels.mean()
        for value in (1000.0, 500.0)
    )

    assert half == pytest.approx(full / 2, rel=0.02)


def test_an_unknown_product_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="board or gasket or plate"):
        truth_of("cup", 1, 0)


def test_a_format_that_only_cameras_speak_is_refused() -> None:
    with pytest.raises(ConfigError, match="BayerRG8"):
        render("plate", 1, 0, SceneOptions(pixel_format=PixelFormat.BAYER_RG8))
