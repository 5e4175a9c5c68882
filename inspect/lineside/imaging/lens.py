"""The lens and the plane of the parts: from places to pixels and back, with what is known of the error. All pure.

Pictures are not straightened: the few points that a measurement needs are. Remapping a frame costs a thousand times
more and blurs it (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.calibration import COVERAGE_FACTOR, LENS_FIGURES, PLANE_FIGURES, Lens, Plane

__all__ = [
    "COVERAGE_FACTOR",
    "Bearings",
    "Points",
    "bearings_of",
    "length_of",
    "mm_per_px",
    "pixels_of",
    "places_of",
    "rays_of",
    "scale_field",
    "sees_plane",
]

Points = NDArray[np.float64]

_STEPS: Final = np.array([1e-2, 1e-2, 1e-2, 1e-5, 1e-4, 1e-6, 1e-6, 1e-4, *[1e-6] * 3, *[1e-3] * 3, 1e-3, 1e-6])
"""How far each of PLANE_FIGURES is moved to see what it does to a measurement: far above rounding, below any bend."""


def pixels_of(points: Points, lens: Lens, rotation_rad: Points, translation_mm: Points) -> Points:
    """Where points of an object, float64 (N, 3) in mm, are seen from that pose: float64 (N, 2) px."""
    matrix, distortion = _of_opencv(lens.figures)
    pixels, _ = cv2.projectPoints(np.ascontiguousarray(points), rotation_rad, translation_mm, matrix, distortion)
    return np.asarray(pixels, np.float64).reshape(-1, 2)


def rays_of(points_px: Points, lens: Lens) -> Points:
    """Directions that pixels look in, float64 (N, 2): x and y at distance 1. `points_px` is (N, 2), x before y."""
    return _rays(np.asarray(points_px, np.float64), lens.figures)


def places_of(points_px: Points, plane: Plane) -> Points:
    """Places on the plane of the parts in mm, float64 (N, 2), of pixels (N, 2); x and y as on the target."""
    return _places(np.asarray(points_px, np.float64), plane.figures)


def sees_plane(plane: Plane) -> bool:
    """Whether every pixel of the frame looks at the plane of the parts, and none at its horizon or beyond."""
    width, height = plane.lens.size_px
    x, y = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9))
    return bool((_along(np.column_stack([x.ravel(), y.ravel()]), plane.figures)[2] > 0).all())


def mm_per_px(points_px: Points, plane: Plane) -> Points:
    """Size of a pixel at each point, float64 (N,): the side of a square of the same area on the plane."""
    return _local_scale(np.asarray(points_px, np.float64), plane.figures)


def scale_field(plane: Plane, columns: int = 16, rows: int = 12) -> tuple[Points, Points, Points]:
    """Size of a pixel over the frame: points (rows, columns, 2) px, mm per px (rows, columns), and its standard
    uncertainty in the same unit.
    """
    width, height = plane.lens.size_px
    x, y = np.meshgrid(np.linspace(0, width - 1, columns), np.linspace(0, height - 1, rows))
    points = np.stack([x, y], axis=-1)
    flat = points.reshape(-1, 2)
    slopes = _slopes(plane, lambda figures: _local_scale(flat, figures))
    return points, mm_per_px(flat, plane).reshape(rows, columns), _spread(slopes, plane).reshape(rows, columns)


def length_of(from_px: Points, to_px: Points, plane: Plane, *, point_sd_px: float = 0.0) -> tuple[Points, Points]:
    """Lengths in mm between pixels on the plane, float64 (N,), and their standard uncertainties.

    `from_px` and `to_px` are (N, 2). `point_sd_px` is how well each end is known in x and in y: the calibration cannot
    know that. Ends are taken as independent.
    """
    ends = np.concatenate([from_px, to_px]).astype(np.float64)
    places = places_of(ends, plane)
    slopes = bearings_of(places, plane).mm_per_figure
    along = np.subtract(*np.split(places, 2)[::-1])
    lengths = np.asarray(np.linalg.norm(along, axis=1))
    directions = along / np.maximum(lengths, 1e-12)[:, None]
    turned = np.einsum("nx,nxf->nf", directions, np.subtract(*np.split(slopes, 2)[::-1]))
    of_ends = point_sd_px * np.hypot(*np.split(_local_scale(ends, plane.figures), 2))
    return lengths, np.hypot(_spread(turned, plane), of_ends)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bearings:
    """Places on the plane as the camera sees them, and how they hang together with the figures of the calibration.

    `pixels` (N, 2) px; `px_per_mm` (N, 2, 2) how the pixel moves with the place; `mm_per_figure` (N, 2, 16) how the
    place that one pixel shows moves with each of PLANE_FIGURES. All float64.
    """

    pixels: Points
    px_per_mm: Points
    mm_per_figure: Points


def bearings_of(places_mm: Points, plane: Plane) -> Bearings:
    """Of places on the plane of the parts, float64 (N, 2) mm. Exact slopes, in one pass: no figure is moved.

    The pixel is a function of place and figures; at one pixel its change by both is nought (implicit functions).
    """
    figures = plane.figures
    height, scale = figures[14:16]
    rotation, _ = cv2.Rodrigues(np.ascontiguousarray(figures[8:11]))
    moved = np.ascontiguousarray(figures[11:14] * scale)
    matrix, distortion = _of_opencv(figures)
    points = np.column_stack([places_mm, np.full(len(places_mm), -height)])
    pixels, slopes = cv2.projectPoints(points, np.ascontiguousarray(figures[8:11]), moved, matrix, distortion)
    # Columns of OpenCV: rotation, translation, focal length (2), centre (2), distortion (5).
    turned, shifted, rest = np.split(np.asarray(slopes, np.float64).reshape(len(points), 2, 15), [3, 6], axis=2)
    px_per_mm = shifted @ rotation[:, :2]
    px_per_figure = np.concatenate(
        [
            rest[..., :2].sum(axis=2, keepdims=True),
            rest[..., 2:],
            turned,
            shifted * scale,
            -(shifted @ rotation[:, 2])[..., None],
            (shifted @ figures[11:14])[..., None],
        ],
        axis=2,
    )
    return Bearings(
        pixels=np.asarray(pixels, np.float64).reshape(-1, 2),
        px_per_mm=px_per_mm,
        mm_per_figure=-_inverse(px_per_mm) @ px_per_figure,
    )


def _inverse(matrices: Points) -> Points:
    """Of (N, 2, 2)."""
    (a, b), (c, d) = matrices[:, 0].T, matrices[:, 1].T
    turned = np.stack([d, -b, -c, a], axis=1).reshape(-1, 2, 2)
    return np.asarray(turned / (a * d - b * c)[:, None, None])


def _of_opencv(figures: Points) -> tuple[Points, Points]:
    focal, x, y = figures[:3]
    return np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]]), np.ascontiguousarray(figures[3 : len(LENS_FIGURES)])


def _rays(points_px: Points, figures: Points) -> Points:
    matrix, distortion = _of_opencv(figures)
    # Five rounds, OpenCV's default, leave hundredths of a pixel at the corners of a wide lens.
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-12)
    rays = cv2.undistortPoints(points_px.reshape(-1, 1, 2), matrix, distortion, None, None, None, until)
    return np.asarray(rays, np.float64).reshape(-1, 2)


def _places(points_px: Points, figures: Points) -> Points:
    camera, rays, along = _along(points_px, figures)
    return np.asarray(camera[:2] + along[:, None] * rays[:, :2])


def _along(points_px: Points, figures: Points) -> tuple[Points, Points, Points]:
    """Of pixels (N, 2): the camera (3,) and the rays (N, 3) as the target lies, and how far along each the plane is."""
    rotation, _ = cv2.Rodrigues(np.ascontiguousarray(figures[8:11]))
    height, scale = figures[14:16]
    rays = np.column_stack([_rays(points_px, figures), np.ones(len(points_px))]) @ rotation
    camera = -rotation.T @ (figures[11:14] * scale)
    # The target's z axis points away from the camera: what lies `height` above it has z = -height.
    along = (-height - camera[2]) / rays[:, 2]
    return np.asarray(camera, np.float64), np.asarray(rays, np.float64), np.asarray(along, np.float64)


def _local_scale(points_px: Points, figures: Points) -> Points:
    step = 0.5
    right, left, below, above = (
        _places(points_px + move, figures) for move in np.array([[step, 0], [-step, 0], [0, step], [0, -step]])
    )
    (ax, ay), (bx, by) = (right - left).T, (below - above).T
    return np.asarray(np.sqrt(np.abs(ax * by - ay * bx)))


def _slopes(plane: Plane, measure: Callable[[Points], Points]) -> Points:
    """How each of N measured values changes with each figure, float64 (N, 16): central differences."""
    figures = plane.figures
    columns = []
    for number, step in enumerate(_STEPS):
        move = np.zeros(len(PLANE_FIGURES))
        move[number] = step
        columns.append((measure(figures + move) - measure(figures - move)) / (2 * step))
    return np.stack(columns, axis=1)


def _spread(slopes: Points, plane: Plane) -> Points:
    return np.asarray(np.sqrt(np.maximum(0.0, np.einsum("ni,ij,nj->n", slopes, plane.covariance, slopes))))
