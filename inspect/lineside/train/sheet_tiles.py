"""What contact sheets are put together from: captioned tiles of one width."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat

__all__ = ["heat", "shown", "tile"]

_TILE_WIDTH_PX = 560
_MARGIN_PX = 12
_CAPTION_PX = 34
_PAPER, _INK = (250, 250, 250), (40, 40, 40)


def shown(pixels: NDArray[np.floating], pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """(H, W, 3) in blue, green, red of (H, W, C) from 0 to 255."""
    eight = np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)
    if eight.shape[2] == 1:
        return np.repeat(eight, 3, axis=2)
    return np.ascontiguousarray(eight[:, :, ::-1]) if pixel_format is PixelFormat.RGB8 else eight


def heat(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W, 3): dark for 0, white for 1 and above."""
    grey = np.asarray(np.clip(values, 0, 1) * 255, np.uint8)
    return np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), np.uint8)


def tile(caption: str, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture at the width of a tile, with its caption above."""
    height = round(picture.shape[0] * _TILE_WIDTH_PX / picture.shape[1])
    small = cv2.resize(picture, (_TILE_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(
        small, _CAPTION_PX, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, cv2.BORDER_CONSTANT, value=_PAPER
    )
    place = (_MARGIN_PX, _CAPTION_PX - 11)
    cv2.putText(framed, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return np.asarray(framed, np.uint8)
