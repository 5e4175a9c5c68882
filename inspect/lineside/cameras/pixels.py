"""From what a device hands out to what the house works with: by declaration, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ConfigError, FrameError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["check_conversion", "check_size", "image_from_buffer", "to_house"]

_F = PixelFormat
# OpenCV names a Bayer pattern by its first two rows, PFNC by its first row.
_CV_CODES: Final[Mapping[tuple[PixelFormat, PixelFormat], int]] = {
    (_F.BAYER_RG8, _F.RGB8): cv2.COLOR_BayerRGGB2RGB,
    (_F.BAYER_RG8, _F.BGR8): cv2.COLOR_BayerRGGB2BGR,
    (_F.BAYER_RG8, _F.MONO8): cv2.COLOR_BayerRGGB2GRAY,
    (_F.BAYER_GR8, _F.RGB8): cv2.COLOR_BayerGRBG2RGB,
    (_F.BAYER_GR8, _F.BGR8): cv2.COLOR_BayerGRBG2BGR,
    (_F.BAYER_GR8, _F.MONO8): cv2.COLOR_BayerGRBG2GRAY,
    (_F.BAYER_GB8, _F.RGB8): cv2.COLOR_BayerGBRG2RGB,
    (_F.BAYER_GB8, _F.BGR8): cv2.COLOR_BayerGBRG2BGR,
    (_F.BAYER_GB8, _F.MONO8): cv2.COLOR_BayerGBRG2GRAY,
    (_F.BAYER_BG8, _F.RGB8): cv2.COLOR_BayerBGGR2RGB,
    (_F.BAYER_BG8, _F.BGR8): cv2.COLOR_BayerBGGR2BGR,
    (_F.BAYER_BG8, _F.MONO8): cv2.COLOR_BayerBGGR2GRAY,
    (_F.RGBA8, _F.RGB8): cv2.COLOR_RGBA2RGB,
    (_F.RGBA8, _F.BGR8): cv2.COLOR_RGBA2BGR,
    (_F.RGBA8, _F.MONO8): cv2.COLOR_RGBA2GRAY,
    (_F.BGRA8, _F.BGR8): cv2.COLOR_BGRA2BGR,
    (_F.BGRA8, _F.RGB8): cv2.COLOR_BGRA2RGB,
    (_F.BGRA8, _F.MONO8): cv2.COLOR_BGRA2GRAY,
    (_F.RGB8, _F.BGR8): cv2.COLOR_RGB2BGR,
    (_F.RGB8, _F.MONO8): cv2.COLOR_RGB2GRAY,
    (_F.BGR8, _F.RGB8): cv2.COLOR_BGR2RGB,
    (_F.BGR8, _F.MONO8): cv2.COLOR_BGR2GRAY,
}
# Bilinear demosaicing reaches one pixel to each side; OpenCV reads beyond the array below this size.
_SMALLEST_BAYER_PX: Final = 4


def check_conversion(device: PixelFormat, house: PixelFormat) -> None:
    """Checks that frames in `device` can be handed out as `house`. Raises: ConfigError."""
    if house.device_only or (device is not house and (device, house) not in _CV_CODES):
        offered = [house_ for device_, house_ in _CV_CODES if device_ is device]
        if not device.device_only:
            offered.insert(0, device)
        raise ConfigError(
            f"{device} from the camera cannot become {house}",
            expected=" or ".join(offered),
            remedy="correct pixel_format, or the format that the camera is told to send",
        )


def check_size(pixels: NDArray[Any], width_px: int, height_px: int) -> None:
    """Checks height and width of an (H, W) or (H, W, C) array. Raises: FrameError."""
    if pixels.shape[:2] != (height_px, width_px):
        raise FrameError(
            f"picture of {pixels.shape[1]} x {pixels.shape[0]} px",
            expected=f"{width_px} x {height_px} px",
            remedy="correct size_px, or look what changed at the camera",
        )


def image_from_buffer(
    buffer: bytes | memoryview, *, pixel_format: PixelFormat, width_px: int, height_px: int, padding_x_bytes: int = 0
) -> NDArray[Any]:
    """A view, without a copy, of raw pixels: rows top-down, each followed by `padding_x_bytes`, 16-bit little-endian.

    The array is (height, width) or (height, width, channels), uint8 or uint16. Bytes after the last row are ignored:
    transport buffers are as large as the largest payload. Raises: FrameError when there are too few.
    """
    row_values = width_px * pixel_format.channels
    row_bytes = row_values * pixel_format.dtype.itemsize + padding_x_bytes
    # The last row may come without its padding.
    needed_bytes = row_bytes * height_px - padding_x_bytes
    if min(width_px, height_px) < 1 or padding_x_bytes < 0 or len(buffer) < needed_bytes:
        raise FrameError(
            f"{len(buffer)} bytes of pixels",
            expected=f"at least {needed_bytes} for {width_px} x {height_px} px {pixel_format} "
            f"with {padding_x_bytes} bytes of padding a row",
        )
    shape = pixel_format.shape(width_px, height_px)
    strides = (row_bytes, *np.empty((1, *shape[1:]), pixel_format.dtype).strides[1:])
    dtype = pixel_format.dtype.newbyteorder("<")
    return np.ndarray(shape, dtype, buffer, 0, strides)


def to_house(pixels: NDArray[Any], device: PixelFormat, house: PixelFormat) -> Pixels:
    """A C-contiguous copy of `pixels` ((H, W) or (H, W, C) in format `device`) in format `house`.

    Bayer is demosaiced (bilinear), an alpha channel is dropped, colour becomes Mono8 by the BT.601 weights. Depth is
    never changed. Raises: FrameError when the array is not what `device` says, a value of Mono10 or Mono12 above its
    largest one included; ConfigError when there is no such conversion.
    """
    check_conversion(device, house)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != device.dtype or pixels.ndim not in (2, 3) or channels != device.channels or not pixels.size:
        raise FrameError(
            f"picture is an array {pixels.dtype}{list(pixels.shape)}",
            expected=f"{device}, {device.dtype} with {device.channels} value(s) a pixel",
        )
    if device is house:
        # The dtype was compared above; it may still be a view, or in the byte order of a little-endian device.
        deep = house.dtype == np.uint16
        return _within_range(pixels.astype(np.uint16, "C") if deep else pixels.astype(np.uint8, "C"), house)
    if device.value.startswith("Bayer") and min(pixels.shape[:2]) < _SMALLEST_BAYER_PX:
        raise FrameError(
            f"Bayer picture of {pixels.shape[1]} x {pixels.shape[0]} px",
            expected=f"at least {_SMALLEST_BAYER_PX} px each way",
        )
    converted = cv2.cvtColor(np.ascontiguousarray(pixels), _CV_CODES[device, house])
    return converted.astype(np.uint8, copy=False)


def _within_range(pixels: Pixels, pixel_format: PixelFormat) -> Pixels:
    if pixel_format in (_F.MONO10, _F.MONO12):
        brightest = int(pixels.max())
        if brightest > pixel_format.max_value:
            raise FrameError(
                f"{pixel_format} picture with a value of {brightest}",
                expected=f"at most {pixel_format.max_value}, unpacked in the low bits",
                remedy="check the pixel format and its packing at the camera",
            )
    return pixels
