"""Pixels of the archive's files by the quick way: the same as a general decoder's, and nothing damaged gets through."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.core.errors import FrameError
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.journal import image_format
from lineside.journal.image_pixels import END, pixels_in

FORMATS = [pixel_format for pixel_format in PixelFormat if not pixel_format.device_only]


def frame(pixel_format: PixelFormat, width_px: int, height_px: int, seed: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    shape = pixel_format.shape(width_px, height_px)
    pixels = rng.integers(0, pixel_format.max_value, shape, dtype=pixel_format.dtype, endpoint=True)
    return Frame(
        view="top", pixels=pixels, pixel_format=pixel_format, frame_id=1, captured_utc_ns=2, captured_mono_ns=3,
        camera_serial="S",
    )  # fmt: skip


def behind_the_facts(data: bytes) -> bytes:
    return data[data.index(b"IDAT") - 4 :]


@given(
    pixel_format=st.sampled_from(FORMATS),
    width_px=st.integers(1, 70),
    height_px=st.integers(1, 70),
    seed=st.integers(0, 1000),
)
def test_every_size_and_format_comes_out_as_it_went_in(
    pixel_format: PixelFormat, width_px: int, height_px: int, seed: int
) -> None:
    stored = frame(pixel_format, width_px, height_px, seed)
    data = image_format.encode(stored, {})
    pixels = pixels_in(memoryview(behind_the_facts(data)), pixel_format, width_px, height_px)
    assert pixels is not None
    wanted = stored.pixels[..., ::-1] if pixel_format is PixelFormat.BGR8 else stored.pixels
    assert (pixels.dtype, pixels.shape) == (wanted.dtype, wanted.shape)
    assert np.array_equal(pixels, wanted)
    assert np.array_equal(image_format.decode(data)[0].pixels, stored.pixels)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_file_that_another_program_has_packed_again_is_read_all_the_same(pixel_format: PixelFormat) -> None:
    stored = frame(pixel_format, 64, 48)
    data = image_format.encode(stored, {})
    general = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    for settings in ([cv2.IMWRITE_PNG_STRATEGY_FILTERED, 1], [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        packed_again = cv2.imencode(".png", general, settings)[1].tobytes()
        rebuilt = data[: data.index(b"IDAT") - 4] + behind_the_facts(packed_again)
        assert np.array_equal(image_format.decode(rebuilt)[0].pixels, stored.pixels)
    body = behind_the_facts(data)[8 : -len(END) - 4]
    in_two = b"".join(chunk(b"IDAT", part) for part in (body[:100], body[100:]))
    in_two_chunks = data[: data.index(b"IDAT") - 4] + in_two + END
    assert np.array_equal(image_format.decode(in_two_chunks)[0].pixels, stored.pixels)


def test_a_stream_of_more_or_fewer_pixels_than_the_header_says_is_refused_without_unpacking_it() -> None:
    for size in (0, 10, 12 * 9 - 1, 12 * 9 + 1, 400_000_000):
        stream = zlib.compressobj(9)
        body = b"".join(stream.compress(bytes(min(1 << 20, size - at))) for at in range(0, size, 1 << 20))
        stored = chunk(b"IDAT", body + stream.flush()) + END
        tracemalloc.start()
        with pytest.raises(FrameError, match="more or fewer pixels"):
            pixels_in(memoryview(stored), PixelFormat.MONO8, 11, 9)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


def test_a_header_that_claims_more_than_any_memory_holds_is_refused() -> None:
    stored = chunk(b"IDAT", zlib.compress(bytes(108))) + END
    with pytest.raises(FrameError, match=r"damaged|pixels"):
        pixels_in(memoryview(stored), PixelFormat.RGB8, 2**32 - 1, 2**32 - 1)


@pytest.mark.parametrize("body", [b"", b"no deflate", zlib.compress(bytes(108))[:-3]])
def test_a_stream_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError, match=r"damaged|pixels"):
        pixels_in(memoryview(chunk(b"IDAT", body) + END), PixelFormat.MONO8, 11, 9)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
