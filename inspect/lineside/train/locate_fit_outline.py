"""Learns from good pictures what a part on even ground looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.locate import OutlinePattern
from lineside.imaging.outlines import PartOutline, coarse_pose, ground_of, outlines
from lineside.imaging.pose import warped
from lineside.train.locate_trial import LEAST_CORRELATION, Trial, tried

__all__ = ["fit_outline", "ground_contrast"]

_MARGIN: Final = 0.06
"""Of background around the part, as a share of its longer side: what sticks out where nothing should is seen."""

_AS_GOOD: Final = 0.03
"""Difference in correlation that says nothing: then parts are taken to turn."""


def fit_outline(pictures: Sequence[Pixels], pixel_format: PixelFormat) -> Trial[OutlinePattern]:
    """The pattern by which parts are found, from frames of good parts. Raises: ConfigError where there is none."""
    contrast = ground_contrast(pictures, pixel_format)
    turning, shifting = (tried(_pattern(pictures, contrast, turns=turns), pictures) for turns in (True, False))
    # The worst tells of wrong turns: a disc's rectangle has any angle.
    return turning if turning.worst >= shifting.worst - _AS_GOOD else shifting


def ground_contrast(pictures: Sequence[Pixels], pixel_format: PixelFormat) -> float:
    """How far from the ground's colour a pixel is no ground, in pixel values: the median over the pictures."""
    return float(np.median([_contrast(pixels, pixel_format) for pixels in pictures]))


def _contrast(pixels: Pixels, pixel_format: PixelFormat) -> float:
    """Half-way between background and part by Otsu's rule, in pixel values."""
    background = ground_of(pixels, pixel_format.max_value).value
    away = np.abs(pixels.astype(np.float32) - np.array(background, np.float32))
    away = away if away.ndim == 2 else away.max(axis=2)
    share = 255 / pixel_format.max_value
    level, _ = cv2.threshold((away * share).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(level) / share


def _pattern(pictures: Sequence[Pixels], contrast: float, *, turns: bool) -> OutlinePattern:
    """With the good part as its reference whose outline is the most usual."""
    grounds = [ground_of(pixels, contrast) for pixels in pictures]
    seen = [outlines(ground, turns=turns) for ground in grounds]
    largest = [(index, found[0]) for index, found in enumerate(seen) if found]
    if not largest:
        raise ConfigError(
            "nothing in the good pictures differs from its background", expected="one part in each on an even ground"
        )
    measures = np.array([_measures(outline) for _, outline in largest])
    usual = np.median(measures, axis=0)
    index, outline = largest[int(np.abs(measures / usual - 1).sum(axis=1).argmin())]
    margin = 2 * _MARGIN * max(outline.size_px)
    size = round(outline.size_px[0] + margin), round(outline.size_px[1] + margin)
    pose = coarse_pose(outline.centre_px, size, outline.angle_deg)
    return OutlinePattern(
        reference=warped(pictures[index], pose, size, grounds[index].value),
        contrast=contrast,
        area_px=round(float(usual[0]), 1),
        size_px=(round(outline.size_px[0], 1), round(outline.size_px[1], 1)),
        turns=turns,
        min_correlation=LEAST_CORRELATION,
    )


def _measures(outline: PartOutline) -> tuple[float, float, float]:
    return outline.area_px, max(outline.size_px), min(outline.size_px)
