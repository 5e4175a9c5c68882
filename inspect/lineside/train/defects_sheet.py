"""A picture for people: what painted defects look like on their own good parts, kind by kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.train.defects import KINDS, Canvas, Painted, paint
from lineside.train.sheet_tiles import shown, tile

__all__ = ["defects_sheet"]

_OUTLINE: Final = (60, 60, 255)
_COLUMNS: Final = 3


def defects_sheet(canvases: Sequence[Canvas], pixel_format: PixelFormat, seed: int) -> NDArray[np.uint8]:
    """A row for each kind: three pictures, each as the network sees it beside the same with the flaw outlined.

    A BGR picture (H, W, 3).
    """
    rng = np.random.default_rng(seed)
    rows = []
    for place, kind in enumerate(KINDS):
        painted = [paint(canvases[(place * _COLUMNS + each) % len(canvases)], rng, kind) for each in range(_COLUMNS)]
        rows.append(np.hstack([tile(_caption(each), _pair(each, pixel_format)) for each in painted]))
    return np.asarray(np.vstack(rows), np.uint8)


def _caption(painted: Painted) -> str:
    share = float(painted.mask.mean())
    return f"{painted.kind}, {share:.2%} of the picture" if painted.mask.any() else f"{painted.kind}: not seen here"


def _pair(painted: Painted, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    picture = shown(painted.planes.transpose(1, 2, 0) * 255, pixel_format)
    marked = picture.copy()
    found, _ = cv2.findContours(painted.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(marked, found, -1, _OUTLINE, 1, cv2.LINE_AA)
    beside = np.vstack if picture.shape[1] > 1.5 * picture.shape[0] else np.hstack
    return np.asarray(beside([picture, marked]), np.uint8)
