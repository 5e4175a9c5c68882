"""Finds the one part in a picture and brings it to the place, angle and scale of a reference: before any model looks.

Training and inspection call the same function, so that they see the same pixels. In order: what differs from the
background is a part; its smallest rotated rectangle gives place and angle; fine alignment to the reference (Evangelidis
and Psarakis, ECC, PAMI 2008) gives the rest. What cannot be found is said, never guessed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import NotLocated
from lineside.core.frame import Pixels

__all__ = ["Affine", "Located", "PartOutline", "PartPattern", "coarse_pose", "locate", "outlines", "warped"]

AREA_TOLERANCE: Final = 0.5
SIZE_TOLERANCE: Final = 0.35
"""How far, as a share, area and sides of a part may be from those of the reference."""

_SEGMENT_SIDE_PX: Final = 512
_SEARCH_SIDE_PX: Final = 96
_ALIGN_SIDE_PX: Final = 160
"""Long sides at which parts are segmented, searched for and aligned: larger ones take longer and find no better."""

_ASKEW_DEG: Final = (0.0, -12.0, 12.0, -24.0, 24.0)
_SEARCH_SHARE: Final = 0.15
"""Where a piece is missing the middle is elsewhere, too: so far to each side, as a share of the reference."""
_RING_SHARE: Final = 0.02
_BRUSH: Final = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_ITERATIONS: Final = 30
_CONVERGED: Final = 1e-5
_ECC_BLUR_PX: Final = 5
_MOST_STRETCH: Final = 0.1
"""How much the affine may stretch a part; beyond, it is only shifted and turned."""

_REMEDY: Final = "look at it with `lineside locate`; if it is a good part, train with pictures like it"

Affine = NDArray[np.float64]
"""(2, 3): x, y of the located picture to x, y of the frame, in pixels; x = 0 is the left edge of the first pixel."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PartPattern:
    """What the part looks like when it is well located.

    `reference` is a good part as pixels of the frames' format. A pixel is no background when a channel is more than
    `contrast` away from the background's, in pixel values. The part covers `area_px`, and its rectangle
    is `size_px` (width, height) in the reference. `turns`: the rectangle's angle is the part's; else parts only shift.
    """

    reference: Pixels
    contrast: float
    area_px: float
    size_px: tuple[float, float]
    turns: bool
    min_correlation: float


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
class Located:
    """The part as the model sees it, the way back to the frame, and how well it fits the reference (1: entirely)."""

    pixels: Pixels
    to_frame: Affine
    correlation: float


def locate(pixels: Pixels, pattern: PartPattern) -> Located:
    """Finds the part; `pixels` are a frame of the reference's format. Raises: NotLocated with the reason why not."""
    background, found = outlines(pixels, pattern.contrast, turns=pattern.turns)
    outline = _the_one(found, pattern)
    height, width = pattern.reference.shape[:2]
    pose = _nearest_pose(pixels, outline, pattern, background)
    wanted = _small_grey(pattern.reference, _ALIGN_SIDE_PX)
    seen = _small_grey(warped(pixels, pose, (width, height), background), _ALIGN_SIDE_PX)
    residual, correlation = _aligned(wanted, seen, pattern.min_correlation)
    to_frame = _composed(pose, _scaled(residual, width / wanted.shape[1], height / wanted.shape[0]))
    return Located(
        pixels=warped(pixels, to_frame, (width, height), background), to_frame=to_frame, correlation=correlation
    )


def outlines(pixels: Pixels, contrast: float, *, turns: bool) -> tuple[tuple[float, ...], list[PartOutline]]:
    """The background's value by channel, and every place that differs from it, the largest first."""
    height, width = pixels.shape[:2]
    factor = max(1, max(height, width) // _SEGMENT_SIDE_PX)
    small: NDArray[Any] = pixels
    if factor > 1:
        small = cv2.resize(pixels, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    background = _background(small)
    low, high = (tuple(value + sign * contrast for value in background) for sign in (-1, 1))
    mask = cv2.bitwise_not(cv2.inRange(small, low, high))
    mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _BRUSH), cv2.MORPH_OPEN, _BRUSH)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    step = np.array([width / small.shape[1], height / small.shape[0]])
    found = [_outline((contour[:, 0, :] + 0.5) * step, turns=turns) for contour in contours]
    return background, sorted(found, key=lambda outline: -outline.area_px)


