"""Sizes of a finding in mm on the calibrated plane, each with its standard uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.calibration import Plane
from lineside.core.finding import Finding
from lineside.imaging.lens import area_scale, length_of

__all__ = ["Size", "Sizes", "sizes_of"]


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


def sizes_of(finding: Finding, plane: Plane, *, edge_sd_px: float) -> Sizes:
    """The finding on the plane of the parts. `edge_sd_px` is how far its whole outline may lie too far out or in.

    A finding counts pixels from their edges, a lens from their middles: half a pixel is taken off. Holes add no area.
    """
    middle, axes, (length_px, width_px) = _rectangle(finding)
    along, across = (
        length_of(middle - axis * side / 2, middle + axis * side / 2, plane)
        for axis, side in zip(axes[:, None], (length_px, width_px), strict=True)
    )
    scale, scale_sd = area_scale(_outline(finding), plane)
    area_mm2 = finding.area_px * scale
    # Both ends of a side, and all of the outline, move together.
    edge_mm = edge_sd_px * math.sqrt(scale)
    area_sd = math.hypot(finding.area_px * scale_sd, 2 * (length_px + width_px) * edge_sd_px * scale)
    diameter_mm = 2 * math.sqrt(area_mm2 / math.pi)
    return Sizes(
        length_mm=_side(along, edge_mm),
        width_mm=_side(across, edge_mm),
        area_mm2=Size(value=area_mm2, uncertainty=area_sd),
        diameter_mm=Size(value=diameter_mm, uncertainty=area_sd * diameter_mm / (2 * area_mm2) if area_mm2 else 0.0),
    )


def _side(measured: tuple[NDArray[np.float64], NDArray[np.float64]], edge_mm: float) -> Size:
    value, uncertainty = (float(each[0]) for each in measured)
    return Size(value=value, uncertainty=math.hypot(uncertainty, 2 * edge_mm))


def _outline(finding: Finding) -> NDArray[np.float64]:
    box = finding.box
    corners = [
        (box.x_px, box.y_px),
        (box.x_px + box.width_px, box.y_px),
        (box.x_px + box.width_px, box.y_px + box.height_px),
        (box.x_px, box.y_px + box.height_px),
    ]
    return np.array(finding.contour_px or corners, np.float64) - 0.5


def _rectangle(
    finding: Finding,
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    """Middle (1, 2), directions of the longer and the shorter side (2, 2), and both sides, in px."""
    (x, y), (first, second), angle = cv2.minAreaRect(_outline(finding).astype(np.float32))
    turned = math.radians(angle if first >= second else angle + 90)
    axes = np.array([[math.cos(turned), math.sin(turned)], [-math.sin(turned), math.cos(turned)]])
    # An outline runs through the middles of the outermost pixels: what the length was given back, the width lacks too.
    missing = max(0.0, finding.length_px - max(first, second))
    return np.array([[x, y]]), axes, (finding.length_px, min(first, second) + missing)
