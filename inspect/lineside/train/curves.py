"""How a fit went, as a picture for people: loss and score over the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CURVES_RECORD", "Curve", "curves_picture", "encoded_curves"]

CURVES_RECORD: Final = "training/curves.png"
"""Where the picture lies in a package."""

_WIDTH_PX, _HEIGHT_PX = 900, 300
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 80, 30, 44, 44
_PAPER, _INK, _GRID = (250, 250, 250), (40, 40, 40), (215, 215, 215)
_LINE: Final = (160, 90, 30)
_MARKED: Final = (60, 140, 40)
_GRID_LINES: Final = 4

Curve = tuple[str, Sequence[tuple[float, float]]]
"""A caption, and points (step, value) in the order of the steps; points that are no numbers are left out."""


def curves_picture(curves: Sequence[Curve], marked_step: int) -> NDArray[np.uint8]:
    """One panel for each curve below the other, as a BGR picture; the step whose weights were kept is marked."""
    last = max((step for _, points in curves for step, _ in points), default=1)
    return np.asarray(np.vstack([_panel(caption, points, last, marked_step) for caption, points in curves]), np.uint8)


def encoded_curves(curves: Sequence[Curve], marked_step: int) -> bytes:
    """The picture as a PNG file."""
    return bytes(cv2.imencode(".png", curves_picture(curves, marked_step))[1].tobytes())


def _panel(caption: str, points: Sequence[tuple[float, float]], last: float, marked_step: int) -> NDArray[np.uint8]:
    panel = np.full((_HEIGHT_PX, _WIDTH_PX, 3), _PAPER, np.uint8)
    known = [(step, value) for step, value in points if math.isfinite(value)]
    _write(panel, caption, (_LEFT_PX, _TOP_PX - 16), 0.55)
    if not known:
        _write(panel, "not known", (_LEFT_PX, _HEIGHT_PX // 2), 0.55)
        return panel
    low, high = min(value for _, value in known), max(value for _, value in known)
    high = high if high > low else low + max(abs(low) * 0.1, 1e-6)
    for part in range(_GRID_LINES + 1):
        share = part / _GRID_LINES
        x, y = _at(share, share)
        cv2.line(panel, (_LEFT_PX, y), (_WIDTH_PX - _RIGHT_PX, y), _GRID, 1)
        _write(panel, f"{low + share * (high - low):.3g}", (8, y + 5), 0.45)
        _write(panel, f"{share * last:.0f}", (x - 14, _HEIGHT_PX - 16), 0.45)
    x, _ = _at(min(1.0, marked_step / last), 0)
    cv2.line(panel, (x, _TOP_PX), (x, _HEIGHT_PX - _BOTTOM_PX), _MARKED, 1)
    line = np.array([_at(step / last, (value - low) / (high - low)) for step, value in known], np.int32)
    cv2.polylines(panel, [line], isClosed=False, color=_LINE, thickness=2, lineType=cv2.LINE_AA)
    for point in line:
        cv2.circle(panel, (int(point[0]), int(point[1])), 3, _LINE, -1, cv2.LINE_AA)
    return panel


def _at(across: float, up: float) -> tuple[int, int]:
    """Pixel of a point given as shares of the axes."""
    width, height = _WIDTH_PX - _LEFT_PX - _RIGHT_PX, _HEIGHT_PX - _TOP_PX - _BOTTOM_PX
    return round(_LEFT_PX + across * width), round(_HEIGHT_PX - _BOTTOM_PX - up * height)


def _write(panel: NDArray[np.uint8], text: str, place: tuple[int, int], size: float) -> None:
    cv2.putText(panel, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
