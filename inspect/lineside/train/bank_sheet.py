"""A picture for people: a good part on average, where good parts differ, the worst good picture and its map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.train.bank_package import TrainedBank
from lineside.train.sheet_tiles import heat, shown, tile

__all__ = ["contact_sheet"]


def contact_sheet(trained: TrainedBank, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """Four captioned tiles as a BGR picture (H, W, 3)."""
    variety = trained.variety / max(float(np.quantile(trained.variety, 0.99)), 1e-6)
    scores = trained.scores
    tiles = (
        ("Good parts on average (sharp: they lie alike)", _picture(trained.mean, pixel_format)),
        ("Where good parts differ (bright: much)", heat(variety)),
        (f"The good part that fits worst: {trained.worst}", _picture(trained.worst_planes, pixel_format)),
        (f"Its map (white: the limit); held out it scores {scores.max():.2f}", heat(trained.worst_map)),
    )
    drawn = [tile(caption, picture) for caption, picture in tiles]
    return np.asarray(np.vstack([np.hstack(drawn[:2]), np.hstack(drawn[2:])]), np.uint8)


def _picture(planes: NDArray[np.float32], pixel_format: PixelFormat) -> NDArray[np.uint8]:
    return shown(planes.transpose(1, 2, 0) * 255, pixel_format)
