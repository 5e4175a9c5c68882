"""Masks of boxes as YOLO's segmentation exports have them: sums of prototypes, cut at the box."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import Finding
from lineside.detectors.answers import finite_floats, wrong_shape
from lineside.detectors.placement import LocatedPlacement, Placement
from lineside.imaging.blobs import outline

__all__ = ["BoxMasks"]


class BoxMasks:
    """The prototypes of one answer. `count` is how many there are, and so coefficients with each box.

    Raises (on making): ModelError.
    """

    def __init__(self, outputs: Mapping[str, NDArray[Any]], name: str) -> None:
        values = finite_floats(outputs, name)
        if values.ndim != 4 or values.shape[0] != 1 or not values.size:
            raise wrong_shape(name, values, "(1, M, h, w): prototypes of masks over the whole input")
        self._prototypes = values[0]
        self.count = int(values.shape[1])

    def outlined(
        self, finding: Finding, corners: NDArray[np.float64], coefficients: NDArray[np.float32], placement: Placement
    ) -> Finding:
        """The finding of the box with `corners` (x1, y1, x2, y2 in input pixels), with area, length and outline of its
        mask. One without a pixel in its mask stays the box that it is: nothing that the model claims is lost.
        """
        left, top, right, bottom = _pixels(corners, placement)
        if right <= left or bottom <= top:
            return finding
        inside = (self._sums(coefficients, (left, top, right, bottom), placement) > 0).view(np.uint8)
        contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if not contours:
            return finding
        middle = np.array([left + 0.5, top + 0.5])
        every = placement.points(np.concatenate(contours)[:, 0].astype(np.float64) + middle)
        ring = max(contours, key=len)[:, 0].astype(np.float64) + middle
        largest = placement.points(ring)
        step = max(placement.step_x, placement.step_y)
        return replace(
            finding,
            area_px=cv2.countNonZero(inside) * _frame_area(ring, largest, placement),
            # The rectangle is drawn through the centres of the outermost pixels: half a pixel is missing at either end.
            length_px=float(max(cv2.minAreaRect(every.astype(np.float32))[1]) + step),
            contour_px=outline(largest),
            grid_px=step,
        )

    def _sums(
        self, coefficients: NDArray[np.float32], window: tuple[int, int, int, int], placement: Placement
    ) -> NDArray[np.float32]:
        """(h, w) of the window (left, top, right, bottom) in input pixels: the sum of prototypes, linearly enlarged.

        Only the prototypes around the window are summed up, with a margin that the enlargement looks at.
        """
        left, top, right, bottom = window
        _, rows, columns = self._prototypes.shape
        share_x, share_y = placement.width_px / columns, placement.height_px / rows
        x0, x1 = _cells(left, right, share_x, columns)
        y0, y1 = _cells(top, bottom, share_y, rows)
        sums = np.tensordot(coefficients, self._prototypes[:, y0:y1, x0:x1], axes=1)
        # The middle of input pixel x lies in the prototypes at (x + 0.5) / share - 0.5, as torch's bilinear has it.
        across = _weights(np.arange(left, right), share_x, x0, x1)
        down = _weights(np.arange(top, bottom), share_y, y0, y1)
        enlarged: NDArray[np.float32] = (down @ sums @ across.T).astype(np.float32)
        return enlarged


def _frame_area(ring: NDArray[np.float64], placed: NDArray[np.float64], placement: Placement) -> float:
    """Frame pixels for each of the input, at the mask: an unwrapped round part has not the same all over."""
    flat = cv2.contourArea(ring.astype(np.float32))
    if not isinstance(placement, LocatedPlacement) or flat == 0:
        return placement.step_x * placement.step_y
    return float(cv2.contourArea(placed.astype(np.float32)) / flat)


def _pixels(corners: NDArray[np.float64], placement: Placement) -> tuple[int, int, int, int]:
    """The pixels of the frame in the input whose number lies in [x1, x2) and [y1, y2)."""
    left, top, right, bottom = (math.ceil(value) for value in corners)
    return (
        max(left, placement.left_px),
        max(top, placement.top_px),
        min(right, placement.left_px + placement.content_width_px),
        min(bottom, placement.top_px + placement.content_height_px),
    )


def _cells(first: int, end: int, share: float, count: int) -> tuple[int, int]:
    return max(math.floor((first + 0.5) / share - 0.5), 0), min(math.floor((end - 0.5) / share - 0.5) + 2, count)


def _weights(pixels: NDArray[np.int64], share: float, first: int, end: int) -> NDArray[np.float64]:
    """(pixels, end - first): how much of each cell a pixel takes; beyond the outermost cell these go on."""
    places = np.clip((pixels + 0.5) / share - 0.5 - first, 0, end - first - 1)
    below = np.minimum(places.astype(np.int64), max(end - first - 2, 0))
    weights = np.zeros((len(pixels), end - first))
    rows = np.arange(len(pixels))
    weights[rows, below] = 1 - (places - below)
    weights[rows, np.minimum(below + 1, end - first - 1)] += places - below
    return weights
