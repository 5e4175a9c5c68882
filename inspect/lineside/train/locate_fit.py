"""Learns from good pictures what a part looks like to the locator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from lineside.core.errors import ConfigError, NotLocated
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.locate import PartOutline, PartPattern, coarse_pose, locate, outlines, warped

__all__ = ["fit_locate"]

_MARGIN: Final = 0.06
"""Of background around the part, as a share of its longer side: what sticks out where nothing should is seen."""

_MOST_TRIED: Final = 16
_CORRELATION_SHARE: Final = 0.6
"""Of the worst good part's correlation: a damaged part still fits, another one does not."""
_LEAST_CORRELATION: Final = 0.3
"""Anything may be laid onto anything else with less."""
_MOST_LOST: Final = 0.1
_AS_GOOD: Final = 0.03
"""Difference in correlation that says nothing: then parts are taken to turn."""


def fit_locate(pictures: Sequence[Pixels], pixel_format: PixelFormat) -> PartPattern:
    """The pattern by which parts are found, from frames of good parts. Raises: ConfigError where they are not found."""
    contrast = float(np.median([_contrast(pixels, pixel_format) for pixels in pictures]))
    patterns = [_pattern(pictures, contrast, turns=turns) for turns in (True, False)]
    tried = pictures[:: -(-len(pictures) // _MOST_TRIED)]
    fits = [[_correlation(pixels, pattern) for pixels in tried] for pattern in patterns]
    # The worst tells of wrong turns: a disc's rectangle has any angle.
    turning, shifting = (min((each for each in fit if each), default=0.0) for fit in fits)
    best = 0 if turning >= shifting - _AS_GOOD else 1
    found = [correlation for correlation in fits[best] if correlation]
    if len(found) < (1 - _MOST_LOST) * len(tried):
        raise ConfigError(
            f"only {len(found)} of {len(tried)} good parts were found: {_why_not(tried, patterns[best])}",
            expected="one part in each picture, wholly in it, on a ground of another brightness or colour",
            remedy="photograph parts on such a ground, or train without locating them",
        )
    return replace(patterns[best], min_correlation=round(max(_LEAST_CORRELATION, _CORRELATION_SHARE * min(found)), 3))


def _contrast(pixels: Pixels, pixel_format: PixelFormat) -> float:
    """Half-way between background and part by Otsu's rule, in pixel values."""
    background, _ = outlines(pixels, pixel_format.max_value, turns=False)
    away = np.abs(pixels.astype(np.float32) - np.array(background, np.float32))
    away = away if away.ndim == 2 else away.max(axis=2)
    share = 255 / pixel_format.max_value
    level, _ = cv2.threshold((away * share).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(level) / share


def _pattern(pictures: Sequence[Pixels], contrast: float, *, turns: bool) -> PartPattern:
    """With the good part as its reference whose outline is the most usual."""
    seen = [outlines(pixels, contrast, turns=turns) for pixels in pictures]
    largest = [(index, found[0]) for index, (_, found) in enumerate(seen) if found]
    if not largest:
        raise ConfigError(
            "nothing in the good pictures differs from its background", expected="one part in each on an even ground"
        )
    measures = np.array([_measures(outline) for _, outline in largest])
    usual = np.median(measures, axis=0)
    index, outline = largest[int(np.abs(measures / usual - 1).sum(axis=1).argmin())]
    margin = 2 * _MARGIN * max(outline.size_px)
    size = round(outline.size_px[0] + margin), round(outline.size_px[1] + margin)
    return PartPattern(
        reference=warped(pictures[index], coarse_pose(outline, size, 0.0), size, seen[index][0]),
        contrast=contrast,
        area_px=round(float(usual[0]), 1),
        size_px=(round(outline.size_px[0], 1), round(outline.size_px[1], 1)),
        turns=turns,
        min_correlation=_LEAST_CORRELATION,
    )


def _measures(outline: PartOutline) -> tuple[float, float, float]:
    return outline.area_px, max(outline.size_px), min(outline.size_px)


def _correlation(pixels: Pixels, pattern: PartPattern) -> float:
    """0 for a part that is not found."""
    try:
        return locate(pixels, pattern).correlation
    except NotLocated:
        return 0.0


def _why_not(pictures: Sequence[Pixels], pattern: PartPattern) -> str:
    for pixels in pictures:
        try:
            locate(pixels, pattern)
        except NotLocated as error:
            return error.what
    return ""
