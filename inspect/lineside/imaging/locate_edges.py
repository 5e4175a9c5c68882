"""Finds a part that nothing sets off from its ground, by its edges: searched for on a small picture, then aligned.

Brightness may change and the ground be anything; what counts is where edges are, and how strong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from lineside.core.errors import NotLocated
from lineside.core.frame import Pixels
from lineside.imaging.align import ALIGN_SIDE_PX, Planes, aligned, grey, small_grey
from lineside.imaging.located import LOCATE_REMEDY, Located, misfit
from lineside.imaging.pose import Affine, AffinePose, composed, scaled, shifted, warped

__all__ = ["EdgesPattern", "locate_edges"]

_SEARCH_SIDE_PX: Final = 96
_STEP_DEG: Final = 5.0
_ANOTHER: Final = 0.92
"""A second place that is as much like the part as this share of the first is a second part."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EdgesPattern:
    """What the part looks like when it is well located.

    `reference` is a good part as pixels of the frames' format; by its rim, `margin_px` wide (across, down), nothing is
    found, but it is looked at. Parts are turned by at most `most_turn_deg` to either side.
    """

    reference: Pixels
    margin_px: tuple[int, int]
    most_turn_deg: float
    min_correlation: float


def locate_edges(pixels: Pixels, pattern: EdgesPattern) -> Located:
    """Finds the part; `pixels` are a frame of the reference's format. Raises: NotLocated with the reason why not."""
    height, width = pattern.reference.shape[:2]
    left, top = pattern.margin_px
    core = pattern.reference[top : height - top, left : width - left]
    size = core.shape[1], core.shape[0]
    pose = _nearest(grey(pixels), grey(core), pattern.most_turn_deg)
    wanted = small_grey(core, ALIGN_SIDE_PX)
    seen = small_grey(warped(pixels, pose, size), ALIGN_SIDE_PX)
    residual, correlation = aligned(wanted, seen, pattern.min_correlation)
    if correlation < pattern.min_correlation:
        raise misfit(correlation, pattern.min_correlation)
    inner = composed(pose, scaled(residual, size[0] / wanted.shape[1], size[1] / wanted.shape[0]))
    matrix = shifted(inner, -left, -top)
    return Located(
        pixels=warped(pixels, matrix, (width, height)), pose=AffinePose(matrix=matrix), correlation=correlation
    )


def _nearest(frame: Planes, core: Planes, most_turn_deg: float) -> Affine:
    """The pose of the core in the frame at which their edges are most alike. Raises: NotLocated."""
    share = min(1.0, _SEARCH_SIDE_PX / max(core.shape))
    wanted = _edges(_reduced(core, share))
    small = _reduced(frame, share)
    steps = math.ceil(most_turn_deg / _STEP_DEG)
    turns = [0.0, *(sign * most_turn_deg * step / steps for step in range(1, steps + 1) for sign in (1, -1))]
    best, nearest, at = -math.inf, np.eye(2, 3), None
    for turn in turns:
        pose, around = _turned(small, wanted, turn)
        view = _edges(warped(small, pose, around))
        likeness = np.asarray(cv2.matchTemplate(view, wanted, cv2.TM_CCOEFF_NORMED), np.float32)
        _, highest, _, (x, y) = cv2.minMaxLoc(likeness)
        if highest > best:
            best, nearest, at = highest, shifted(pose, x, y), (likeness, x, y)
    if at is not None:
        likeness, x, y = at
        _check_alone(likeness, x, y, best=best, wanted=wanted)
    step_x, step_y = core.shape[1] / wanted.shape[1], core.shape[0] / wanted.shape[0]
    return scaled(nearest, step_x, step_y)


def _turned(small: Planes, wanted: Planes, turn_deg: float) -> tuple[Affine, tuple[int, int]]:
    """A view of the whole turned frame, with room around it for parts at its edge: its pose and size."""
    angle = np.deg2rad(turn_deg)
    across = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    height, width = small.shape
    sides = np.abs(across.T) @ (width, height) + 0.2 * np.array([wanted.shape[1], wanted.shape[0]])
    size = (max(wanted.shape[1], round(float(sides[0]))), max(wanted.shape[0], round(float(sides[1]))))
    shift = np.array([width, height]) / 2 - across @ (np.array(size) / 2)
    return np.column_stack([across, shift]), size


def _check_alone(likeness: Planes, x: int, y: int, *, best: float, wanted: Planes) -> None:
    elsewhere = likeness.copy()
    rows, columns = wanted.shape
    elsewhere[max(0, y - rows // 2) : y + rows // 2 + 1, max(0, x - columns // 2) : x + columns // 2 + 1] = -1
    if float(elsewhere.max()) > _ANOTHER * best:
        raise NotLocated("two places in the picture are like the part", expected="one part", remedy=LOCATE_REMEDY)


def _reduced(picture: Planes, share: float) -> Planes:
    size = max(16, round(picture.shape[1] * share)), max(16, round(picture.shape[0] * share))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _edges(picture: Planes) -> Planes:
    """How strong the edge is at each place; the root, so that a few bright ones do not decide alone."""
    soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
    across, down = (cv2.Scharr(soft, cv2.CV_32F, *order, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1)))
    strength = np.asarray(np.sqrt(cv2.magnitude(across, down)), np.float32)
    return np.asarray(cv2.GaussianBlur(strength, (0, 0), 1.0), np.float32)
