"""A part with holes and edges, seen by a camera whose place, light and focus are known."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (480, 360)
BOX = [(60, 80), (300, 40), (420, 300), (90, 260)]


def part(*, shift: tuple[float, float] = (0, 0), turn_deg: float = 0.0, scale: float = 1.0, light: float = 1.0,
         blur: float = 0.8, seed: int = 0, noise: float = 1.5) -> NDArray[np.uint8]:  # fmt: skip
    """A part with holes and edges, moved and turned about the middle of the frame."""
    fine = 8
    large = np.full((SIZE[1] * fine, SIZE[0] * fine), 40, np.uint8)
    middle = ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)
    moved = cv2.getRotationMatrix2D(middle, -turn_deg, scale)
    moved[:, 2] += shift

    def there(point: tuple[int, int]) -> NDArray[np.int32]:
        return np.rint((moved[:, :2] @ np.array(point) + moved[:, 2] + 0.5) * fine - 0.5).astype(np.int32)

    cv2.fillPoly(large, [np.array([there(corner) for corner in BOX])], 170)
    for hole, radius in (((150, 130), 25), ((300, 200), 40), ((200, 220), 12), ((330, 110), 18)):
        x, y = there(hole)
        cv2.circle(large, (int(x), int(y)), round(radius * scale * fine), 60, -1)
    canvas = cv2.resize(large, SIZE, interpolation=cv2.INTER_AREA).astype(np.float64)
    spoiled = cv2.GaussianBlur(canvas, (0, 0), blur) * light
    spoiled += np.random.default_rng(seed).normal(0, noise, canvas.shape)
    return np.clip(np.rint(spoiled), 0, 255).astype(np.uint8)
