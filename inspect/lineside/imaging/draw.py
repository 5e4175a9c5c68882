"""Draws what was found onto a picture, for people: boxes, outlines, sizes, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.calibration import COVERAGE_FACTOR
from lineside.core.finding import Defect
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.core.verdict import Outcome

__all__ = ["as_bgr8", "draw_verdict"]

_COLOURS_BGR = {
    Outcome.PASS: (80, 175, 76),
    Outcome.FAIL: (54, 67, 244),
    Outcome.NOT_INSPECTED: (0, 152, 255),
}
_BANNER_PX = 34


def as_bgr8(pixels: Pixels, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """The picture as (H, W, 3) uint8 in blue, green, red, whatever its format: for looking at, not for measuring."""
    if pixel_format is PixelFormat.BGR8:
        return np.array(pixels, np.uint8)
    if pixel_format is PixelFormat.RGB8:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    grey = pixels if pixels.dtype == np.uint8 else (pixels.astype(np.float32) * (255 / pixel_format.max_value))
    return np.asarray(cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)


def draw_verdict(
    picture: NDArray[np.uint8], outcome: Outcome, caption: str, defects: Sequence[Defect]
) -> NDArray[np.uint8]:
    """The picture, (H, W, 3) BGR, with its defects outlined and a banner on top; a new array, higher by the banner."""
    colour = _COLOURS_BGR.get(outcome, _COLOURS_BGR[Outcome.NOT_INSPECTED])
    canvas = picture.copy()
    for defect in defects:
        finding, box = defect.finding, defect.finding.box
        if finding.contour_px:
            outline = np.round(np.array(finding.contour_px)).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(canvas, [outline], isClosed=True, color=colour, thickness=1, lineType=cv2.LINE_AA)
        left, top = round(box.x_px) - 4, round(box.y_px) - 4
        right, bottom = round(box.x_px + box.width_px) + 4, round(box.y_px + box.height_px) + 4
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, 2, cv2.LINE_AA)
        _write(
            canvas,
            f"{finding.class_name} {_size(defect)}",
            (max(2, left), top - 5 if top > 20 else bottom + 16),
            colour,
        )
    banner = np.full((_BANNER_PX, canvas.shape[1], 3), 32, np.uint8)
    cv2.rectangle(banner, (0, 0), (8, _BANNER_PX), colour, cv2.FILLED)
    _write(banner, f"{outcome.name}  {caption}", (18, 22), (255, 255, 255))
    return np.vstack([banner, canvas])


def _size(defect: Defect) -> str:
    """The length; in mm with its expanded uncertainty, as the verdict's sentence tells it."""
    if defect.length_mm is None:
        return f"{defect.finding.length_px:.0f} px"
    reach = COVERAGE_FACTOR * (defect.length_uncertainty_mm or 0.0)
    return f"{defect.length_mm:.3g}" + (f" ± {reach:.2g}" if 0 < reach < math.inf else "") + " mm"


def _write(canvas: NDArray[np.uint8], text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.5
    (width, height), below = cv2.getTextSize(text, font, scale, 1)
    x, y = max(0, min(at[0], canvas.shape[1] - width - 4)), at[1]
    # On a dark ground: readable on any picture.
    cv2.rectangle(canvas, (x - 3, y - height - 3), (x + width + 3, y + below), (32, 32, 32), cv2.FILLED)
    cv2.putText(canvas, text, (x, y), font, scale, colour, 1, cv2.LINE_AA)
