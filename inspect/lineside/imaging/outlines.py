"""What differs from the ground in a picture: places, their areas, and the rectangles around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Pixels
from lineside.imaging.pose import Affine

__all__ = ["Ground", "PartOutline", "coarse_pose", "ground_of", "outlines"]

_SEGMENT_SIDE_PX: Final = 512
"""Long side at which parts are segmented."""
_RING_SHARE: Final = 0.02
_BRUSH: Final = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))


@dataclass(frozen=True, kw_only=True, slots=True)
class PartOutline:
    """One place that differs from the background, in frame pixels: area, and a rectangle around it.

    The rectangle is turned by `angle_deg` (clockwise in the picture, from -45 to 45); 0 where angles do not count.
    """

    area_px: float
    centre_px: tuple[float, float]
    size_px: tuple[float, float]
    angle_deg: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ground:
    """The background's value by channel; what is not ground as a mask of 0 and 255, reduced; and its contours.

    Contours (n, 2) run through the middles of outermost pixels, in pixels of the frame.
    """

    value: tuple[float, ...]
    parts: NDArray[np.uint8]
    contours: tuple[NDArray[np.float64], ...]


def ground_of(pixels: Pixels, contrast: float) -> Ground:
    """A pixel is no ground where a channel is more than `contrast` away from the median of the picture's rim."""
    height, width = pixels.shape[:2]
    factor = max(1, max(height, width) // _SEGMENT_SIDE_PX)
    small: NDArray[Any] = pixels
    if factor > 1:
        small = cv2.resize(pixels, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    value = _rim(small)
    low, high = (tuple(each + sign * contrast for each in value) for sign in (-1, 1))
    mask = cv2.bitwise_not(cv2.inRange(small, low, high))
    mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _BRUSH), cv2.MORPH_OPEN, _BRUSH)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    step = np.array([width / small.shape[1], height / small.shape[0]])
    return Ground(
        value=value,
        parts=np.asarray(mask, np.uint8),
        contours=tuple((contour[:, 0, :] + 0.5) * step for contour in contours),
    )


def outlines(ground: Ground, *, turns: bool) -> list[PartOutline]:
    """Every place that differs from the ground, the largest first."""
    return sorted((_outline(each, turns=turns) for each in ground.contours), key=lambda outline: -outline.area_px)


def coarse_pose(centre_px: tuple[float, float], size_px: tuple[int, int], angle_deg: float) -> Affine:
    """Where a picture of `size_px` with its middle at `centre_px` of the frame lies there, turned by the angle."""
    angle = np.deg2rad(angle_deg)
    across = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([across, np.array(centre_px) - across @ (np.array(size_px) / 2)])


def _rim(pixels: NDArray[Any]) -> tuple[float, ...]:
    """The median of the picture's rim, by channel."""
    rim = max(2, round(min(pixels.shape[:2]) * _RING_SHARE))
    sides = (pixels[:rim], pixels[-rim:], pixels[:, :rim], pixels[:, -rim:])
    ring = np.concatenate([side.reshape(-1, *pixels.shape[2:]) for side in sides])
    return tuple(float(value) for value in np.atleast_1d(np.median(ring, axis=0)))


def _outline(points: NDArray[np.float64], *, turns: bool) -> PartOutline:
    """Of a contour (n, 2) through the middles of its outermost pixels."""
    corners = points.astype(np.float32)
    area = float(cv2.contourArea(corners)) + float(cv2.arcLength(corners, True)) / 2
    if not turns:
        low, high = points.min(axis=0), points.max(axis=0)
        centre, size = (low + high) / 2, high - low + 1
        return PartOutline(
            area_px=area,
            centre_px=(float(centre[0]), float(centre[1])),
            size_px=(float(size[0]), float(size[1])),
            angle_deg=0.0,
        )
    (x, y), (width, height), angle = cv2.minAreaRect(corners)
    quarters = round(angle / 90)
    if quarters % 2:
        width, height = height, width
    return PartOutline(
        area_px=area, centre_px=(x, y), size_px=(width + 1.0, height + 1.0), angle_deg=angle - 90 * quarters
    )
