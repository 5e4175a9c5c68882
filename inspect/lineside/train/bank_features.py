"""What the bank sees at each place of a picture: responses of fixed filters at three scales, averaged over cells.

Everything here is the reference in numpy; `bank_graph` writes the same sums as an ONNX graph. Pictures are float32
planes (C, H, W) from 0 to 1, both sides multiples of `CELL_PX`; edges are continued by their outermost pixels.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat

__all__ = [
    "CELL_PX",
    "CHROMA_SCALES",
    "CONTRAST_FLOOR",
    "CONTRAST_POOL_PX",
    "FILTERS",
    "GRADIENTS",
    "SCALES",
    "Planes",
    "colour_weights",
    "contrast_blur",
    "feature_count",
    "features",
    "softening",
]

CELL_PX: Final = 8
"""A place is a square of so many pixels."""

SCALES: Final = (1, 2, 4)
CHROMA_SCALES: Final = (1, 2)

CONTRAST_POOL_PX: Final = 4
CONTRAST_FLOOR: Final = 0.02
"""Spread below which nothing is amplified, of a range of 1: flat ground stays flat."""

_CONTRAST_SIGMA: Final = 2.0
"""In pixels of the pooled picture, so 8 px."""

Planes = NDArray[np.float32]


def features(planes: Planes, pixel_format: PixelFormat, *, even_contrast: bool) -> Planes:
    """(D, H / 8, W / 8): what is seen at each place. `even_contrast` divides brightness by its spread nearby."""
    weights = colour_weights(pixel_format)
    seen = np.einsum("oc,chw->ohw", weights, planes).astype(np.float32)
    luma = seen[0]
    even = _even(luma) if even_contrast else luma
    parts = [_pooled(luma[None], CELL_PX)]
    for scale in SCALES:
        responses = _responses(_pooled(even[None], scale)[0], FILTERS)
        parts += [_pooled(responses, CELL_PX // scale), _pooled(np.abs(responses), CELL_PX // scale)]
    if len(seen) > 1:
        parts.append(_pooled(seen[1:], CELL_PX))
        for scale in CHROMA_SCALES:
            for chroma in _pooled(seen[1:], scale):
                parts.append(_pooled(np.abs(_responses(chroma, GRADIENTS)), CELL_PX // scale))
    return np.stack([_filtered(plane, softening()) for part in parts for plane in part])


def feature_count(pixel_format: PixelFormat) -> int:
    """D: the number of values at each place."""
    count = 1 + 2 * len(FILTERS) * len(SCALES)
    return count if pixel_format.channels == 1 else count + 2 + 2 * len(GRADIENTS) * len(CHROMA_SCALES)


def colour_weights(pixel_format: PixelFormat) -> Planes:
    """(1, 1) for grey; (3, 3) for colour: brightness, red - blue, green - (red + blue) / 2, in the frame's order."""
    if pixel_format.channels == 1:
        return np.ones((1, 1), np.float32)
    of_rgb = np.array([[0.299, 0.587, 0.114], [1, 0, -1], [-0.5, 1, -0.5]], np.float32)
    return of_rgb if pixel_format is PixelFormat.RGB8 else np.ascontiguousarray(of_rgb[:, ::-1])


def softening() -> Planes:
    """(3, 3): the binomial blur of what neighbouring places see."""
    row = np.array([1, 2, 1], np.float32) / 4
    return np.asarray(np.outer(row, row), np.float32)


def contrast_blur() -> Planes:
    """(9,): one direction of the blur by which contrast is evened out."""
    return _gaussian(4, _CONTRAST_SIGMA)


def _gaussian(reach: int, sigma: float) -> Planes:
    steps = np.arange(-reach, reach + 1)
    bell = np.exp(-0.5 * np.square(steps / sigma))
    return np.asarray(bell / bell.sum(), np.float32)


def _bank() -> Planes:
    """(11, 5, 5): a Gaussian, its derivatives of first and second order, a Laplacian, four Gabor filters.

    All but the first sum to zero; the absolute values of each sum to 1, so that their answers are alike in size.
    """
    y, x = np.mgrid[-2:3, -2:3].astype(np.float64)
    bell = np.exp(-(x * x + y * y) / 2)
    kernels = [bell, -x * bell, -y * bell, (x * x - 1) * bell, (y * y - 1) * bell, x * y * bell]
    kernels.append((x * x + y * y - 2) * bell)
    for angle in np.deg2rad((0, 45, 90, 135)):
        along = x * np.cos(angle) + y * np.sin(angle)
        kernels.append(np.cos(2 * np.pi * along / 4) * np.exp(-(x * x + y * y) / (2 * 1.3**2)))
    bank = np.stack(kernels)
    bank[1:] -= bank[1:].mean(axis=(1, 2), keepdims=True)
    return np.asarray(bank / np.abs(bank).sum(axis=(1, 2), keepdims=True), np.float32)


FILTERS: Final = _bank()
GRADIENTS: Final = FILTERS[1:3]


def _even(luma: Planes) -> Planes:
    """Brightness less its mean nearby, divided by its spread nearby."""
    row = contrast_blur()
    small, square = (_pooled(plane[None], CONTRAST_POOL_PX)[0] for plane in (luma, luma * luma))
    mean, of_squares = (
        cv2.sepFilter2D(plane, cv2.CV_32F, row, row, borderType=cv2.BORDER_REPLICATE) for plane in (small, square)
    )
    spread = np.sqrt(np.maximum(of_squares - mean * mean, 0) + np.float32(CONTRAST_FLOOR**2))
    height, width = luma.shape
    mean, spread = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in (mean, spread))
    return np.asarray((luma - mean) / spread, np.float32)


def _responses(plane: Planes, kernels: Planes) -> Planes:
    return np.stack([_filtered(plane, kernel) for kernel in kernels])


def _filtered(plane: Planes, kernel: Planes) -> Planes:
    return np.asarray(cv2.filter2D(plane, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)


def _pooled(planes: Planes, size: int) -> Planes:
    """(N, H, W) to (N, H / size, W / size): averages of whole squares."""
    if size == 1:
        return planes
    count, height, width = planes.shape
    small = [cv2.resize(plane, (width // size, height // size), interpolation=cv2.INTER_AREA) for plane in planes]
    return np.asarray(np.stack(small), np.float32).reshape(count, height // size, width // size)
