"""Finds a part that lies on even ground by what differs from it; a damaged one too, by what is left of it.

In order: what differs from the ground is the part; its smallest rotated rectangle gives place and angle; fine alignment
to the reference gives the rest. Where outline and rectangle are not those of a whole part, it is searched for in all
poses, and what is there has to fit the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import NotLocated
from lineside.core.frame import Pixels
from lineside.imaging.align import ALIGN_SIDE_PX, aligned, grey, rigidly_aligned, small_grey
from lineside.imaging.located import LOCATE_REMEDY, Located, misfit
from lineside.imaging.outlines import Ground, PartOutline, coarse_pose, ground_of, outlines
from lineside.imaging.pose import Affine, AffinePose, composed, scaled, shifted, warped

__all__ = ["OutlinePattern", "locate_outline"]

_AREA_TOLERANCE: Final = 0.5
_SIZE_TOLERANCE: Final = 0.35
"""How far, as a share, area and sides of a whole part may be from those of the reference."""
_LEAST_LEFT: Final = 0.2
"""Of a part's area: with less in the picture there is no part."""
_NOTHING_MISSING: Final = 0.9
"""Of a part's area: what has as much and does not fit is another part, not a damaged one."""
_CRUMB: Final = 0.02
"""Of a part's area: less is dirt."""
_MOST_OUTSIDE: Final = 0.1
"""Of a damaged part's rectangle may lie outside the frame; what is missing must be missing from the part."""

_SEARCH_SIDE_PX: Final = 96
_ASKEW_DEG: Final = (0.0, -12.0, 12.0, -24.0, 24.0)
_ALL_TURNS_DEG: Final = tuple(float(turn) for turn in range(0, 360, 12))
_SEARCH_SHARE: Final = 0.15
"""Where a piece is missing the middle is elsewhere, too: so far to each side, as a share of the reference."""
_TRIED_POSES: Final = 3
"""Of a damaged part, that are aligned: the best of the search need not be the best then."""
_AROUND_SHARE: Final = 0.04
"""Of the reference's long side around what is left of a part: its edge has to fit as well."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutlinePattern:
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


def locate_outline(pixels: Pixels, pattern: OutlinePattern) -> Located:
    """Finds the part; `pixels` are a frame of the reference's format. Raises: NotLocated with the reason why not."""
    ground = ground_of(pixels, pattern.contrast)
    pieces = _pieces(outlines(ground, turns=pattern.turns), pattern)
    if _is_whole(pieces, pattern):
        start = _nearest_pose(pixels, pattern, ground, pieces[0])
        located = _whole(pixels, pattern, ground, start)
        if located.correlation >= pattern.min_correlation:
            return located
        if pieces[0].area_px >= pattern.area_px * _NOTHING_MISSING:
            raise misfit(located.correlation, pattern.min_correlation)
    return _damaged(pixels, pattern, ground)


def _pieces(found: list[PartOutline], pattern: OutlinePattern) -> list[PartOutline]:
    """What there is of one part, the largest first. Raises: NotLocated where that is none, or more than one."""
    wanted = f"one part of about {pattern.area_px:.0f} px² ({_sides(pattern.size_px)})"
    pieces = [outline for outline in found if outline.area_px >= pattern.area_px * _CRUMB]
    whole = [outline for outline in pieces if outline.area_px >= pattern.area_px * (1 - _AREA_TOLERANCE)]
    area_px = sum(outline.area_px for outline in pieces)
    if area_px < pattern.area_px * _LEAST_LEFT:
        largest = f"the largest place that differs from the background has {found[0].area_px:.0f} px²" if found else ""
        raise NotLocated(f"no part in the picture{largest and ': ' + largest}", expected=wanted, remedy=LOCATE_REMEDY)
    if len(whole) > 1:
        raise NotLocated(f"{len(whole)} parts in the picture", expected=wanted, remedy=LOCATE_REMEDY)
    if len(pieces) > 1 and pieces[0].area_px >= pattern.area_px * _NOTHING_MISSING:
        beside = pieces[1].area_px
        if beside >= pattern.area_px * _LEAST_LEFT:  # of a part from which nothing is missing it is no piece
            raise NotLocated(
                f"a part of {pieces[0].area_px:.0f} px² and something of {beside:.0f} px² beside it",
                expected=wanted,
                remedy=LOCATE_REMEDY,
            )
    if area_px > pattern.area_px * (1 + _AREA_TOLERANCE):
        raise NotLocated(
            f"what is in the picture has {area_px:.0f} px² ({_sides(pieces[0].size_px)} the largest of {len(pieces)})",
            expected=wanted,
            remedy=LOCATE_REMEDY,
        )
    return pieces


