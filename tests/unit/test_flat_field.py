"""The flat field, applied to frames: exact to the last bit, in every pixel format that a frame can have."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.core.errors import ConfigError, FrameError
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.flat_field import GAIN_STEP, OFFSET_STEP, FlatField, FlatMaps

WIDTH, HEIGHT = 61, 37
FORMATS = [each for each in PixelFormat if not each.device_only]


def maps_of(pixel_format: PixelFormat, random: np.random.Generator, bad_share: float = 0.0) -> FlatMaps:
    shape = pixel_format.shape(WIDTH, HEIGHT)
    offset = random.uniform(0, pixel_format.max_value * 0.05, shape)
    return FlatMaps(
        pixel_format=pixel_format,
        offset=(np.rint(offset / OFFSET_STEP) * OFFSET_STEP).astype(np.float32),
        gain=(np.rint(random.uniform(0.7, 1.9, shape) / GAIN_STEP) * GAIN_STEP).astype(np.float32),
        bad=random.uniform(size=shape) < bad_share,
    )


def as_defined(pixels: NDArray[np.generic], maps: FlatMaps) -> NDArray[np.generic]:
    """The definition of the module's first words, value by value and without OpenCV."""
    most = maps.pixel_format.max_value
    out = np.clip(np.rint((pixels.astype(np.float32) - maps.offset) * maps.gain), 0, most).astype(pixels.dtype)
    out[pixels == most] = most
    corrected, height, width = out.copy(), *out.shape[:2]
    for y, x, *channel in np.argwhere(maps.bad):
        for reach in (1, 2):
            near = [
                int(corrected[(v, u, *channel)])
                for v in range(max(0, y - reach), min(height, y + reach + 1))
                for u in range(max(0, x - reach), min(width, x + reach + 1))
                if not maps.bad[(v, u, *channel)]
            ]
            if len(near) >= 3:
                break
        out[(y, x, *channel)] = int(sum(near) / len(near) + 0.5)
    return out


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_value_is_what_the_definition_says(pixel_format: PixelFormat) -> None:
    random = np.random.default_rng(3)
    maps = maps_of(pixel_format, random, bad_share=0.02)
    pixels = random.integers(0, pixel_format.max_value + 1, maps.offset.shape).astype(pixel_format.dtype)
    pixels[5, 10:20] = pixel_format.max_value
    pixels.setflags(write=False)

    seen = FlatField(maps).apply(pixels)

    assert seen.dtype == pixel_format.dtype
    assert np.array_equal(seen, as_defined(pixels, maps))


def test_a_frame_corrected_again_gives_the_same_bytes_wherever_they_are_put() -> None:
    random = np.random.default_rng(4)
    maps = maps_of(PixelFormat.BGR8, random, bad_share=0.05)
    field = FlatField(maps)
    one, other = (random.integers(0, 256, maps.offset.shape).astype(np.uint8) for _ in range(2))
    first = field.apply(one).tobytes()
    field.apply(other)
    out = np.zeros_like(one)

    assert field.apply(one, out) is out
    assert out.tobytes() == first == FlatField(maps).apply(one).tobytes()


def test_halves_are_rounded_to_the_even_level() -> None:
    maps = FlatMaps(
        pixel_format=PixelFormat.MONO8,
        offset=np.zeros((1, 4), np.float32),
        gain=np.full((1, 4), 0.5, np.float32),
        bad=np.zeros((1, 4), np.bool_),
    )

    assert FlatField(maps).apply(np.array([[1, 3, 5, 7]], np.uint8)).tolist() == [[0, 2, 2, 4]]


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO12])
def test_a_clipped_pixel_stays_clipped_and_none_goes_beyond(pixel_format: PixelFormat) -> None:
    most = pixel_format.max_value
    maps = FlatMaps(
        pixel_format=pixel_format,
        offset=np.full((1, 3), 4, np.float32),
        gain=np.array([[0.5, 2.0, 2.0]], np.float32),
        bad=np.zeros((1, 3), np.bool_),
    )
    pixels = np.array([[most, most - 1, 2]], pixel_format.dtype)

    assert FlatField(maps).apply(pixels).tolist() == [[most, most, 0]]


def test_bad_pixels_in_a_heap_are_refused() -> None:
    maps = maps_of(PixelFormat.MONO8, np.random.default_rng(0))
    maps.bad[10:16, 10:16] = True

    with pytest.raises(ConfigError, match="4 bad pixels have no good one within two pixels"):
        FlatField(maps)


def test_another_frame_than_the_one_measured_is_refused() -> None:
    field = FlatField(maps_of(PixelFormat.MONO8, np.random.default_rng(0)))

    with pytest.raises(FrameError, match="shape"):
        field.apply(np.zeros((HEIGHT, WIDTH + 1), np.uint8))
    with pytest.raises(FrameError, match="declared Mono8"):
        field.apply(np.zeros((HEIGHT, WIDTH), np.uint16))


def test_maps_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="gain is float32"):
        FlatMaps(
            pixel_format=PixelFormat.MONO8,
            offset=np.zeros((4, 5), np.float32),
            gain=np.ones((5, 4), np.float32),
            bad=np.zeros((4, 5), np.bool_),
        )
