"""The worst escapes and overkills: each picture as taken, and as the detector sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import FrameError
from lineside.imaging.heat_map import overlay_heat
from lineside.page.picture import Picture, fitted, picture
from lineside.qualify.judging import Judge
from lineside.qualify.picture import LabelledPicture, Looked

__all__ = ["Card", "card_of"]

_RED_BGR: Final = (54, 67, 244)
_MASK_BGR: Final = (250, 220, 80)


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One part on the page; `pictures` is empty where `why_not` says why."""

    name: str
    class_name: str
    outcome: str
    score: float | None
    why: str
    pictures: Sequence[tuple[str, Picture]]
    why_not: str = ""


def card_of(judge: Judge, labelled: LabelledPicture, *, outcome: str, score: float | None, why: str) -> Card:
    """Blocks: the picture is read and judged again."""
    pictures: tuple[tuple[str, Picture], ...] = ()
    why_not = ""
    try:
        read = judge.read(labelled.path)
        looked = judge.look(read.frame)
        mask = None if labelled.mask is None else judge.mask(labelled.mask, read.stored_px)
        taken = "as taken" if mask is None else "as taken; the outline is the mask's"
        pictures = (
            (taken, _taken(looked, mask, labelled.name)),
            ("as it sees it", _seen(judge, looked, labelled.name)),
        )
    except FrameError as error:
        why_not = str(error)
    return Card(
        name=labelled.name,
        class_name=labelled.class_name,
        outcome=outcome,
        score=score,
        why=why,
        pictures=pictures,
        why_not=why_not,
    )


def _taken(looked: Looked, mask: NDArray[np.bool_] | None, name: str) -> Picture:
    shown, _ = fitted(looked.frame)
    if mask is not None:
        size = (shown.shape[1], shown.shape[0])
        small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        small = cv2.dilate(small, np.ones((7, 7), np.uint8))  # around the defect, not over it
        outlines, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(shown, outlines, -1, _MASK_BGR, 1, cv2.LINE_AA)
    return picture(shown, f"{name} as it was taken")


def _seen(judge: Judge, looked: Looked, name: str) -> Picture:
    shown, scale = fitted(looked.frame)
    if looked.detection is not None and looked.detection.maps:
        shown = overlay_heat(shown, looked.detection.maps, judge.threshold, px_per_frame_px=scale)
    for defect in looked.judgement.defects:
        box = defect.finding.box
        corner = (round(box.x_px * scale) - 3, round(box.y_px * scale) - 3)
        beyond = (round((box.x_px + box.width_px) * scale) + 3, round((box.y_px + box.height_px) * scale) + 3)
        cv2.rectangle(shown, corner, beyond, _RED_BGR, 2, cv2.LINE_AA)
    return picture(shown, f"{name} as the detector sees it: {looked.judgement.outcome.name}")
