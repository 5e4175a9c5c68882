"""A picture for people: a good part on average, what is odd about good ones, the worst good picture and its map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.train.patch_package import TrainedPatch
from lineside.train.sheet_tiles import heat, shown, tile

__all__ = ["contact_sheet"]


def contact_sheet(trained: TrainedPatch, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """Four captioned tiles as a BGR picture (H, W, 3)."""
    tiles = (
        ("Good parts on average (sharp: they lie alike)", _picture(trained.mean, pixel_format)),
        ("Their maps on average (white: the limit)", heat(trained.usual_map)),
        (f"The good part that fits worst: {trained.worst}", _picture(trained.worst_planes, pixel_format)),
        (f"Its map (white: the limit); held out it scores {trained.scores.max():.2f}", heat(trained.worst_map)),
    )
    drawn = [tile(caption, picture) for caption, picture in tiles]
    return np.asarray(np.vstack([np.hstack(drawn[:2]), np.hstack(drawn[2:])]), np.uint8)


def _picture(planes: NDArray[np.float32], pixel_format: PixelFormat) -> NDArray[np.uint8]:
    return shown(planes.transpose(1, 2, 0) * 255, pixel_format)
