"""Picture files from outside: what their header claims is checked before anything is decoded."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest

from lineside.core.errors import FrameError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.picture_file import decode_picture

PLATE = np.arange(48, dtype=np.uint8).reshape(6, 8)


def file_of(pixels: Pixels, extension: str = ".png") -> Any:
    return cv2.imencode(extension, pixels)[1]


def header_alone(width_px: int, height_px: int) -> Pixels:
    """A PNG that claims a size and has no pixels: it cannot be decoded, so whoever tries says so."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return np.frombuffer(whole, np.uint8)


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tiff"])
def test_a_picture_of_the_size_wanted_is_decoded(extension: str) -> None:
    decoded = decode_picture(file_of(PLATE, extension), PixelFormat.MONO8, size_px=(8, 6))

    assert np.array_equal(PLATE, decoded)


def test_without_a_size_any_is_taken() -> None:
    assert np.array_equal(PLATE, decode_picture(file_of(PLATE), PixelFormat.MONO8))


@pytest.mark.parametrize("claimed_px", [(11_000, 9_000), (6, 8), (8, 7)])
def test_another_size_is_refused_by_the_header_before_anything_is_decoded(claimed_px: tuple[int, int]) -> None:
    width_px, height_px = claimed_px
    with pytest.raises(FrameError, match=f"file of {width_px} x {height_px} px; expected 8 x 6 px"):
        decode_picture(header_alone(*claimed_px), PixelFormat.MONO8, size_px=(8, 6))


def test_the_right_size_in_the_header_is_no_promise_that_the_rest_is_there() -> None:
    with pytest.raises(FrameError, match="cannot be decoded"):
        decode_picture(header_alone(8, 6), PixelFormat.MONO8, size_px=(8, 6))
