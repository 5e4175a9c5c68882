"""A picture for people: the centre, the spread, the worst good image and where it differs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.train.sheet_tiles import heat, shown, tile
from lineside.train.template_package import TrainedTemplate

__all__ = ["contact_sheet"]


def contact_sheet(trained: TrainedTemplate, pixel_format: PixelFormat, worst_name: str) -> NDArray[np.uint8]:
    """Four captioned tiles as a BGR picture (H, W, 3)."""
    template = trained.template
    top = 255 / pixel_format.max_value
    spread = template.spread.max(axis=0)
    score = trained.worst_map
    worst = np.atleast_3d(trained.worst_image).astype(np.float32)
    tiles = (
        ("What a good part looks like", shown(template.centre.transpose(1, 2, 0) * top, pixel_format)),
        ("Where good parts differ (bright: much)", heat(spread / np.float32(np.quantile(spread, 0.99)))),
        (
            f"The good part that fits worst: {worst_name}",
            shown(worst * top, pixel_format),
        ),
        (f"Its map (white: the limit); highest {float(score.max()):.2f}", heat(score)),
    )
    drawn = [tile(caption, picture) for caption, picture in tiles]
    sheet = np.vstack([np.hstack(drawn[:2]), np.hstack(drawn[2:])])
    return np.asarray(sheet, np.uint8)
