"""A sheet as pixels: every edge lies where it belongs, to a fraction of a pixel."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.sheet import Disc, Rectangle, Sheet, Text

__all__ = ["pixels_of", "png_of"]

_SIGNATURE_AND_HEADER_BYTES = 8 + 25


def pixels_of(sheet: Sheet, px_per_mm: float) -> NDArray[np.uint8]:
    """The sheet as uint8 (H, W), 255 white. A place in mm lies at px = mm * px_per_mm - 0.5, by pixel centres."""
    width, height = (round(side * px_per_mm) for side in sheet.size_mm)
    ink = np.zeros((height, width), np.uint8)
    for box in sheet.rectangles:
        _fill(ink, box, px_per_mm)
    for disc in sheet.discs:
        _dot(ink, disc, px_per_mm)
    for line in sheet.texts:
        _write(ink, line, px_per_mm)
    return 255 - ink


def png_of(sheet: Sheet, dots_per_inch: int) -> bytes:
    """The sheet as a PNG file that states its scale."""
    data = cv2.imencode(".png", pixels_of(sheet, dots_per_inch / 25.4))[1].tobytes()
    per_metre = round(dots_per_inch / 0.0254)
    # OpenCV writes no scale: a pHYs chunk behind the header (PNG specification, 11.3.4.3).
    body = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_SIGNATURE_AND_HEADER_BYTES] + chunk + data[_SIGNATURE_AND_HEADER_BYTES:]


def _fill(ink: NDArray[np.uint8], box: Rectangle, px_per_mm: float) -> None:
    rows, down = _covered(box.y_mm * px_per_mm, box.height_mm * px_per_mm, ink.shape[0])
    columns, across = _covered(box.x_mm * px_per_mm, box.width_mm * px_per_mm, ink.shape[1])
    covered = np.rint(np.outer(down, across) * 255).astype(np.uint8)
    ink[rows, columns] = cv2.add(ink[rows, columns], covered)  # saturates; neighbours share a pixel


def _covered(start: float, length: float, most: int) -> tuple[slice, NDArray[np.float64]]:
    """The pixels that an interval touches, and how much of each it covers."""
    first, end = max(0, int(np.floor(start))), min(most, int(np.ceil(start + length)))
    left = np.arange(first, end)
    share = np.minimum(left + 1, start + length) - np.maximum(left, start)
    return slice(first, end), np.clip(share, 0, 1)


def _dot(ink: NDArray[np.uint8], disc: Disc, px_per_mm: float) -> None:
    x, y, radius = (value * px_per_mm for value in (disc.x_mm, disc.y_mm, disc.radius_mm))
    top, left = int(y - radius) - 1, int(x - radius) - 1
    side = int(2 * radius) + 4
    rows, columns = np.mgrid[top : top + side, left : left + side]
    away = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
    ink[top : top + side, left : left + side] |= np.rint(np.clip(radius - away + 0.5, 0, 1) * 255).astype(np.uint8)


def _write(ink: NDArray[np.uint8], line: Text, px_per_mm: float) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    thickness = max(1, round(line.size_mm * px_per_mm / 9))
    scale = cv2.getFontScaleFromHeight(font, max(1, round(line.size_mm * px_per_mm)), thickness)
    (width, _), _ = cv2.getTextSize(line.text, font, scale, thickness)
    x = line.x_mm * px_per_mm - (width / 2 if line.centred else 0)
    cv2.putText(ink, line.text, (round(x), round(line.y_mm * px_per_mm)), font, scale, 255, thickness, cv2.LINE_AA)
