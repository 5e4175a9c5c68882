"""A model's scores laid over the picture: where it looked hardest, and where it crossed its threshold."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import ScoreMap

__all__ = ["overlay_heat", "scores_over"]

_OPACITY = 0.65
_WHITE = (255, 255, 255)


def overlay_heat(
    picture: NDArray[np.uint8], maps: Sequence[ScoreMap], threshold: float, *, px_per_frame_px: float = 1.0
) -> NDArray[np.uint8]:
    """The picture, (H, W, 3) BGR, under the highest of its scores; a new array.

    Below half the threshold nothing is laid over it; from there the colour goes from violet over pink, at the
    threshold, to yellow at twice the threshold. A white line runs where the threshold is crossed. `px_per_frame_px`
    is how large the picture is drawn: 0.5 for half the frame's size. Places that no map covers stay as they are.
    """
    if not maps:
        return picture.copy()
    scores = scores_over(maps, (picture.shape[1], picture.shape[0]), px_per_frame_px=px_per_frame_px)
    shares = scores / threshold if threshold > 0 else scores - threshold + 1
    colours = cv2.applyColorMap((np.clip(shares / 2, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_PLASMA)
    opacity = (np.clip(2 * shares - 1, 0, 1) * _OPACITY)[..., np.newaxis]
    canvas = np.asarray(np.round(picture * (1 - opacity) + colours * opacity), np.uint8)
    outlines, _ = cv2.findContours((shares >= 1).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, _WHITE, 1, cv2.LINE_AA)
    return canvas


def scores_over(
    maps: Sequence[ScoreMap], size_px: tuple[int, int], *, px_per_frame_px: float = 1.0
) -> NDArray[np.float32]:
    """The highest score at each pixel of a picture of that width and height, (h, w); minus infinity beyond all maps."""
    scores = np.full((size_px[1], size_px[0]), -np.inf, np.float32)
    for score_map in maps:
        np.maximum(scores, _on_picture(score_map, size_px, px_per_frame_px), out=scores)
    return scores


def _on_picture(score_map: ScoreMap, size_px: tuple[int, int], px_per_frame_px: float) -> NDArray[np.float32]:
    """The map's score at each pixel of the picture; minus infinity beyond the map."""
    step_x, step_y = score_map.step_x_px * px_per_frame_px, score_map.step_y_px * px_per_frame_px
    left, top = score_map.left_px * px_per_frame_px, score_map.top_px * px_per_frame_px
    # From a pixel's centre in the picture to the map's own grid, whose pixel (0, 0) has its centre at (0.5, 0.5).
    to_map = np.array([[1 / step_x, 0, (0.5 - left) / step_x - 0.5], [0, 1 / step_y, (0.5 - top) / step_y - 0.5]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    values = cv2.warpAffine(score_map.values, to_map, size_px, flags=how, borderMode=cv2.BORDER_REPLICATE)
    rows, columns = score_map.values.shape
    x, y = np.arange(size_px[0]) + 0.5, np.arange(size_px[1]) + 0.5
    covered_x, covered_y = (x > left) & (x < left + columns * step_x), (y > top) & (y < top + rows * step_y)
    return np.where(covered_y[:, np.newaxis] & covered_x, values, np.float32(-np.inf))
