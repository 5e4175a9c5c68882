"""Device formats become house formats by declaration, and damage is named."""

import cv2
import numpy as np
import pytest

from lineside.cameras.pixels import check_conversion, check_size, image_from_buffer, to_house
from lineside.core.errors import ConfigError, FrameError
from lineside.core.pixel_format import PixelFormat as F

RED, GREEN, BLUE = (200, 0, 0), (0, 150, 0), (0, 0, 100)

BAYER_ROWS = {F.BAYER_RG8: "RGGB", F.BAYER_GR8: "GRBG", F.BAYER_GB8: "GBRG", F.BAYER_BG8: "BGGR"}


def mosaic(colour: tuple[int, int, int], pattern: str) -> np.ndarray:
    """What a Bayer sensor with that 2 x 2 pattern sees of an evenly coloured part."""
    red, green, blue = colour
    values = {"R": red, "G": green, "B": blue}
    tile = np.array([values[letter] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(tile, (8, 10))


@pytest.mark.parametrize("device", BAYER_ROWS)
@pytest.mark.parametrize("colour", [RED, GREEN, BLUE])
def test_every_bayer_pattern_gives_the_colour_back(device: F, colour: tuple[int, int, int]) -> None:
    seen = mosaic(colour, BAYER_ROWS[device])

    assert (to_house(seen, device, F.RGB8)[4:-4, 4:-4] == colour).all()
    assert (to_house(seen, device, F.BGR8)[4:-4, 4:-4] == colour[::-1]).all()


@pytest.mark.parametrize("device", BAYER_ROWS)
def test_bayer_to_grey_is_the_grey_of_its_colours(device: F) -> None:
    seen = mosaic((60, 60, 60), BAYER_ROWS[device])

    assert np.abs(to_house(seen, device, F.MONO8).astype(int) - 60).max() <= 1


def test_colour_order_and_alpha() -> None:
    rgba = np.zeros((3, 5, 4), np.uint8)
    rgba[:] = (1, 2, 3, 255)

    assert (to_house(rgba, F.RGBA8, F.RGB8) == (1, 2, 3)).all()
    assert (to_house(rgba, F.RGBA8, F.BGR8) == (3, 2, 1)).all()
    assert (to_house(rgba, F.BGRA8, F.RGB8) == (3, 2, 1)).all()
    assert (to_house(rgba[:, :, :3].copy(), F.RGB8, F.BGR8) == (3, 2, 1)).all()


@pytest.mark.parametrize(("depth", "largest"), [(F.MONO10, 1023), (F.MONO12, 4095), (F.MONO16, 65535)])
def test_deep_pictures_keep_their_depth_and_their_largest_value(depth: F, largest: int) -> None:
    pixels = np.full((4, 4), largest, np.uint16)

    kept = to_house(pixels, depth, depth)

    assert kept.dtype == np.uint16
    assert (kept == largest).all()


@pytest.mark.parametrize(("depth", "too_large"), [(F.MONO10, 1024), (F.MONO12, 4096)])
def test_a_value_beyond_the_depth_is_damage(depth: F, too_large: int) -> None:
    pixels = np.zeros((4, 4), np.uint16)
    pixels[3, 2] = too_large

    with pytest.raises(FrameError, match=f"value of {too_large}; expected at most {too_large - 1}"):
        to_house(pixels, depth, depth)


def test_the_result_is_a_copy_in_rows() -> None:
    wide = np.arange(200, dtype=np.uint8).reshape(10, 20)

    narrow = to_house(wide[:, :7], F.MONO8, F.MONO8)

    assert narrow.flags.c_contiguous
    assert not np.shares_memory(narrow, wide)


@pytest.mark.parametrize(
    ("device", "house"),
    [(F.MONO8, F.RGB8), (F.MONO12, F.MONO8), (F.RGB8, F.MONO12), (F.RGB8, F.RGBA8), (F.BAYER_RG8, F.BAYER_RG8)],
)
def test_a_conversion_that_would_have_to_guess_is_refused(device: F, house: F) -> None:
    with pytest.raises(ConfigError, match=f"{device} from the camera cannot become {house}; expected "):
        check_conversion(device, house)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint16),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4, 1, 1), np.uint8),
        np.zeros(16, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4), np.float32),
    ],
)
def test_an_array_that_is_not_what_was_declared_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(FrameError, match="expected Mono8"):
        to_house(pixels, F.MONO8, F.MONO8)


def test_a_bayer_picture_too_small_to_demosaic_is_refused() -> None:
    with pytest.raises(FrameError, match="at least 4 px"):
        to_house(np.zeros((2, 8), np.uint8), F.BAYER_RG8, F.RGB8)


def test_rows_with_padding_are_read_without_it() -> None:
    padded = np.full((3, 8), 99, np.uint8)
    padded[:, :6] = np.arange(18).reshape(3, 6)

    image = image_from_buffer(padded.tobytes(), pixel_format=F.RGB8, width_px=2, height_px=3, padding_x_bytes=2)

    assert (image.reshape(-1) == np.arange(18)).all()
    assert (to_house(image, F.RGB8, F.RGB8).reshape(-1) == np.arange(18)).all()


def test_16_bit_pixels_are_little_endian() -> None:
    image = image_from_buffer(bytes([0x34, 0x02]), pixel_format=F.MONO10, width_px=1, height_px=1)

    assert image[0, 0] == 0x234


def test_a_buffer_larger_than_the_picture_is_fine_and_a_smaller_one_is_damage() -> None:
    assert image_from_buffer(bytes(100), pixel_format=F.MONO8, width_px=9, height_px=11).shape == (11, 9)
    with pytest.raises(FrameError, match="98 bytes of pixels; expected at least 99"):
        image_from_buffer(bytes(98), pixel_format=F.MONO8, width_px=9, height_px=11)


@pytest.mark.parametrize(("width_px", "height_px"), [(0, 1), (1, 0), (-1, 4)])
def test_a_picture_without_pixels_is_damage(width_px: int, height_px: int) -> None:
    with pytest.raises(FrameError):
        image_from_buffer(bytes(100), pixel_format=F.MONO8, width_px=width_px, height_px=height_px)


def test_another_size_is_told_with_expected_and_got() -> None:
    with pytest.raises(FrameError, match="picture of 5 x 4 px; expected 4 x 5 px"):
        check_size(np.zeros((4, 5), np.uint8), 4, 5)


def test_grey_weights_are_those_of_opencv() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)

    assert (to_house(rgb, F.RGB8, F.MONO8) == cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)).all()
