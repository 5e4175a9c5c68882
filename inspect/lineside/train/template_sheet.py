"""A picture for people: the centre, the spread, the worst good image and where it differs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.train.template import Planes
from lineside.train.template_package import TrainedTemplate

__all__ = ["contact_sheet"]

_TILE_WIDTH_PX = 560
_MARGIN_PX = 12
_CAPTION_PX = 34
_PAPER, _INK = (250, 250, 250), (40, 40, 40)


def contact_sheet(trained: TrainedTemplate, pixel_format: PixelFormat, worst_name: str) -> NDArray[np.uint8]:
    """Four captioned tiles as a BGR picture (H, W, 3)."""
    template = trained.template
    top = 255 / pixel_format.max_value
    spread = template.spread.max(axis=0)
    score = trained.worst_map
    worst = np.atleast_3d(trained.worst_image).astype(np.float32)
    tiles = (
        ("What a good part looks like", _shown(template.centre.transpose(1, 2, 0) * top, pixel_format)),
        ("Where good parts differ (bright: much)", _heat(spread / np.float32(np.quantile(spread, 0.99)))),
        (
            f"The good part that fits worst: {worst_name}",
            _shown(worst * top, pixel_format),
        ),
        (f"Its map (white: the limit); highest {float(score.max()):.2f}", _heat(score)),
    )
    drawn = [_tile(caption, picture) for caption, picture in tiles]
    sheet = np.vstack([np.hstack(drawn[:2]), np.hstack(drawn[2:])])
    return np.asarray(sheet, np.uint8)


def _shown(pixels: NDArray[np.floating], pixel_format: PixelFormat) -> NDArray[np.uint8]:
    eight = np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)
    if eight.shape[2] == 1:
        return np.repeat(eight, 3, axis=2)
    return np.ascontiguousarray(eight[:, :, ::-1]) if pixel_format is PixelFormat.RGB8 else eight


def _heat(values: Planes) -> NDArray[np.uint8]:
    grey = np.asarray(np.clip(values, 0, 1) * 255, np.uint8)
    return np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), np.uint8)


def _tile(caption: str, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = round(picture.shape[0] * _TILE_WIDTH_PX / picture.shape[1])
    small = cv2.resize(picture, (_TILE_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(
        small, _CAPTION_PX, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, cv2.BORDER_CONSTANT, value=_PAPER
    )
    place = (_MARGIN_PX, _CAPTION_PX - 11)
    cv2.putText(framed, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return np.asarray(framed, np.uint8)
