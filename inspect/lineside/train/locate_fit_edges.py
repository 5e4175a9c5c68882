"""Learns from good pictures how to find a part that nothing sets off from its ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lineside.core.errors import ConfigError, NotLocated
from lineside.core.frame import Pixels
from lineside.imaging.locate import EdgesPattern, locate
from lineside.train.locate_trial import LEAST_CORRELATION, Trial, tried

__all__ = ["Region", "fit_edges"]

_EXAMPLES: Final = 4
"""Pictures that are tried as the reference."""
_TRIED_FIRST: Final = 8
_MARGIN: Final = 0.12
"""Of the picture, by which nothing is found: so far parts may shift."""
_BEYOND_SHARE: Final = 1.25
_BEYOND_DEG: Final = 2.0
"""Parts may turn by so much more than good ones did."""

Region = tuple[int, int, int, int]
"""x, y, width and height in px."""


def fit_edges(pictures: Sequence[Pixels], region: Region | None = None) -> Trial[EdgesPattern]:
    """The pattern by which parts are found, from frames of good parts. Raises: ConfigError where there is none.

    `region` is where the part is in the first picture, and all that is looked at; without one it is the whole picture.
    """
    if region is not None:
        patterns = [_of_region(pictures[0], region)]
    else:
        patterns = [_of_whole(pixels) for pixels in pictures[:: -(-len(pictures) // _EXAMPLES)]]
    trials = [tried(pattern, pictures, _TRIED_FIRST) for pattern in patterns]
    chosen = max(trials, key=lambda trial: (len(trial.correlations), trial.worst)).pattern
    turned = max((abs(_turn(pixels, chosen)) for pixels in pictures), default=0.0)
    most = min(180.0, round(turned * _BEYOND_SHARE + _BEYOND_DEG, 1))
    return tried(replace(chosen, most_turn_deg=most), pictures)


def _of_whole(pixels: Pixels) -> EdgesPattern:
    height, width = pixels.shape[:2]
    return EdgesPattern(
        reference=pixels,
        margin_px=(round(width * _MARGIN), round(height * _MARGIN)),
        most_turn_deg=180.0,
        min_correlation=LEAST_CORRELATION,
    )


def _of_region(pixels: Pixels, region: Region) -> EdgesPattern:
    x, y, width, height = region
    rows, columns = pixels.shape[:2]
    if not (0 <= x < x + width <= columns and 0 <= y < y + height <= rows and min(width, height) >= 16):
        raise ConfigError(
            f"a part at {x}, {y} of {width} x {height} px in pictures of {columns} x {rows} px",
            expected="at least 16 px each way, wholly in the picture",
        )
    return EdgesPattern(
        reference=pixels[y : y + height, x : x + width].copy(),
        margin_px=(0, 0),
        most_turn_deg=180.0,
        min_correlation=LEAST_CORRELATION,
    )


def _turn(pixels: Pixels, pattern: EdgesPattern) -> float:
    """In degrees; 0 for a part that is not found."""
    try:
        return locate(pixels, pattern).pose.angle_deg
    except NotLocated:
        return 0.0
