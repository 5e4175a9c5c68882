"""What defects are painted on: good pictures, with the part in them told from its background where that is plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.train.bank_features import Planes
from lineside.train.defects import Canvas, Levels

__all__ = ["canvases", "cropped"]

_RIM: Final = 0.03
"""The rim of a picture, as a share of its shorter side."""
_RIM_ALIKE: Final = 0.8
"""So much of the rim has to look like its median, or there is no telling part from background."""
_PART_SHARE: Final = (0.03, 0.9)
_IN_ONE_PIECE: Final = 0.8
"""Of all that differs from the background, so much has to hang together."""
_LEAST_CONTRAST: Final = 0.06


def canvases(pictures: Sequence[Levels]) -> list[Canvas]:
    """One for each picture (C, H, W); the others are its donors."""
    made = []
    for index, planes in enumerate(pictures):
        part, background = _part(np.asarray(planes, np.float32))
        made.append(
            Canvas(
                planes=planes,
                part=part,
                background=background,
                donors=tuple(other for place, other in enumerate(pictures) if place != index),
                scale_px=min(planes.shape[1:]),
            )
        )
    return made


def cropped(canvas: Canvas, top: int, left: int, side_px: int) -> Canvas:
    """A square of the canvas; flaws on it are sized as those of the whole."""
    rows, columns = slice(top, top + side_px), slice(left, left + side_px)
    return Canvas(
        planes=np.asarray(canvas.planes[:, rows, columns], np.float32),
        part=None if canvas.part is None else canvas.part[rows, columns],
        background=canvas.background,
        donors=canvas.donors,
        scale_px=canvas.scale_px,
    )


def _part(planes: Planes) -> tuple[NDArray[np.bool_] | None, tuple[float, ...] | None]:
    """(H, W) of the part and the background's levels; None and None where the rim is not of one kind."""
    side = min(planes.shape[1:])
    rim = max(2, round(_RIM * side))
    ring = np.ones(planes.shape[1:], np.bool_)
    ring[rim:-rim, rim:-rim] = False
    background = np.median(planes[:, ring], axis=1)
    away = np.abs(planes - background[:, None, None]).max(axis=0)
    grey = np.asarray(np.clip(away * 255, 0, 255), np.uint8)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contrast = max(_LEAST_CONTRAST, float(level) / 255)
    if float((away[ring] < contrast).mean()) < _RIM_ALIKE:
        return None, None
    reach = max(3, side // 60) | 1
    closed = cv2.morphologyEx((away > contrast).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return None, None
    part = np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.bool_)
    if not _PART_SHARE[0] < float(part.mean()) < _PART_SHARE[1] or float(part[closed > 0].mean()) < _IN_ONE_PIECE:
        return None, None
    return part, tuple(float(value) for value in background)
