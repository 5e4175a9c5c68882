"""Brightness, colour and sharpness of a picture, region by region; and where it lies over a reference. All pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["GRID", "LightGrid", "Placement", "light_of", "placement_of", "reference_picture"]

Floats = NDArray[np.float64]

GRID: Final = (8, 6)
"""Regions across and down."""

REFERENCE_WIDTH_PX: Final = 320
"""Reference pictures are kept this wide: enough for a twentieth of their pixels, and small to keep."""

_ROUNDS = 300
_SURE = 0.6
"""Correlation below which two pictures do not show the same thing in nearly the same place."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LightGrid:
    """One picture's light. All float64.

    `brightness` is (rows, columns), shares of the largest value. `sharpness` is (rows, columns): root mean square slope
    for each pixel, as a share of the region's brightness. `colour` is (rows, columns, 3), the shares of red, green and
    blue in the region; of length 0 in the last axis for pictures of one colour.
    """

    brightness: Floats
    sharpness: Floats
    colour: Floats

    @property
    def values(self) -> Floats:
        """All of it, (figures, rows, columns): brightness, sharpness, then red, green and blue where there are any."""
        return np.concatenate([self.brightness[None], self.sharpness[None], np.moveaxis(self.colour, 2, 0)])


def light_of(pixels: Pixels, pixel_format: PixelFormat, grid: tuple[int, int] = GRID) -> LightGrid:
    """Brightness, sharpness and colour of each region; `grid` is (columns, rows)."""
    share = np.asarray(pixels, np.float32) / np.float32(pixel_format.max_value)
    grey = np.asarray(share.mean(axis=2) if share.ndim == 3 else share, np.float32)
    brightness = _means(grey, grid)
    # Calmed first: a pixel's noise is no edge.
    calm = cv2.GaussianBlur(grey, (0, 0), 1.0)
    across, down = cv2.Sobel(calm, cv2.CV_32F, 1, 0), cv2.Sobel(calm, cv2.CV_32F, 0, 1)
    slopes = np.asarray((across**2 + down**2) / 64, np.float32)
    sharpness = np.sqrt(_means(slopes, grid)) / np.maximum(brightness, 1e-3)
    colour = np.zeros((*brightness.shape, 0))
    if share.ndim == 3:
        each = np.stack([_means(share[..., channel], grid) for channel in range(3)], axis=-1)
        each = each if pixel_format is PixelFormat.RGB8 else each[..., ::-1]
        colour = each / np.maximum(each.sum(axis=2, keepdims=True), 1e-6)
    return LightGrid(brightness=brightness, sharpness=sharpness, colour=colour)


def _means(values: NDArray[np.float32], grid: tuple[int, int]) -> Floats:
    return np.asarray(cv2.resize(np.ascontiguousarray(values), grid, interpolation=cv2.INTER_AREA), np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """How a picture lies over the reference: moved so much at its middle, turned about that, and larger by `scale`."""

    shift_x_px: float
    shift_y_px: float
    rotation_deg: float
    scale: float


def reference_picture(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture, uint8 (H, W), as it is kept to compare others with."""
    share = min(1.0, REFERENCE_WIDTH_PX / grey.shape[1])
    return np.asarray(cv2.resize(grey, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def placement_of(grey: NDArray[np.uint8], reference: NDArray[np.uint8]) -> Placement | None:
    """Where a picture, uint8 (H, W), lies over a reference, in px of the picture; None when it shows something else.

    By the largest correlation over all affine maps, from the best shift on: brightness and contrast do not matter.
    """
    small = reference_picture(grey)
    if small.shape != reference.shape:
        return None
    (x, y), _ = cv2.phaseCorrelate(reference.astype(np.float64), small.astype(np.float64))
    start = np.array([[1, 0, x], [0, 1, y]], np.float32)
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ROUNDS, 1e-8)
    everywhere = np.full(small.shape, 255, np.uint8)
    try:
        sure, warp = cv2.findTransformECC(reference, small, start, cv2.MOTION_AFFINE, until, everywhere, 5)
    except cv2.error:  # it finds no way up: nothing in common, or nothing to see
        return None
    if sure < _SURE:
        return None
    enlarged = grey.shape[1] / small.shape[1]
    middle = np.array([(small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2])
    shift = (warp[:, :2] @ middle + warp[:, 2] - middle) * enlarged
    along, across = (warp[0, 0] + warp[1, 1]) / 2, (warp[1, 0] - warp[0, 1]) / 2
    return Placement(
        shift_x_px=float(shift[0]),
        shift_y_px=float(shift[1]),
        rotation_deg=float(np.rad2deg(np.arctan2(across, along))),
        scale=float(np.hypot(along, across)),
    )