def coarse_pose(outline: PartOutline, size_px: tuple[int, int], turn_deg: float) -> Affine:
    """Where a picture of `size_px` with the outline in its middle lies in the frame, turned by so much more."""
    angle = np.deg2rad(outline.angle_deg + turn_deg)
    across = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array(outline.centre_px) - across @ (np.array(size_px) / 2)
    return np.column_stack([across, shift])


def warped(pixels: NDArray[Any], to_frame: Affine, size_px: tuple[int, int], background: tuple[float, ...]) -> Any:
    """The frame as seen through `to_frame`, (h, w) or (h, w, 3); what lies beyond the frame is background."""
    # OpenCV counts from the middle of the first pixel.
    half = np.array([0.5, 0.5])
    matrix = np.column_stack([to_frame[:, :2], to_frame[:, 2] + to_frame[:, :2] @ half - half])
    return cv2.warpAffine(
        pixels,
        matrix,
        size_px,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=background,
    )


def _background(pixels: NDArray[Any]) -> tuple[float, ...]:
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


def _the_one(found: list[PartOutline], pattern: PartPattern) -> PartOutline:
    """The only part, of about the right size. Raises: NotLocated."""
    wanted = f"one part of about {pattern.area_px:.0f} px² ({_sides(pattern.size_px)})"
    parts = [outline for outline in found if outline.area_px >= pattern.area_px * (1 - AREA_TOLERANCE)]
    if not parts:
        largest = f"the largest place that differs from the background has {found[0].area_px:.0f} px²" if found else ""
        raise NotLocated(f"no part in the picture{largest and ': ' + largest}", expected=wanted, remedy=_REMEDY)
    if len(parts) > 1:
        raise NotLocated(f"{len(parts)} parts in the picture", expected=wanted, remedy=_REMEDY)
    (part,) = parts
    sides = zip(sorted(part.size_px), sorted(pattern.size_px), strict=True)
    if part.area_px > pattern.area_px * (1 + AREA_TOLERANCE) or any(
        abs(side - usual) > SIZE_TOLERANCE * usual for side, usual in sides
    ):
        raise NotLocated(
            f"what is in the picture has {part.area_px:.0f} px² ({_sides(part.size_px)})",
            expected=wanted,
            remedy=_REMEDY,
        )
    return part


def _sides(size_px: tuple[float, float]) -> str:
    return f"{max(size_px):.0f} x {min(size_px):.0f} px"


def _nearest_pose(
    pixels: Pixels,
    outline: PartOutline,
    pattern: PartPattern,
    background: tuple[float, ...],
) -> Affine:
    """Of the poses that the outline allows, the one that looks most like the reference."""
    height, width = pattern.reference.shape[:2]
    wanted = _small_grey(pattern.reference, _SEARCH_SIDE_PX)
    rows, columns = wanted.shape
    step_x, step_y = width / columns, height / rows
    size = max(16, round(pixels.shape[1] / step_x)), max(16, round(pixels.shape[0] / step_y))
    small, ground = _grey(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)), (float(np.mean(background)),)

    margin_x, margin_y = round(columns * _SEARCH_SHARE), round(rows * _SEARCH_SHARE)
    around = (columns + 2 * margin_x, rows + 2 * margin_y)
    best, nearest = -math.inf, np.eye(2, 3)
    for turn in _turns(outline, pattern):
        pose = _shifted(coarse_pose(outline, (width, height), turn), -margin_x * step_x, -margin_y * step_y)
        view = warped(small, _scaled(pose, 1 / step_x, 1 / step_y), around, ground)
        _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(view, wanted, cv2.TM_CCOEFF_NORMED))
        if likeness > best:
            best, nearest = likeness, _shifted(pose, x * step_x, y * step_y)
    return nearest


