"""A picture for people: each held-out picture's score before and after, with the threshold."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.train.quantise_comparison import Comparison

__all__ = ["scatter"]

_SIDE_PX, _MARGIN_PX = 560, 70
_PAPER, _INK, _GRID = (250, 250, 250), (40, 40, 40), (210, 210, 210)
_GOOD, _BAD = (140, 130, 0), (40, 70, 220)  # blue, green, red


def scatter(comparison: Comparison) -> NDArray[np.uint8]:
    """(H, W, 3) in blue, green, red. On the diagonal nothing has changed; off the quadrants a verdict has."""
    seen, limit = comparison.seen, comparison.threshold
    values = [limit, *(value for each in seen for value in (each.original, each.quantised))]
    low, high = min(values), max(values)
    pad = 0.05 * (high - low or 1.0)
    low, span = low - pad, high - low + 2 * pad
    picture = np.full((_SIDE_PX + 2 * _MARGIN_PX, _SIDE_PX + 2 * _MARGIN_PX, 3), _PAPER, np.uint8)

    def place(x: float, y: float) -> tuple[int, int]:
        return (
            _MARGIN_PX + round((x - low) / span * _SIDE_PX),
            _MARGIN_PX + _SIDE_PX - round((y - low) / span * _SIDE_PX),
        )

    end = low + span
    cv2.line(picture, place(low, low), place(end, end), _GRID, 1, cv2.LINE_AA)
    for line in ((place(limit, low), place(limit, end)), (place(low, limit), place(end, limit))):
        cv2.line(picture, *line, _INK, 1, cv2.LINE_AA)
    cv2.rectangle(picture, place(low, end), place(end, low), _GRID, 1)
    for each in seen:
        cv2.circle(picture, place(each.original, each.quantised), 4, _GOOD if each.good else _BAD, -1, cv2.LINE_AA)
    bottom = _MARGIN_PX + _SIDE_PX
    for text, where, colour in (
        ("Scores of held-out pictures: original across, INT8 upwards; lines: the threshold", (_MARGIN_PX, 30), _INK),
        ("good", (_MARGIN_PX, 52), _GOOD),
        ("bad", (_MARGIN_PX + 60, 52), _BAD),
        (f"{low:.3g}", (_MARGIN_PX, bottom + 24), _INK),
        (f"{limit:.3g}", (place(limit, low)[0] - 10, bottom + 24), _INK),
        (f"{end:.3g}", (bottom - 30, bottom + 24), _INK),
    ):
        cv2.putText(picture, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return picture
