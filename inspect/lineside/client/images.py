"""Images to send, with everything about them declared."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from lineside.core.errors import FrameError
from lineside.core.frame import Pixels, check_pixels
from lineside.core.pixel_format import PixelFormat
from lineside.wire.codec import wire_pixel_format
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["image_of_array", "image_of_file"]


def image_of_array(pixels: Pixels, pixel_format: PixelFormat, *, view: str = "") -> pb.Image:
    """An array of shape (H, W) or (H, W, 3), uint8 or uint16 as the format says, with its CRC-32.

    Raises: FrameError when the array is not what `pixel_format` declares.
    """
    check_pixels(pixels, pixel_format)
    data = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<")).tobytes()
    raw = pb.RawPixels(data=data, width_px=pixels.shape[1], height_px=pixels.shape[0], crc32=zlib.crc32(data))
    return pb.Image(raw=raw, pixel_format=wire_pixel_format(pixel_format), view=view)


def image_of_file(path: Path, pixel_format: PixelFormat, *, view: str = "") -> pb.Image:
    """A PNG, JPEG, TIFF or BMP file as it is; the station decodes it and checks that it is `pixel_format`.

    Raises: FrameError when the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FrameError(f"{path} cannot be read ({error.strerror})", expected="an image file") from error
    if not content:
        raise FrameError(f"{path} is empty", expected="an image file")
    return pb.Image(encoded=content, pixel_format=wire_pixel_format(pixel_format), view=view)
