"""Pictures made another size, as packages ask for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lineside.imaging.resize import resized


def picture(height: int, width: int, *channels: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(5).integers(0, np.iinfo(dtype).max, (height, width, *channels), dtype, endpoint=True)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_halving_is_the_mean_of_two_by_two_as_often_as_it_goes(channels: tuple[int, ...], dtype: type) -> None:
    pixels = picture(48, 64, *channels, dtype=dtype)
    means = pixels.reshape(12, 4, 16, 4, *channels).astype(float).mean(axis=(1, 3))
    found = resized(pixels, (16, 12), "halving")
    assert found.dtype == dtype
    assert np.abs(found - means).max() <= 1  # each of two steps is rounded


def test_what_is_less_than_twice_as_large_is_left_to_area() -> None:
    for pixels in (picture(30, 44), picture(47, 64), picture(24, 64)):
        wanted = cv2.resize(pixels, (32, 24), interpolation=cv2.INTER_AREA)
        assert np.array_equal(resized(pixels, (32, 24), "halving"), wanted)
    halved = cv2.resize(picture(60, 80), (40, 30), interpolation=cv2.INTER_AREA)
    wanted = cv2.resize(halved, (32, 24), interpolation=cv2.INTER_AREA)
    assert np.array_equal(resized(picture(60, 80), (32, 24), "halving"), wanted)


def test_halving_keeps_a_scratch_of_one_pixel_as_well_as_area_does_wherever_it_lies() -> None:
    strongest: dict[str, list[float]] = {"area": [], "halving": []}
    for row in range(40, 80):
        pixels = np.zeros((200, 300), np.uint8)
        pixels[row, 20:200] = 255
        for way, found in strongest.items():
            found.append(float(resized(pixels, (110, 70), way).max()))  # type: ignore[arg-type]
    assert min(strongest["halving"]) > 0.9 * min(strongest["area"])
    assert np.mean(strongest["halving"]) > 0.9 * np.mean(strongest["area"])


def test_a_picture_of_the_size_asked_for_stays_and_larger_ones_are_made() -> None:
    pixels = picture(24, 32)
    assert resized(pixels, (32, 24), "area") is pixels
    assert resized(pixels, (64, 48), "halving").shape == (48, 64)
    assert resized(pixels, (64, 48), "linear").shape == (48, 64)
