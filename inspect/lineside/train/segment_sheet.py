"""A picture for people: the checked parts that come out worst, and what the network marks on them."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.pixel_format import PixelFormat
from lineside.train.bank_features import Planes
from lineside.train.segment_package import TrainedSegment
from lineside.train.segment_scores import Seen, picture_scores, strength
from lineside.train.sheet_tiles import heat, shown, tile

__all__ = ["contact_sheet"]

_ROWS: Final = 2
_MASK: Final = (60, 60, 255)


def contact_sheet(trained: TrainedSegment, pixel_format: PixelFormat) -> bytes:
    """Rows of four captioned tiles as a PNG file: a good part and its map, a bad one and its map."""
    judging, checked = trained.made.judging, trained.made.gathered.checked
    scores = picture_scores(trained.maps, judging.share) / judging.limit.value
    ranked = [int(place) for place in np.argsort(scores)]
    good = [place for place in reversed(ranked) if checked[place].good]
    bad = [place for place in ranked if not checked[place].good]
    rows = []
    for row in range(_ROWS):
        tiles = []
        for kind, places in (("good", good), ("bad", bad)):
            if row < len(places):
                place = places[row]
                caption = f"{kind}, not learned from: {scores[place]:.2f} of the limit"
                tiles.append(tile(caption, _picture(checked[place], pixel_format)))
                tiles.append(tile("its map (white: the limit)", _map(trained.maps[place], judging.limit.value)))
        if tiles:
            rows.append(np.hstack(tiles))
    width = max(row.shape[1] for row in rows)
    padded = [
        cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=(250, 250, 250))
        for row in rows
    ]
    return bytes(cv2.imencode(".png", np.vstack(padded))[1].tobytes())


def _picture(seen: Seen, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """The picture as the network sees it; the mask's outline in red."""
    drawn = shown(seen.planes.astype(np.float32).transpose(1, 2, 0) * 255, pixel_format)
    picture = np.ascontiguousarray(drawn)
    if seen.mask is not None:
        found, _ = cv2.findContours(seen.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, found, -1, _MASK, 1, cv2.LINE_AA)
    return picture


def _map(logits: Planes, limit: float) -> NDArray[np.uint8]:
    return heat(np.asarray(strength(logits) / limit, np.float32))
