"""A picture of another size than declared: refused, or made that size as declared."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.cameras.pixels import check_size

__all__ = ["Fit", "fitted"]

Fit = Literal["refuse", "pad", "crop", "resize"]


def fitted(pixels: NDArray[Any], size_px: tuple[int, int], fit: Fit) -> NDArray[Any]:
    """(H, W) or (H, W, C) pixels of this width and height; padded by their border and cropped about the middle.

    Raises: FrameError when the fit does not lead there: another size with `refuse`, a larger one with `pad`.
    """
    width_px, height_px = size_px
    spare_x, spare_y = width_px - pixels.shape[1], height_px - pixels.shape[0]
    if (spare_x, spare_y) != (0, 0):
        match fit:
            case "pad" if min(spare_x, spare_y) >= 0:
                left, top = spare_x // 2, spare_y // 2
                border = (top, spare_y - top, left, spare_x - left)
                pixels = cv2.copyMakeBorder(pixels, *border, borderType=cv2.BORDER_REPLICATE)
            case "crop" if max(spare_x, spare_y) <= 0:
                left, top = -spare_x // 2, -spare_y // 2
                pixels = np.ascontiguousarray(pixels[top : top + height_px, left : left + width_px])
            case "resize":
                pixels = cv2.resize(pixels, size_px, interpolation=cv2.INTER_AREA)
    check_size(pixels, width_px, height_px)
    return pixels
