"""Where a painted defect is: soft shapes, each an alpha (H, W) float32 from 0 to 1, drawn from a generator.

Sizes are in shares of the shorter side of the picture, so that they mean the same at any resolution.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Alpha", "Point", "blob", "clouds", "ellipse", "line", "noise", "piece", "softened", "spots"]

Alpha = NDArray[np.float32]
Point = tuple[float, float]
"""Column and row in px."""

_LINE_POINTS = 24


def noise(shape: tuple[int, int], grain_px: float, rng: np.random.Generator) -> Alpha:
    """Smooth noise with mean 0 and spread 1: three octaves, the coarsest with grains of `grain_px`."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(3):
        grain = max(1.0, grain_px / 2**octave)
        size = (max(2, math.ceil(width / grain) + 1), max(2, math.ceil(height / grain) + 1))
        coarse = rng.standard_normal(size[::-1]).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6), np.float32)


def softened(alpha: Alpha, sigma_px: float) -> Alpha:
    """With soft edges."""
    if sigma_px <= 0:
        return alpha
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE), np.float32)


def ellipse(shape: tuple[int, int], centre: Point, radii: Point, angle_deg: float) -> Alpha:
    """A filled ellipse."""
    alpha = np.zeros(shape, np.float32)
    axes = (max(1, round(radii[0])), max(1, round(radii[1])))
    cv2.ellipse(alpha, (round(centre[0]), round(centre[1])), axes, angle_deg, 0, 360, 1.0, -1, cv2.LINE_8)
    return alpha


def piece(shape: tuple[int, int], centre: Point, sides: Point, angle_deg: float) -> Alpha:
    """A filled rectangle."""
    alpha = np.zeros(shape, np.float32)
    corners = cv2.boxPoints((centre, (max(1.0, sides[0]), max(1.0, sides[1])), angle_deg))
    cv2.fillConvexPoly(alpha, np.rint(corners).astype(np.int32), 1.0)
    return alpha


def blob(shape: tuple[int, int], centre: Point, radius_px: float, rng: np.random.Generator) -> Alpha:
    """A roundish spot with a ragged outline."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, squeeze = rng.uniform(0, math.pi), rng.uniform(0.4, 1.0)
    along = (x - centre[0]) * math.cos(angle) + (y - centre[1]) * math.sin(angle)
    across = (y - centre[1]) * math.cos(angle) - (x - centre[0]) * math.sin(angle)
    away = np.sqrt(along**2 + (across / squeeze) ** 2) / max(radius_px, 1.0)
    ragged = away + 0.25 * noise(shape, max(2.0, radius_px), rng)
    return np.asarray(ragged < 1, np.float32)


def clouds(shape: tuple[int, int], centre: Point, radius_px: float, rng: np.random.Generator) -> Alpha:
    """Islands of smooth noise around a point."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    near = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius_px**2))
    grain = max(2.0, radius_px * rng.uniform(0.3, 1.0))
    return np.asarray(noise(shape, grain, rng) * near > rng.uniform(0.25, 0.6), np.float32)


def line(shape: tuple[int, int], start: Point, length_px: float, width_px: float, rng: np.random.Generator) -> Alpha:
    """A line that wanders, thin at its ends. Thinner than a pixel it is fainter instead."""
    angle, bend = rng.uniform(0, 2 * math.pi), rng.normal(0, 0.6) / _LINE_POINTS
    wander = rng.normal(0, rng.uniform(0.0, 0.12), _LINE_POINTS).cumsum() + bend * np.arange(_LINE_POINTS)
    angles = angle + wander
    step = length_px / _LINE_POINTS
    xs = start[0] + np.concatenate([[0.0], np.cos(angles).cumsum() * step])
    ys = start[1] + np.concatenate([[0.0], np.sin(angles).cumsum() * step])
    alpha = np.zeros(shape, np.float32)
    swell = np.sin(np.linspace(0.15, math.pi - 0.15, _LINE_POINTS))
    fixed = 16  # OpenCV draws between pixels in units of 1/16
    points = np.rint(np.stack([xs, ys], axis=1) * fixed).astype(np.int32)
    for index in range(_LINE_POINTS):
        thick = width_px * float(swell[index])
        first, last = (tuple(int(value) for value in points[place]) for place in (index, index + 1))
        segment = np.zeros(shape, np.float32)
        cv2.line(segment, first, last, 1.0, max(1, round(thick)), cv2.LINE_8, 4)
        np.maximum(alpha, segment * np.float32(min(1.0, 0.4 + 0.6 * thick)), out=alpha)
    return alpha


def spots(
    shape: tuple[int, int], centre: Point, reach_px: float, radius_px: float, count: int, rng: np.random.Generator
) -> Alpha:
    """Small round spots scattered about a point."""
    alpha = np.zeros(shape, np.float32)
    for _ in range(count):
        x, y = rng.normal(centre, reach_px / 2)
        radius = radius_px * rng.lognormal(0, 0.4)
        np.maximum(
            alpha, ellipse(shape, (x, y), (radius, radius * rng.uniform(0.6, 1)), rng.uniform(0, 180)), out=alpha
        )
    return alpha
