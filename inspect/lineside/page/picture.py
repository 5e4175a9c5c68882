"""Pictures for a page: small, and inside it as data."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Frame
from lineside.imaging.draw import as_bgr8

__all__ = ["Picture", "fitted", "picture"]

_LONGER_SIDE_PX: Final = 480
_SHORTER_SIDE_PX: Final = 120
"""A picture of fewer pixels is shown enlarged; a narrow one is cut down no further."""
_JPEG_QUALITY: Final = 82


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One picture as the page holds it."""

    data_uri: str
    width_px: int
    height_px: int
    alt: str


def fitted(frame: Frame) -> tuple[NDArray[np.uint8], float]:
    """The frame as a picture for people, (H, W, 3) BGR, and its size against the frame's."""
    shown = as_bgr8(frame.pixels, frame.pixel_format)
    height, width = shown.shape[:2]
    scale = min(_LONGER_SIDE_PX / max(height, width), max(1.0, _SHORTER_SIDE_PX / min(height, width)))
    if scale == 1:
        return shown, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(shown, size, interpolation=how), np.uint8), scale


def picture(pixels: NDArray[np.uint8], alt: str) -> Picture:
    """(H, W, 3) BGR as data; `alt` is for those who cannot see it."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    uri = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
    return Picture(data_uri=uri, width_px=pixels.shape[1], height_px=pixels.shape[0], alt=alt)