def _is_whole(pieces: list[PartOutline], pattern: OutlinePattern) -> bool:
    part = pieces[0]
    sides = zip(sorted(part.size_px), sorted(pattern.size_px), strict=True)
    return part.area_px >= pattern.area_px * (1 - _AREA_TOLERANCE) and all(
        abs(side - usual) <= _SIZE_TOLERANCE * usual for side, usual in sides
    )


def _sides(size_px: tuple[float, float]) -> str:
    return f"{max(size_px):.0f} x {min(size_px):.0f} px"


def _whole(pixels: Pixels, pattern: OutlinePattern, ground: Ground, pose: Affine) -> Located:
    height, width = pattern.reference.shape[:2]
    wanted = small_grey(pattern.reference, ALIGN_SIDE_PX)
    seen = small_grey(warped(pixels, pose, (width, height), ground.value), ALIGN_SIDE_PX)
    residual, correlation = aligned(wanted, seen, pattern.min_correlation)
    matrix = composed(pose, scaled(residual, width / wanted.shape[1], height / wanted.shape[0]))
    return Located(
        pixels=warped(pixels, matrix, (width, height), ground.value),
        pose=AffinePose(matrix=matrix),
        correlation=correlation,
    )


def _damaged(pixels: Pixels, pattern: OutlinePattern, ground: Ground) -> Located:
    """By what is left. Raises: NotLocated where that is not a piece of such a part, or goes on outside the frame."""
    height, width = pattern.reference.shape[:2]
    wanted = small_grey(pattern.reference, ALIGN_SIDE_PX)
    rows, columns = wanted.shape
    best, nearest = -1.0, np.eye(2, 3)
    for pose in _poses_of_pieces(pixels, pattern, ground):
        seen = small_grey(warped(pixels, pose, (width, height), ground.value), ALIGN_SIDE_PX)
        around = _around_pieces(ground, pixels, pose, (width, height), seen)
        residual, correlation = rigidly_aligned(wanted, seen, around)
        if correlation > best:
            best, nearest = correlation, composed(pose, scaled(residual, width / columns, height / rows))
    if best < pattern.min_correlation:
        raise _cut_off(ground, pixels) or misfit(best, pattern.min_correlation)
    _check_inside(nearest, pattern, pixels)
    return Located(
        pixels=warped(pixels, nearest, (width, height), ground.value),
        pose=AffinePose(matrix=nearest),
        correlation=best,
    )


def _poses_of_pieces(pixels: Pixels, pattern: OutlinePattern, ground: Ground) -> list[Affine]:
    """Where the part may lie in the frame, by where in the reference its pieces fit best; the best first."""
    width = pattern.reference.shape[1]
    wanted = small_grey(pattern.reference, _SEARCH_SIDE_PX)
    share = wanted.shape[1] / width
    points = np.concatenate([each for each in ground.contours if len(each) > 2])
    (x, y), radius = cv2.minEnclosingCircle(points.astype(np.float32))
    side = 2 * math.ceil(radius * share) + 6
    # Beside the reference there is ground, as far as pieces may stick out.
    beside = side // 2
    value = float(np.mean(ground.value))
    room = cv2.copyMakeBorder(wanted, beside, beside, beside, beside, cv2.BORDER_CONSTANT, value=value)
    poses: list[tuple[float, Affine]] = []
    for turn in _ALL_TURNS_DEG if pattern.turns else (0.0,):
        pose = coarse_pose((x, y), (round(side / share), round(side / share)), turn)
        seen = small_grey(warped(pixels, pose, (round(side / share),) * 2, ground.value), side)
        around = _around_pieces(ground, pixels, pose, (round(side / share),) * 2, seen)
        if min(room.shape) < side or not around.any():
            continue
        raw = cv2.matchTemplate(room, seen, cv2.TM_CCOEFF_NORMED, mask=np.asarray(around > 0, np.float32))
        # On flat ground OpenCV divides by next to nothing.
        likeness = np.where(np.isfinite(raw) & (raw <= 1.001), raw, -1).astype(np.float32)
        _, highest, _, (left, top) = cv2.minMaxLoc(likeness)
        poses.append((highest, shifted(pose, (beside - left) / share, (beside - top) / share)))
    return [pose for _, pose in sorted(poses, key=lambda each: -each[0])[:_TRIED_POSES]]


