"""A picture made another size, in the ways that a package may ask for."""

from __future__ import annotations

from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["INTERPOLATIONS", "Interpolation", "resized"]

Interpolation = Literal["area", "halving", "linear"]

INTERPOLATIONS: Final[tuple[Interpolation, ...]] = ("area", "halving", "linear")


def resized(pixels: NDArray[Any], size_px: tuple[int, int], interpolation: Interpolation) -> NDArray[Any]:
    """`pixels` (H, W) or (H, W, C), 8 or 16 bits, at `size_px` (width, height).

    `area`: the mean of what each new pixel covers. `halving`: means of 2x2 pixels while both sides are even and at
    least twice as long as asked for, the rest by area; OpenCV has that step in vector instructions, and the other one,
    which looks at every pixel, then has a quarter or a sixteenth of them. `linear`: between the four nearest.
    """
    if interpolation == "linear":
        return np.asarray(cv2.resize(pixels, size_px, interpolation=cv2.INTER_LINEAR))
    while interpolation == "halving" and _halves(pixels.shape, size_px):
        height, width = pixels.shape[:2]
        pixels = np.asarray(cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    if pixels.shape[1::-1] == size_px:
        return pixels
    return np.asarray(cv2.resize(pixels, size_px, interpolation=cv2.INTER_AREA))


def _halves(shape: tuple[int, ...], size_px: tuple[int, int]) -> bool:
    return all(side % 2 == 0 and side >= 2 * wanted for side, wanted in zip(shape[1::-1], size_px, strict=True))
