"""Sizes of findings in mm, each with its standard uncertainty: by a scale, or on the calibrated plane of the parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.calibration import Plane, Scale
from lineside.core.finding import Finding
from lineside.imaging.lens import Bearings, Points, bearings_of, places_of

__all__ = ["PIXEL_SD", "Size", "Sizes", "sizes_of"]

PIXEL_SD = 1 / math.sqrt(12)
"""Standard uncertainty of an edge that is known to the pixel, in such pixels: evenly spread over one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A measured value and its standard uncertainty, in the same unit."""

    value: float
    uncertainty: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Sides of the smallest rotated rectangle, area, and the diameter of a disc of that area; mm and mm²."""

    length_mm: Size
    width_mm: Size
    area_mm2: Size
    diameter_mm: Size


class _Measured(NamedTuple):
    """Of N findings: sides (N, 2) and areas (N,), what the calibration leaves open of each, and the size of a pixel
    along the sides (N, 2). mm and mm².
    """

    sides: Points
    sides_sd: Points
    areas: Points
    areas_sd: Points
    pixel: Points


class _Rectangle(NamedTuple):
    """The smallest one around an outline: middle, direction of the longer side, both sides, and the area in it."""

    middle: tuple[float, float]
    turned_rad: float
    sides: tuple[float, float]
    area: float


def sizes_of(findings: Sequence[Finding], ruler: Scale | Plane, edge_sd_px: Sequence[float]) -> list[Sizes]:
    """All findings of one frame at once: for a single one that costs nearly as much as for dozens.

    `edge_sd_px` is, for each, how far its whole outline may lie too far out or in. Holes add no area.
    """
    if not findings:
        return []
    edges = np.asarray(edge_sd_px, np.float64)
    measured = _by_scale(findings, ruler) if isinstance(ruler, Scale) else _on_plane(findings, ruler)
    # Both ends of a side, and all of the outline, move together.
    edges_mm = edges[:, None] * measured.pixel
    sides_sd = np.hypot(measured.sides_sd, 2 * edges_mm)
    areas_sd = np.hypot(measured.areas_sd, 2 * (measured.sides * edges_mm[:, ::-1]).sum(axis=1))
    diameters = 2 * np.sqrt(measured.areas / math.pi)
    diameters_sd = areas_sd * diameters / (2 * np.maximum(measured.areas, 1e-30))
    return [
        Sizes(
            length_mm=Size(value=length, uncertainty=length_sd),
            width_mm=Size(value=width, uncertainty=width_sd),
            area_mm2=Size(value=area, uncertainty=area_sd),
            diameter_mm=Size(value=diameter, uncertainty=diameter_sd),
        )
        for (length, width), (length_sd, width_sd), area, area_sd, diameter, diameter_sd in zip(
            *(each.tolist() for each in (measured.sides, sides_sd, measured.areas, areas_sd, diameters, diameters_sd)),
            strict=True,
        )
    ]


def _by_scale(findings: Sequence[Finding], scale: Scale) -> _Measured:
    around = [_rectangle(_outline(finding)) for finding in findings]
    missing_px = [_missing_px(*each) for each in zip(findings, around, strict=True)]
    sides_px = np.array([each.sides for each in around]) + missing_px
    areas_px = np.array([finding.area_px for finding in findings])
    return _Measured(
        sides=sides_px * scale.mm_per_px,
        sides_sd=sides_px * scale.mm_per_px_uncertainty,
        areas=areas_px * scale.mm_per_px**2,
        areas_sd=areas_px * 2 * scale.mm_per_px * scale.mm_per_px_uncertainty,
        pixel=np.full((len(findings), 2), scale.mm_per_px),
    )


