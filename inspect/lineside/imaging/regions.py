"""Regions of a view as masks, and which findings lie in them.

A finding is in a region when any part of it is: a defect that only reaches in still counts, and one that lies wholly
outside, or wholly in an excluded polygon, does not. Parts of a score map outside the region are not looked at.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ConfigError, ModelError
from lineside.core.finding import Finding, ScoreMap
from lineside.core.recipe import ANY, Polygon, Region, ViewRecipe

__all__ = ["Mask", "RegionMasks", "rasterise"]

Mask = NDArray[np.uint8]
"""(h, w), 255 inside and 0 outside: what OpenCV takes as a mask."""


def rasterise(region: Region, width_px: int, height_px: int) -> Mask:
    """The region as a mask of the frame's size. A pixel belongs to a polygon when its centre lies inside."""
    mask = np.full((height_px, width_px), not region.include, dtype=bool)
    for polygon in region.include:
        mask |= _inside(polygon, width_px, height_px)
    for polygon in region.exclude:
        mask &= ~_inside(polygon, width_px, height_px)
    return mask.astype(np.uint8) * 255


def _inside(polygon: Polygon, width_px: int, height_px: int) -> NDArray[np.bool_]:
    # Not cv2.fillPoly: it also paints every pixel that an edge touches, so an excluded polygon would grow.
    x, y = np.array(polygon, dtype=np.float64).T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    centres = np.arange(width_px) + 0.5
    inside = np.zeros((height_px, width_px), dtype=bool)
    for row in range(max(0, math.floor(y.min())), min(height_px, math.ceil(y.max()))):
        edge = (y <= row + 0.5) != (next_y <= row + 0.5)
        along = (row + 0.5 - y[edge]) / (next_y[edge] - y[edge])
        crossings = np.sort(x[edge] + along * (next_x[edge] - x[edge]))
        inside[row] = np.searchsorted(crossings, centres, side="right") % 2 == 1
    return inside


class RegionMasks:
    """The regions of one view, rasterised once; at a score map's resolution on the first map of that shape.

    Raises (on making): ConfigError for a region without a pixel, which would pass every part.
    """

    def __init__(self, view: ViewRecipe) -> None:
        self._view = view.view
        self._size = (view.width_px, view.height_px)
        masks = {region.name: rasterise(region, *self._size) for region in view.regions}
        for name, mask in masks.items():
            if not mask.any():
                raise ConfigError(
                    f"region {name} of view {view.view} holds no pixel",
                    expected="an include that reaches beyond the excludes",
                    remedy="correct the polygons in the recipe",
                )
        self._names = tuple(masks)
        union = np.bitwise_or.reduce(list(masks.values()))
        self._sums = {name: cv2.integral(mask // 255) for name, mask in {**masks, ANY: union}.items()}
        self._on_maps: dict[tuple[object, ...], Mask] = {}
        self.whole_frame = bool(union.all())
        """Whether the regions together leave no pixel out."""

    def on_map(self, region: str, score_map: ScoreMap) -> Mask:
        """The region (ANY: all of them together) as a mask of the map's shape.

        A pixel of the map belongs when any pixel of the frame that it covers does; what lies beyond the frame, such
        as the bars of a letterbox, never does.

        Raises: ModelError for a map that does not reach the region: nobody would have looked there.
        """
        grid = (score_map.left_px, score_map.top_px, score_map.step_x_px, score_map.step_y_px)
        key = (region, score_map.values.shape, *grid)
        if key not in self._on_maps:
            height, width = score_map.values.shape
            left, right = _cells(score_map.left_px, score_map.step_x_px, width, self._size[0])
            top, bottom = _cells(score_map.top_px, score_map.step_y_px, height, self._size[1])
            sums = self._sums[region]
            count = sums[bottom][:, right] - sums[top][:, right] - sums[bottom][:, left] + sums[top][:, left]
            if not count.any():
                raise ModelError(
                    f"map {score_map.class_name} does not reach region {region} of view {self._view}",
                    expected="a map over the whole frame",
                    remedy="correct the region, or use a package whose map covers it",
                )
            self._on_maps[key] = (count > 0).astype(np.uint8) * 255
        return self._on_maps[key]

    def hold(self, region: str, finding: Finding) -> bool:
        """Whether any pixel of the finding's box lies in the region (ANY: in one of them)."""
        box = finding.box
        return self._any_pixel(region, box.x_px, box.y_px, box.x_px + box.width_px, box.y_px + box.height_px)

    def name_for(self, finding: Finding) -> str:
        """The first region, in the recipe's order, that holds a corner of the finding's outline, else of its box."""
        for name in self._names:
            if any(self._any_pixel(name, x, y, x, y) for x, y in finding.contour_px):
                return name
        return next((name for name in self._names if self.hold(name, finding)), ANY)

    def _any_pixel(self, region: str, left: float, top: float, right: float, bottom: float) -> bool:
        width, height = self._size
        x0, y0 = math.floor(left), math.floor(top)
        x1, y1 = max(x0 + 1, math.ceil(right)), max(y0 + 1, math.ceil(bottom))
        x0, x1 = (min(max(x, 0), width) for x in (x0, x1))
        y0, y1 = (min(max(y, 0), height) for y in (y0, y1))
        sums = self._sums[region]
        return bool(sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0] > 0)


def _cells(start_px: float, step_px: float, count: int, size_px: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and one past the last frame pixel under each of `count` map pixels along one axis, cut to the frame."""
    edges = np.round(start_px + np.arange(count + 1) * step_px, 6)  # so that 2.9999999 is 3
    first = np.clip(np.floor(edges[:-1]), 0, size_px).astype(np.intp)
    beyond = np.clip(np.ceil(edges[1:]), 0, size_px).astype(np.intp)
    return first, beyond
