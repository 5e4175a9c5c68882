"""Decodes the bytes of a picture file into pixels of a declared format, within a declared size."""

from __future__ import annotations

import io
from typing import Any, Final

import cv2
import imagesize
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import FrameError
from lineside.core.frame import Pixels, check_pixels
from lineside.core.pixel_format import PixelFormat

__all__ = [
    "MAX_PIXELS",
    "as_declared",
    "check_declared",
    "decode_checked",
    "decode_picture",
    "decode_pixels",
    "size_in_header",
    "size_within",
]

MAX_PIXELS: Final = 100_000_000
"""A file that claims more is not decoded: a few kilobytes can claim gigabytes."""


def decode_picture(
    data: Pixels,
    pixel_format: PixelFormat,
    *,
    size_px: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Pixels:
    """The picture as pixels of the declared format, its orientation tag ignored. `data` is one-dimensional.

    `size_px` is the width and height wanted, where they are known: a file of another size is not even decoded.

    Raises: FrameError when the file is damaged, too large, or holds another size or format than declared.
    """
    if size_px is not None and (found_px := size_in_header(data)) != size_px:
        raise FrameError(
            f"file of {found_px[0]} x {found_px[1]} px",
            expected=f"{size_px[0]} x {size_px[1]} px",
            remedy="send the picture as the view's camera takes it",
        )
    return as_declared(decode_pixels(data, max_pixels=max_pixels), pixel_format)


def as_declared(pixels: NDArray[Any], pixel_format: PixelFormat) -> Pixels:
    """What `decode_pixels` gave, as pixels of the declared format. Raises: FrameError when they are something else."""
    if pixel_format is PixelFormat.RGB8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return check_declared(pixels, pixel_format)


def check_declared(pixels: NDArray[Any], pixel_format: PixelFormat) -> Pixels:
    """Returns the pixels if shape, type and every value are what the format declares. Raises: FrameError."""
    check_pixels(pixels, pixel_format)
    if pixel_format.max_value < np.iinfo(pixels.dtype).max and int(pixels.max()) > pixel_format.max_value:
        raise FrameError(
            f"a pixel of value {int(pixels.max())} in a picture declared {pixel_format}",
            expected=f"0 to {pixel_format.max_value}",
            remedy="declare the pixel format that the file has",
        )
    return pixels


def decode_pixels(data: Pixels, *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """The picture as stored: (H, W) or (H, W, 3 or 4) in the order blue, green, red. Raises: FrameError."""
    size_within(data, max_pixels)
    return decode_checked(data)


def size_within(data: Pixels, max_pixels: int) -> tuple[int, int]:
    """As `size_in_header`. Raises: FrameError also for a file that claims more pixels than that."""
    width_px, height_px = size_in_header(data)
    if width_px * height_px > max_pixels:
        raise FrameError(
            f"file that claims {width_px} x {height_px} px",
            expected=f"at most {max_pixels} px",
            remedy="raise the limit if that is true",
        )
    return width_px, height_px


def decode_checked(data: Pixels) -> NDArray[Any]:
    """As `decode_pixels`, of a file whose size was found to be within the limit. Raises: FrameError."""
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise FrameError(f"file cannot be decoded: {error.err}") from error
    if pixels is None:
        raise FrameError(f"file of {data.size} bytes cannot be decoded", expected="a whole PNG, JPEG, BMP or TIFF")
    return pixels


def size_in_header(data: Pixels) -> tuple[int, int]:
    """Width and height in px as the file's header claims. Raises: FrameError when there is no such header."""
    head = data if data[:2].tobytes() in (b"II", b"MM") else data[: 1 << 20]  # a TIFF's may stand behind the pixels
    size: tuple[int, int] = imagesize.get(io.BytesIO(head.tobytes()), exif_rotation=False)
    if min(size) < 1:
        raise FrameError(
            f"file of {data.size} bytes is not a picture, or its header is damaged",
            expected="a PNG, JPEG, BMP or TIFF",
        )
    return size
