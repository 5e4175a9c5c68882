"""Regions that a recipe gives in mm on the plane of the parts, as the pixels of one camera that looks at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lineside.core.calibration import Plane, Scale
from lineside.core.errors import ConfigError
from lineside.core.recipe import Polygon, Region, ViewRecipe
from lineside.imaging.lens import Points, bearings_of, places_of

__all__ = ["in_pixels"]

_PIECES: Final = 16
"""Into so many pieces each side is cut: a lens bends straight lines. What is left is below the bend's 256th part."""

_ROUND_TRIP_MM: Final = 1e-3


def in_pixels(view: ViewRecipe, ruler: Scale | Plane | None) -> ViewRecipe:
    """The view with all its regions in pixels; the same view where none is in mm.

    Raises: ConfigError where the view has no plane, or the camera does not see a corner.
    """
    if not any(region.in_mm for region in view.regions):
        return view
    if not isinstance(ruler, Plane):
        named = next(region.name for region in view.regions if region.in_mm)
        raise ConfigError(
            f"region {named} of view {view.view} is in mm, and the view has no plane at this station",
            expected=f'use = ["plane"] in [calibrations.{view.view}] of the station file',
            remedy="run `lineside calibrate plane`, or give the region in px",
        )
    return replace(view, regions=tuple(_region(region, view, ruler) for region in view.regions))


def _region(region: Region, view: ViewRecipe, plane: Plane) -> Region:
    return Region(
        name=region.name,
        include=region.include + tuple(_polygon(each, region, view, plane) for each in region.include_mm),
        exclude=region.exclude + tuple(_polygon(each, region, view, plane) for each in region.exclude_mm),
    )


def _polygon(polygon: Polygon, region: Region, view: ViewRecipe, plane: Plane) -> Polygon:
    corners = np.array(polygon, np.float64)
    share = (np.arange(_PIECES) / _PIECES)[:, None]
    sides = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    places = np.concatenate([start + share * (end - start) for start, end in sides])
    pixels = bearings_of(places, plane).pixels
    # Frames count pixels from their edges, a lens from their middles.
    points = pixels + 0.5
    width, height = view.width_px, view.height_px
    seen = np.asarray(((points >= 0) & (points <= (width, height))).all(axis=1))
    # Far off the axis distortion folds back: what is not found there again is not seen there.
    seen &= _comes_back(pixels, places, plane)
    if not seen.all():
        x, y = places[int(np.argmin(seen))]
        raise ConfigError(
            f"region {region.name} of view {view.view} reaches ({x:.1f}, {y:.1f}) mm, which the camera does not see",
            expected=f"places on the plane within {_seen_mm(view, plane)}",
            remedy="correct the polygon, or mount the camera so that it sees the region",
        )
    return tuple((float(x), float(y)) for x, y in points)


def _comes_back(pixels: Points, places: Points, plane: Plane) -> NDArray[np.bool_]:
    back = places_of(pixels, plane)
    return np.asarray(np.abs(back - places).max(axis=1) < _ROUND_TRIP_MM)


def _seen_mm(view: ViewRecipe, plane: Plane) -> str:
    width, height = view.width_px - 1, view.height_px - 1
    corners = places_of(np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64), plane)
    return ", ".join(f"({x:.1f}, {y:.1f})" for x, y in corners) + " mm, the frame's corners"
