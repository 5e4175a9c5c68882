"""Connected places of high score on a score map, as findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import Box, Finding, ScoreMap
from lineside.imaging.regions import Mask

__all__ = ["MAX_BLOBS", "MAX_CONTOUR_POINTS", "find_blobs", "highest_score", "outline"]

MAX_BLOBS = 1000
"""A flood of specks (a dead lamp, a torn belt) must not cost the due time: beyond it only the largest are measured."""

MAX_CONTOUR_POINTS = 64
"""Enough for a person to see the shape, little enough for the wire."""

Contour = NDArray[Any]
"""(n, 1, 2), x and y of the outermost pixels."""


def highest_score(score_map: ScoreMap, mask: Mask) -> float:
    """The highest value of the map inside the mask, which is not empty."""
    return float(cv2.minMaxLoc(score_map.values, mask)[1])


def find_blobs(score_map: ScoreMap, mask: Mask, min_score: float) -> tuple[Finding, ...]:
    """Groups of touching map pixels (sides or corners) inside the mask with a score of at least `min_score`.

    `mask` has the map's shape. Everything returned is in frame pixels: the score is the group's highest, the area
    counts its map pixels, the length is the longer side of the smallest rotated rectangle around it, edge to edge.
    Ordered by place: top to bottom, then left to right.
    """
    values = score_map.values
    if values.max() < min_score:  # nearly every frame of a good line ends here
        return ()
    hot = (values >= min_score).view(np.uint8)
    cv2.bitwise_and(hot, mask, dst=hot)
    # Two-level hierarchy: a blob in the hole of another one is a blob of its own, and holes add no area.
    contours, hierarchy = cv2.findContours(hot, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outer = [index for index in range(len(contours)) if hierarchy[0][index][3] < 0]
    if len(outer) > MAX_BLOBS:
        outer = sorted(outer, key=lambda index: -len(contours[index]))[:MAX_BLOBS]
    findings = [_finding(score_map, hot, contours, hierarchy[0], index) for index in outer]
    return tuple(sorted(findings, key=lambda found: (found.box.y_px, found.box.x_px, -found.score, found.area_px)))


def _finding(
    score_map: ScoreMap, hot: Mask, contours: Sequence[Contour], hierarchy: NDArray[Any], index: int
) -> Finding:
    contour = contours[index]
    x, y, width, height = cv2.boundingRect(contour)
    place = np.s_[y : y + height, x : x + width]
    blob = np.zeros((height, width), dtype=np.uint8)
    rings = [contour]
    hole = hierarchy[index][2]
    while hole >= 0:
        rings.append(contours[hole])
        hole = hierarchy[hole][0]
    cv2.fillPoly(blob, rings, 1, offset=(-x, -y))
    blob &= hot[place]
    step_x, step_y = score_map.step_x_px, score_map.step_y_px
    centres = (contour[:, 0, :] + 0.5) * (step_x, step_y) + (score_map.left_px, score_map.top_px)
    # The rectangle is drawn through the centres of the outermost pixels: half a pixel is missing at either end.
    length_px = max(cv2.minAreaRect(centres.astype(np.float32))[1]) + max(step_x, step_y)
    return Finding(
        class_name=score_map.class_name,
        score=float(cv2.minMaxLoc(score_map.values[place], blob)[1]),
        box=Box(
            x_px=score_map.left_px + x * step_x,
            y_px=score_map.top_px + y * step_y,
            width_px=width * step_x,
            height_px=height * step_y,
        ),
        area_px=cv2.countNonZero(blob) * step_x * step_y,
        length_px=float(length_px),
        contour_px=outline(centres),
        grid_px=max(step_x, step_y),
    )


def outline(centres: NDArray[Any]) -> tuple[tuple[float, float], ...]:
    """A closed line through `centres` (n, 2) with at most `MAX_CONTOUR_POINTS` corners."""
    points = centres.astype(np.float32).reshape(-1, 1, 2)
    tolerance_px = 0.5
    corners = cv2.approxPolyDP(points, tolerance_px, True)
    while len(corners) > MAX_CONTOUR_POINTS:
        tolerance_px *= 2
        corners = cv2.approxPolyDP(points, tolerance_px, True)
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in corners.reshape(-1, 2))
