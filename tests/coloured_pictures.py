"""Coloured pictures with shapes, the same on every machine: something for foreign networks to look at."""

import cv2
import numpy as np
from numpy.typing import NDArray


def coloured(seed: int, width_px: int = 330, height_px: int = 190) -> NDArray[np.uint8]:
    """(height, width, 3) in blue, green, red: a soft ground with ellipses and a little noise."""
    random = np.random.default_rng(seed)
    ground = random.integers(60, 200, (6, 8, 3), dtype=np.uint8)
    picture = cv2.resize(ground, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    for _ in range(6):
        centre = (int(random.integers(width_px)), int(random.integers(height_px)))
        axes = (int(random.integers(6, 40)), int(random.integers(6, 40)))
        colour = [int(value) for value in random.integers(0, 255, 3)]
        cv2.ellipse(picture, centre, axes, int(random.integers(180)), 0, 360, colour, -1, cv2.LINE_AA)
    return np.clip(picture + random.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