def _turns(outline: PartOutline, pattern: PartPattern) -> tuple[float, ...]:
    """By how much more the part may be turned, in degrees, for its sides to lie as the reference's do.

    Where a piece is missing the rectangle is askew: some degrees to either side are tried as well.
    """
    if not pattern.turns:
        return (0.0,)
    width, height = pattern.size_px
    long, short = max(outline.size_px), min(outline.size_px)
    quarters: tuple[float, ...] = (0.0, 90.0, 180.0, 270.0)
    if long >= 1.15 * short or max(pattern.size_px) >= 1.3 * min(pattern.size_px):
        lies_alike = (outline.size_px[0] >= outline.size_px[1]) == (width >= height)
        quarters = (0.0, 180.0) if lies_alike else (90.0, 270.0)
    return tuple(quarter + askew for quarter in quarters for askew in _ASKEW_DEG)


def _small_grey(pixels: Pixels, side_px: int) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    share = min(1.0, side_px / max(height, width))
    size = max(16, round(width * share)), max(16, round(height * share))
    return _grey(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _grey(pixels: NDArray[Any]) -> NDArray[np.float32]:
    values = pixels.astype(np.float32)
    return values if values.ndim == 2 else np.asarray(cv2.transform(values, np.full((1, 3), 1 / 3)), np.float32)


def _aligned(wanted: NDArray[np.float32], seen: NDArray[np.float32], min_correlation: float) -> tuple[Affine, float]:
    """The affine that lays `seen` onto `wanted`, as a map from the one to the other. Raises: NotLocated."""
    affine, correlation = _ecc(wanted, seen, cv2.MOTION_AFFINE)
    if correlation < min_correlation or _stretch(affine) > _MOST_STRETCH:
        # Where a piece is missing the affine pulls what is left out of shape; shift and angle still hold.
        affine, correlation = _ecc(wanted, seen, cv2.MOTION_EUCLIDEAN)
    if correlation < min_correlation:
        raise NotLocated(
            f"the part fits the reference with a correlation of {max(correlation, 0):.2f}",
            expected=f"at least {min_correlation:.2f}",
            remedy=_REMEDY,
        )
    return affine, correlation


def _ecc(wanted: NDArray[np.float32], seen: NDArray[np.float32], motion: int) -> tuple[Affine, float]:
    """The motion and its correlation, -1 where the search runs away."""
    start, everywhere = np.eye(2, 3, dtype=np.float32), np.full(seen.shape, 255, np.uint8)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ITERATIONS, _CONVERGED)
    try:
        correlation, matrix = cv2.findTransformECC(wanted, seen, start, motion, criteria, everywhere, _ECC_BLUR_PX)
    except cv2.error:
        return np.eye(2, 3), -1.0
    affine = np.asarray(matrix, np.float64)
    # From OpenCV's middles of pixels to edges.
    half = np.array([0.5, 0.5])
    affine[:, 2] += half - affine[:, :2] @ half
    return affine, float(correlation)


def _stretch(affine: Affine) -> float:
    return float(np.abs(np.linalg.svd(affine[:, :2], compute_uv=False) - 1).max())


def _scaled(affine: Affine, step_x: float, step_y: float) -> Affine:
    """The same motion where pixels are so many times smaller."""
    step = np.diag([step_x, step_y])
    return np.column_stack([step @ affine[:, :2] @ np.linalg.inv(step), step @ affine[:, 2]])


def _shifted(pose: Affine, x_px: float, y_px: float) -> Affine:
    """The pose of a picture whose left upper corner lies at (x, y) of the one before."""
    return np.column_stack([pose[:, :2], pose[:, 2] + pose[:, :2] @ (x_px, y_px)])


def _composed(outer: Affine, inner: Affine) -> Affine:
    """First `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])