def _cut_off(ground: Ground, pixels: Pixels) -> NotLocated | None:
    """The reason where something reaches the edge of the frame: what is missing may lie outside."""
    least = np.array(pixels.shape[1::-1]) / ground.parts.shape[::-1]
    places = np.concatenate(ground.contours)
    if not ((places < least) | (places > np.array(pixels.shape[1::-1]) - least)).any():
        return None
    return NotLocated(
        "what is in the picture reaches its edge, and does not fit the reference",
        expected="one part, wholly in the picture",
        remedy=LOCATE_REMEDY,
    )


def _around_pieces(
    ground: Ground, pixels: Pixels, pose: Affine, size_px: tuple[int, int], seen: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """What is left of a part, and a little around it, as a mask over `seen`."""
    rows, columns = ground.parts.shape
    small = scaled(pose, columns / pixels.shape[1], rows / pixels.shape[0])
    # Frame pixels became larger; those of the part's picture did not.
    small[:, :2] = pose[:, :2] * (columns / pixels.shape[1])
    mask = cv2.resize(warped(ground.parts, small, size_px, (0.0,)), seen.shape[::-1], interpolation=cv2.INTER_AREA)
    reach = max(1, round(max(seen.shape) * _AROUND_SHARE))
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(cv2.threshold(mask, 127, 255, cv2.THRESH_BINARY)[1], brush), np.uint8)


def _check_inside(matrix: Affine, pattern: OutlinePattern, pixels: Pixels) -> None:
    """Raises: NotLocated where a damaged part's rectangle leaves the frame: what is missing may lie outside."""
    height, width = pattern.reference.shape[:2]
    x, y = np.meshgrid(*(np.linspace(-0.5, 0.5, 15) * side for side in pattern.size_px))
    places = AffinePose(matrix=matrix).in_frame(np.column_stack([x.ravel() + width / 2, y.ravel() + height / 2]))
    outside = float(((places < 0) | (places > (pixels.shape[1], pixels.shape[0]))).any(axis=1).mean())
    if outside > _MOST_OUTSIDE:
        raise NotLocated(
            f"{outside:.0%} of the part lie outside the picture",
            expected="one part, wholly in the picture",
            remedy=LOCATE_REMEDY,
        )


def _nearest_pose(
    pixels: Pixels,
    pattern: OutlinePattern,
    ground: Ground,
    outline: PartOutline,
) -> Affine:
    """Of the poses that the outline allows, the one that looks most like the reference."""
    height, width = pattern.reference.shape[:2]
    wanted = small_grey(pattern.reference, _SEARCH_SIDE_PX)
    rows, columns = wanted.shape
    step_x, step_y = width / columns, height / rows
    size = max(16, round(pixels.shape[1] / step_x)), max(16, round(pixels.shape[0] / step_y))
    small = grey(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    value = (float(np.mean(ground.value)),)

    margin_x, margin_y = round(columns * _SEARCH_SHARE), round(rows * _SEARCH_SHARE)
    around = (columns + 2 * margin_x, rows + 2 * margin_y)
    best, nearest = -math.inf, np.eye(2, 3)
    for turn in _turns(outline, pattern):
        pose = shifted(coarse_pose(outline.centre_px, (width, height), turn), -margin_x * step_x, -margin_y * step_y)
        view = warped(small, scaled(pose, 1 / step_x, 1 / step_y), around, value)
        _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(view, wanted, cv2.TM_CCOEFF_NORMED))
        if likeness > best:
            best, nearest = likeness, shifted(pose, x * step_x, y * step_y)
    return nearest


def _turns(outline: PartOutline, pattern: OutlinePattern) -> tuple[float, ...]:
    """The angles, in degrees, at which the part's sides lie as the reference's do.

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
    return tuple(outline.angle_deg + quarter + askew for quarter in quarters for askew in _ASKEW_DEG)
