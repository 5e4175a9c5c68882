"""Learns from good pictures what a round part looks like unrolled, and whether it has marks that tell its angle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.align import grey, small_grey
from lineside.imaging.locate import RoundPattern, locate
from lineside.imaging.locate_round import best_turn, unrolled
from lineside.imaging.outlines import ground_of
from lineside.train.locate_fit_outline import ground_contrast
from lineside.train.locate_trial import LEAST_CORRELATION, Trial, tried

__all__ = ["fit_round", "roundness"]

_EXAMPLES: Final = 4
_TRIED_FIRST: Final = 6
_CIRCLES_EACH: Final = 3
"""Pictures that circles are taken from, parts that each circle is tried on, and circles by edges in each picture."""

_HOUGH_SIDE_PX: Final = 256
_LEAST_RADIUS_SHARE: Final = 0.1
_MOST_RADIUS_SHARE: Final = 0.65
"""Of the picture's shorter side; a part may reach a little beyond the picture."""

_AS_GOOD: Final = 0.15
"""Difference in correlation up to which the larger circle is the part, and the smaller one a bore in it."""
_MARKED: Final = 0.4
"""What all angles have in common taken away, two parts with marks are more alike than this in one rotation."""

Circle = tuple[float, float, float]
"""x, y and radius in px."""


def fit_round(pictures: Sequence[Pixels], pixel_format: PixelFormat) -> Trial[RoundPattern]:
    """The pattern by which round parts are found, from frames of good parts. Raises: ConfigError where there is none.

    Circles are proposed by the outline on even ground and by edges; the one counts by which the others are found.
    """
    examples = [*pictures[:: -(-len(pictures) // _EXAMPLES)]]
    contrast = ground_contrast(examples, pixel_format)
    trials = [
        tried(_pattern(pixels, circle), pictures, _TRIED_FIRST)
        for pixels in examples
        for circle in _circles(pixels, contrast, pixel_format)
    ]
    trials = [trial for trial in trials if trial.finds]
    if not trials:
        raise ConfigError(
            "no circle in the good pictures by which the others are found",
            expected="one round part in each, of one size, wholly in the picture",
            remedy="look at the pictures; where the part is not round locate it by outline or edges",
        )
    best = max(trial.worst for trial in trials)
    alike = [trial for trial in trials if trial.worst >= best - _AS_GOOD]
    chosen = max(alike, key=lambda trial: (round(trial.pattern.radius_px / 4), trial.worst)).pattern
    return tried(replace(chosen, marked=_is_marked(pictures, chosen)), pictures)


def roundness(pixels: Pixels, contrast: float) -> float:
    """How much of the smallest circle around the largest place on even ground that place fills; 0 where none is."""
    contours = ground_of(pixels, contrast).contours
    if not contours:
        return 0.0
    largest = max(contours, key=lambda contour: cv2.contourArea(contour.astype(np.float32))).astype(np.float32)
    _, radius = cv2.minEnclosingCircle(largest)
    return float(cv2.contourArea(largest) / max(np.pi * radius**2, 1e-6))


def _pattern(pixels: Pixels, circle: Circle) -> RoundPattern:
    x, y, radius = circle
    return RoundPattern(
        reference=unrolled(pixels, (x, y), radius),
        radius_px=round(radius, 2),
        marked=False,
        min_correlation=LEAST_CORRELATION,
    )


def _circles(pixels: Pixels, contrast: float, pixel_format: PixelFormat) -> Iterator[Circle]:
    side = min(pixels.shape[:2])
    low, high = _LEAST_RADIUS_SHARE * side, _MOST_RADIUS_SHARE * side
    contours = ground_of(pixels, contrast).contours
    if contours:
        largest = max(contours, key=lambda contour: cv2.contourArea(contour.astype(np.float32)))
        (x, y), radius = _circle_through(largest)
        if low <= radius <= high:
            yield x, y, radius
    small = small_grey(pixels, _HOUGH_SIDE_PX)
    step = pixels.shape[1] / small.shape[1]
    eight = cv2.GaussianBlur(np.asarray(small * (255 / pixel_format.max_value), np.uint8), (0, 0), 1.5)
    found = cv2.HoughCircles(
        eight,
        cv2.HOUGH_GRADIENT,
        dp=1.5,
        minDist=8,
        param1=100,
        param2=30,
        minRadius=round(low / step),
        maxRadius=round(high / step),
    )
    circles = np.zeros((0, 3)) if found is None else np.asarray(found, np.float64).reshape(-1, 3) * step
    seen: list[float] = []
    for x, y, radius in sorted(circles[:12].tolist(), key=lambda circle: -circle[2]):
        if len(seen) < _CIRCLES_EACH and all(abs(radius - other) > 0.05 * other for other in seen):
            seen.append(radius)
            yield x, y, radius


def _circle_through(contour: np.ndarray) -> tuple[tuple[float, float], float]:
    """By least squares, twice: points that stick out, or where a piece is missing, are left out of the second."""
    points = contour
    centre, radius = np.zeros(2), 0.0
    for _ in range(2):
        rows = np.column_stack([2 * points, np.ones(len(points))])
        x, y, rest = np.linalg.lstsq(rows, np.square(points).sum(axis=1), rcond=None)[0]
        centre, radius = np.array([x, y]), float(np.sqrt(max(rest + x * x + y * y, 0.0)))
        off = np.abs(np.linalg.norm(contour - centre, axis=1) - radius)
        points = contour[off <= max(1.0, 2 * float(np.median(off)))]
    return (float(centre[0]), float(centre[1])), radius + 0.5


def _is_marked(pictures: Sequence[Pixels], pattern: RoundPattern) -> bool:
    """In most good parts what differs by angle is that of the reference, in one rotation."""
    wanted = grey(pattern.reference)
    chosen = pictures[:: -(-len(pictures) // _TRIED_FIRST)]
    turns = [best_turn(wanted, grey(locate(pixels, pattern).pixels))[1] for pixels in chosen if _finds(pattern, pixels)]
    return float(np.median(turns)) >= _MARKED


def _finds(pattern: RoundPattern, pixels: Pixels) -> bool:
    return bool(tried(pattern, [pixels]).correlations)
