"""Draws smooth shapes at several times the frame's resolution, in coordinates of a nominal 640x480 picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["NOMINAL_HEIGHT", "NOMINAL_WIDTH", "FloatImage", "Pen", "blurred"]

NOMINAL_WIDTH = 640
NOMINAL_HEIGHT = 480

FloatImage = NDArray[np.float32]

_FINE_BITS = 4
"""OpenCV draws with this many fractional bits."""


def blurred(image: FloatImage, sigma_x: float, sigma_y: float | None = None) -> FloatImage:
    """Gaussian blur; sigmas in pixels of the image given."""
    smooth = cv2.GaussianBlur(
        image, (0, 0), sigmaX=sigma_x, sigmaY=sigma_x if sigma_y is None else sigma_y, borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(smooth, np.float32)


class Pen:
    """Draws masks of float32 0..1 with shape (height_px * oversampling, width_px * oversampling).

    Coordinates and lengths are those of a 640x480 picture; it is scaled to fit and centred in the frame.
    """

    def __init__(self, width_px: int, height_px: int) -> None:
        self.oversampling = 2
        self.frame_scale = min(width_px / NOMINAL_WIDTH, height_px / NOMINAL_HEIGHT)
        self.left_px = (width_px - NOMINAL_WIDTH * self.frame_scale) / 2
        self.top_px = (height_px - NOMINAL_HEIGHT * self.frame_scale) / 2
        self.frame_shape = (height_px, width_px)
        self.shape = (height_px * self.oversampling, width_px * self.oversampling)
        self.scale = self.frame_scale * self.oversampling

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Nominal coordinates to frame pixels."""
        return x * self.frame_scale + self.left_px, y * self.frame_scale + self.top_px

    def polygon(self, corners: Sequence[tuple[float, float]]) -> FloatImage:
        points = np.array([self._fine(x, y) for x, y in corners], np.int32)
        return self._filled(lambda mask: cv2.fillPoly(mask, [points], 255, cv2.LINE_8, _FINE_BITS))

    def disc(self, x: float, y: float, radius: float) -> FloatImage:
        fine_radius = round(radius * self.scale * (1 << _FINE_BITS))
        return self._filled(
            lambda mask: cv2.circle(mask, self._fine(x, y), fine_radius, 255, -1, cv2.LINE_8, _FINE_BITS)
        )

    def ring(self, x: float, y: float, inner: float, outer: float) -> FloatImage:
        return self.disc(x, y, outer) - self.disc(x, y, inner)

    def rectangle(self, x: float, y: float, width: float, height: float, corner: float = 0.0) -> FloatImage:
        """A rectangle around its centre (x, y), its corners rounded with radius `corner`."""
        left, right = x - width / 2 + corner, x + width / 2 - corner
        top, bottom = y - height / 2 + corner, y + height / 2 - corner
        outline = [
            (cx + corner * math.cos(angle), cy + corner * math.sin(angle))
            for cx, cy, start in ((right, bottom, 0), (left, bottom, 1), (left, top, 2), (right, top, 3))
            for angle in (math.pi / 2 * (start + step / 12) for step in range(13))
        ]
        return self.polygon(outline)

    def line(self, points: Sequence[tuple[float, float]], width: float) -> FloatImage:
        path = np.array([self._fine(x, y) for x, y in points], np.int32)
        thickness = max(1, round(width * self.scale))
        return self._filled(lambda mask: cv2.polylines(mask, [path], False, 255, thickness, cv2.LINE_AA, _FINE_BITS))

    def text(self, words: str, x: float, y: float, height: float, stroke: float = 1.6) -> FloatImage:
        """Words whose base line starts at (x, y), capital letters `height` high."""
        size = height * self.scale / 22
        origin = (round(self._x(x)), round(self._y(y)))
        thickness = max(1, round(stroke * self.scale))
        return self._filled(
            lambda mask: cv2.putText(mask, words, origin, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thickness, cv2.LINE_AA)
        )

    def rise(self, mask: FloatImage, width: float) -> FloatImage:
        """A smooth ramp from 0 at the mask's edge to 1 at `width` inside: the height of a bevelled or domed shape."""
        inside = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        ramp = np.clip(inside / np.float32(width * self.scale), 0, 1)
        return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)

    def noise(self, rng: np.random.Generator, sigma_x: float, sigma_y: float) -> FloatImage:
        """Smooth noise of mean 0 and deviation 1 with the given grain, in nominal pixels."""
        grain = (max(0.5, sigma_y * self.scale), max(0.5, sigma_x * self.scale))
        steps = [
            max(1, int(sigma / 2)) for sigma in grain
        ]  # coarse grain is drawn small and enlarged: the same, faster
        rows, columns = (math.ceil(count / step) + 1 for count, step in zip(self.shape, steps, strict=True))
        coarse = rng.standard_normal((rows, columns), np.float32)
        coarse = blurred(coarse, grain[1] / steps[1], grain[0] / steps[0])
        field = cv2.resize(coarse, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray((field - field.mean()) / field.std(), np.float32)

    def blank(self, value: float = 0.0) -> FloatImage:
        return np.full(self.shape, value, np.float32)

    def to_frame(self, image: FloatImage) -> FloatImage:
        """Averages the fine picture down to the frame: this is the anti-aliasing."""
        return np.asarray(cv2.resize(image, self.frame_shape[::-1], interpolation=cv2.INTER_AREA), np.float32)

    def _filled(self, draw: Callable[[NDArray[np.uint8]], object]) -> FloatImage:
        mask = np.zeros(self.shape, np.uint8)
        draw(mask)
        return np.asarray(mask, np.float32) / np.float32(255)

    def _x(self, x: float) -> float:
        return (x * self.frame_scale + self.left_px) * self.oversampling

    def _y(self, y: float) -> float:
        return (y * self.frame_scale + self.top_px) * self.oversampling

    def _fine(self, x: float, y: float) -> tuple[int, int]:
        return round(self._x(x) * (1 << _FINE_BITS)), round(self._y(y) * (1 << _FINE_BITS))
