"""Finds a target's points in a picture, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.sheet import MARKER_SHARE, marker_dictionary
from lineside.calibrate.target import Target
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["Found", "find_target", "grey_of", "white_beside"]

MIN_POINTS = 8
"""Fewer say little about a pose; four is the least at all."""

MAX_EDGE_PX = 6.0
"""An edge blurred by a Gaussian of s px is 2.5 s wide. Beyond this the points of neighbouring squares run together."""

_WHITE_WITHIN = 1.7
"""Diagonal of a square, 1.4, and some: a window of so many squares always holds white."""

_WHITE = 220.0

_EDGE_WINDOW_PX = (3, 12)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Found:
    """What was found in one picture. `trouble` says why the picture is of no use; then the points may be empty.

    `ids` is int (N,), counting the target's points; `points_px` and `points_mm` are float64 (N, 2), the latter as the
    print really is. `edge_px` is how wide the picture's edges are.
    """

    name: str
    ids: NDArray[np.intp]
    points_px: NDArray[np.float64]
    points_mm: NDArray[np.float64]
    edge_px: float = 0.0
    trouble: str = ""


def grey_of(pixels: Pixels, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """The picture as uint8 (H, W) for looking for points: deeper pixels are scaled down, colours joined."""
    if pixel_format.channels == 3:
        order = cv2.COLOR_RGB2GRAY if pixel_format is PixelFormat.RGB8 else cv2.COLOR_BGR2GRAY
        return np.asarray(cv2.cvtColor(pixels, order), np.uint8)
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=255 / pixel_format.max_value), np.uint8)


def find_target(
    name: str, grey: NDArray[np.uint8], target: Target, print_scale: tuple[float, float] = (1.0, 1.0)
) -> Found:
    """The target's points in one picture, uint8 (H, W). `print_scale` is true over nominal size, across and down."""
    find = {"charuco": _corners_by_marker, "checkerboard": _corners, "dots": _dots}[target.table.kind]
    ids, points = find(grey, target)
    if len(ids) >= MIN_POINTS:
        ids, points = find(_evenly_lit(grey, _nearest(points)), target)
    edge = _edge_width(grey, points) if len(points) else 0.0
    trouble = ""
    if len(ids) < MIN_POINTS:
        trouble = (
            f"{len(ids)} of {len(target.points_mm)} points found, at least {MIN_POINTS} are needed: "
            "out of view, blurred, in glare or too far away"
        )
        if target.table.kind == "charuco" and (others := _other_markers(grey, target)):
            trouble += f"; it shows markers {others[0]} to {others[-1]}, which are another target's"
    elif edge > MAX_EDGE_PX:
        trouble = f"blurred: edges are {edge:.1f} px wide, at most {MAX_EDGE_PX:g} px are of use"
    return Found(
        name=name,
        ids=ids,
        points_px=points,
        points_mm=target.points_mm[ids] * print_scale,
        edge_px=edge,
        trouble=trouble,
    )