def _on_plane(findings: Sequence[Finding], plane: Plane) -> _Measured:
    """The outlines are brought to the plane first: what is the longer side, and how long, is decided there."""
    outlines = [_outline(finding) for finding in findings]
    seen = [_rectangle(outline) for outline in outlines]
    bounds = np.cumsum([len(outline) for outline in outlines])[:-1]
    # A finding counts pixels from their edges, a lens from their middles.
    places = np.split(places_of(np.concatenate(outlines) - 0.5, plane), bounds)
    lying = [_rectangle(each) for each in places]
    middles = np.array([each.middle for each in lying])
    cosine, sine = np.cos(turned := np.array([each.turned_rad for each in lying])), np.sin(turned)
    axes = np.stack([cosine, sine, -sine, cosine], axis=1).reshape(-1, 2, 2)  # along, across; x, y

    around = bearings_of(middles, plane)
    pixel = 1 / np.linalg.norm(np.einsum("nij,nkj->nki", around.px_per_mm, axes), axis=2)
    missing_px = np.array([_missing_px(*each) for each in zip(findings, seen, strict=True)])
    sides = np.array([each.sides for each in lying]) + missing_px * pixel
    slopes = _side_slopes(middles, axes, sides, plane)
    areas = np.array([each.area_px for each in findings]) * _area_scales(findings, seen, lying, around)
    # An area changes with the figures as the rectangle's two sides do.
    area_slopes = areas[:, None] * (slopes / np.maximum(sides, 1e-12)[..., None]).sum(axis=1)
    return _Measured(
        sides=sides,
        sides_sd=np.stack([_spread(slopes[:, side], plane) for side in (0, 1)], axis=1),
        areas=areas,
        areas_sd=_spread(area_slopes, plane),
        pixel=pixel,
    )


def _rectangle(points: Points) -> _Rectangle:
    origin_x, origin_y = points[0].tolist()  # near nought: OpenCV measures in single precision
    near = (points - points[0]).astype(np.float32)
    (x, y), (first, second), angle = cv2.minAreaRect(near)
    return _Rectangle(
        middle=(origin_x + x, origin_y + y),
        turned_rad=math.radians(angle if first >= second else angle + 90),
        sides=(max(first, second), min(first, second)),
        area=cv2.contourArea(near),
    )


def _side_slopes(middles: Points, axes: Points, sides: Points, plane: Plane) -> Points:
    """How both sides of each rectangle change with each figure, (N, 2, 16)."""
    halves = axes * (sides / 2)[..., None]
    ends = np.stack([middles[:, None] + halves, middles[:, None] - halves])  # (2, N, 2, 2)
    moved = bearings_of(ends.reshape(-1, 2), plane).mm_per_figure.reshape(*ends.shape, -1)
    return np.asarray(np.einsum("nsx,nsxf->nsf", axes, moved[0] - moved[1]))


def _area_scales(
    findings: Sequence[Finding], seen: Sequence[_Rectangle], lying: Sequence[_Rectangle], around: Bearings
) -> Points:
    """Mean area of a pixel over each finding, in mm²; over its middle where its outline holds too little."""
    held_px, held_mm2 = (np.array([each.area for each in rectangles]) for rectangles in (seen, lying))
    enough = held_px > np.array([finding.area_px for finding in findings]) / 2
    return np.asarray(
        np.where(enough, held_mm2 / np.where(enough, held_px, 1.0), 1 / np.abs(np.linalg.det(around.px_per_mm)))
    )


def _outline(finding: Finding) -> Points:
    box = finding.box
    right, below = box.x_px + box.width_px, box.y_px + box.height_px
    corners = ((box.x_px, box.y_px), (right, box.y_px), (right, below), (box.x_px, below))
    return np.array(finding.contour_px or corners, np.float64)


def _missing_px(finding: Finding, around: _Rectangle) -> tuple[float, float]:
    """What the rectangle around an outline lacks in length and width: outlines run through the middles of pixels.

    An end that lies along the rows is seen half a pixel short on average; one that lies across them between nought and
    half a pixel, the less the broader and flatter it is: 0.3 is right to 0.2 for bars of 1.5 to 12 px and for discs.
    """
    if not finding.contour_px:
        return 0.0, 0.0
    grid_px, (longer, shorter) = finding.grid_px, around.sides
    # A long outline is told by fewer points, which may lie inside of it: its length was measured before.
    simplified = max(0.0, finding.length_px - grid_px - longer)
    askew = min(abs(math.cos(around.turned_rad)), abs(math.sin(around.turned_rad)))
    length, width = (
        simplified + grid_px * (0.6 + 0.4 * (1 - min(1.0, breadth / grid_px * askew)) ** 2)
        for breadth in (shorter, longer)
    )
    return length, width


def _spread(slopes: Points, plane: Plane) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.maximum(0.0, np.einsum("ni,ij,nj->n", slopes, plane.covariance, slopes))))
