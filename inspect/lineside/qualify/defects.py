"""Each masked defect of a picture: how large it is, and whether what was told of the part lies on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import Defect, Detection
from lineside.qualify.picture import Looked
from lineside.qualify.pixels import regions_of

__all__ = ["MaskedDefect", "defects_of"]

Mask = NDArray[np.bool_]
"""(h, w), true where the defect is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskedDefect:
    """`length_px` is the longer side of the smallest rotated rectangle, edge to edge, as of a finding."""

    group: str
    length_px: float
    found: bool


def defects_of(looked: Looked, mask: Mask, group: str) -> list[MaskedDefect]:
    """Every connected place of the mask. It is found when a defect that the part was rejected for touches it.

    A defect that the judgement tells may lie beside it by one cell of the score map. Give no part that was
    NOT_INSPECTED: it is rejected, and that says nothing of what can be seen.
    """
    told = _told(looked.judgement.defects, mask.shape, _cell_px(looked.detection))
    return [
        MaskedDefect(group=group, length_px=_length_px(region), found=bool((region & told).any()))
        for region in regions_of(mask)
    ]


def _cell_px(detection: Detection | None) -> int:
    steps = [max(each.step_x_px, each.step_y_px) for each in detection.maps] if detection else []
    return max(1, round(max(steps, default=1)))


def _told(defects: Sequence[Defect], shape: tuple[int, ...], reach_px: int) -> Mask:
    """The places of these defects, wider by `reach_px` to each side."""
    canvas = np.zeros(shape, np.uint8)
    for defect in defects:
        box = defect.finding.box
        corners = (
            (box.x_px, box.y_px),
            (box.x_px + box.width_px, box.y_px),
            (box.x_px + box.width_px, box.y_px + box.height_px),
            (box.x_px, box.y_px + box.height_px),
        )
        outline = np.array(defect.finding.contour_px or corners, np.float32)
        cv2.fillPoly(canvas, [np.round(outline).astype(np.int32)], 1)
    brush = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * reach_px + 1, 2 * reach_px + 1))
    return np.asarray(cv2.dilate(canvas, brush) > 0)


def _length_px(region: Mask) -> float:
    rows, columns = np.nonzero(region)
    points = np.column_stack([columns, rows]).astype(np.float32)
    return float(max(cv2.minAreaRect(points)[1])) + 1.0
