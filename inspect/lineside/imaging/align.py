"""Fine alignment of one picture of a part to another (Evangelidis and Psarakis, ECC, PAMI 2008)."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.imaging.pose import Affine

__all__ = ["ALIGN_SIDE_PX", "Planes", "aligned", "grey", "rigidly_aligned", "small_grey"]

ALIGN_SIDE_PX: Final = 160
"""Long side at which parts are aligned: larger ones take longer and fit no better."""

_ITERATIONS: Final = 30
_CONVERGED: Final = 1e-5
_ECC_BLUR_PX: Final = 5
_MOST_STRETCH: Final = 0.1
"""How much the affine may stretch a part; beyond, it is only shifted and turned."""

Planes = NDArray[np.float32]


def small_grey(pixels: NDArray[Any], side_px: int) -> Planes:
    """(h, w) of a frame, reduced to this long side where it is larger, in pixel values."""
    height, width = pixels.shape[:2]
    share = min(1.0, side_px / max(height, width))
    size = max(16, round(width * share)), max(16, round(height * share))
    return grey(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def grey(pixels: NDArray[Any]) -> Planes:
    """(h, w): the mean over the channels."""
    values = pixels.astype(np.float32)
    return values if values.ndim == 2 else np.asarray(cv2.transform(values, np.full((1, 3), 1 / 3)), np.float32)


def aligned(wanted: Planes, seen: Planes, min_correlation: float) -> tuple[Affine, float]:
    """The affine that lays `seen` onto `wanted`, as a map from the one to the other, and their correlation."""
    affine, correlation = _ecc(wanted, seen, cv2.MOTION_AFFINE, np.full(seen.shape, 255, np.uint8))
    if correlation < min_correlation or _stretch(affine) > _MOST_STRETCH:
        # Where a piece is missing the affine pulls what is left out of shape; shift and angle still hold.
        return rigidly_aligned(wanted, seen, np.full(seen.shape, 255, np.uint8))
    return affine, correlation


def rigidly_aligned(wanted: Planes, seen: Planes, where: NDArray[np.uint8]) -> tuple[Affine, float]:
    """Shift and angle alone, by the places of `seen` that `where` names; the correlation is that of these places.

    -1 is the correlation where the search runs away.
    """
    return _ecc(wanted, seen, cv2.MOTION_EUCLIDEAN, where)


def _ecc(wanted: Planes, seen: Planes, motion: int, where: NDArray[np.uint8]) -> tuple[Affine, float]:
    start = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ITERATIONS, _CONVERGED)
    try:
        correlation, matrix = cv2.findTransformECC(wanted, seen, start, motion, criteria, where, _ECC_BLUR_PX)
    except cv2.error:
        return np.eye(2, 3), -1.0
    affine = np.asarray(matrix, np.float64)
    # From OpenCV's middles of pixels to edges.
    half = np.array([0.5, 0.5])
    affine[:, 2] += half - affine[:, :2] @ half
    return affine, float(correlation)


def _stretch(affine: Affine) -> float:
    return float(np.abs(np.linalg.svd(affine[:, :2], compute_uv=False) - 1).max())