def white_beside(pixels: Pixels, pixel_format: PixelFormat, points_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """How bright the target's white is beside each point, float64 (N, colours), as shares of the largest value.

    The 90th percentile within a square's width of the point, where half of everything is white.
    """
    if len(points_px) < 2:
        return np.zeros((len(points_px), pixel_format.channels))
    reach = max(2, int(0.75 * _nearest(points_px)))
    solid = pixels.reshape(*pixels.shape[:2], pixel_format.channels)
    white = []
    for x, y in np.rint(points_px).astype(int):
        patch = solid[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        white.append(np.percentile(patch.reshape(-1, pixel_format.channels), 90, axis=0))
    return np.array(white) / pixel_format.max_value


def _corners_by_marker(grey: NDArray[np.uint8], target: Target) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    table = target.table
    every, count = marker_dictionary(), table.columns * table.rows // 2
    # Each candidate is held against every code: with the target's own alone that takes a ninth of the time. Codes of
    # other targets still differ from them by more bits than may be corrected.
    own = cv2.aruco.Dictionary(
        np.ascontiguousarray(every.bytesList[table.first_marker : table.first_marker + count]),
        every.markerSize,
        every.maxCorrectionBits,
    )
    board = cv2.aruco.CharucoBoard(
        (table.columns, table.rows), table.pitch_mm, table.pitch_mm * MARKER_SHARE, own, np.arange(count)
    )
    corners, ids, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(grey)
    if ids is None or len(ids) == 0:
        return _nothing()
    return ids.ravel().astype(np.intp), np.asarray(corners, np.float64).reshape(-1, 2)


def _corners(grey: NDArray[np.uint8], target: Target) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    size = (target.table.columns - 1, target.table.rows - 1)
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
    found, corners = cv2.findChessboardCornersSB(grey, size, flags=flags)
    if not found:
        return _nothing()
    return np.arange(size[0] * size[1]), np.asarray(corners, np.float64).reshape(-1, 2)


def _dots(grey: NDArray[np.uint8], target: Target) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    size = (target.table.columns, target.table.rows)
    found, centres = cv2.findCirclesGrid(grey, size, flags=cv2.CALIB_CB_SYMMETRIC_GRID)
    if not found:
        return _nothing()
    return np.arange(size[0] * size[1]), np.asarray(centres, np.float64).reshape(-1, 2)


def _nothing() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    return np.zeros(0, np.intp), np.zeros((0, 2))


def _nearest(points: NDArray[np.floating]) -> float:
    """Smallest distance between neighbours, in px, a few outliers aside."""
    away = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(away, np.inf)
    return float(np.percentile(away.min(axis=1), 5))


def _evenly_lit(grey: NDArray[np.uint8], pitch_px: float) -> NDArray[np.uint8]:
    """The picture over the brightness of its white, which is taken from wherever a square's width away is white.

    Corners lie off towards the darker side: with corners 60 % darker than the middle, a target seems 0.07 ‰ smaller.
    """
    side = int(_WHITE_WITHIN * pitch_px) | 1
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    calm = cv2.GaussianBlur(grey, (0, 0), 1.0)
    white = cv2.morphologyEx(calm, cv2.MORPH_CLOSE, window, borderType=cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(white.astype(np.float32), (0, 0), pitch_px)
    return np.asarray(np.clip(np.rint(grey * (_WHITE / np.maximum(smooth, 1.0))), 0, 255), np.uint8)


def _other_markers(grey: NDArray[np.uint8], target: Target) -> list[int]:
    _, ids, _ = cv2.aruco.ArucoDetector(marker_dictionary()).detectMarkers(grey)
    table = target.table
    own = range(table.first_marker, table.first_marker + table.columns * table.rows // 2)
    return sorted(int(marker) for marker in ([] if ids is None else ids.ravel()) if int(marker) not in own)


def _edge_width(grey: NDArray[np.uint8], points: NDArray[np.float64]) -> float:
    """How many pixels an edge near the points takes from dark to bright: contrast over steepest slope, the median."""
    half = int(np.clip(_nearest(points) * 0.4, *_EDGE_WINDOW_PX)) if len(points) > 1 else _EDGE_WINDOW_PX[1]
    widths = []
    for x, y in np.rint(points[:: max(1, len(points) // 40)]).astype(int):
        if not (half <= x < grey.shape[1] - half and half <= y < grey.shape[0] - half):
            continue
        patch = cv2.GaussianBlur(grey[y - half : y + half + 1, x - half : x + half + 1], (3, 3), 0).astype(np.float32)
        slope = np.hypot(cv2.Sobel(patch, cv2.CV_32F, 1, 0), cv2.Sobel(patch, cv2.CV_32F, 0, 1)) / 8
        widths.append(float(np.ptp(patch) / max(1e-6, np.percentile(slope, 98))))
    return float(np.median(widths)) if widths else 0.0
