"""Pictures for the page: small, drawn on, and inside it as data."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import InspectionError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.verdict import Outcome
from lineside.imaging.draw import as_bgr8
from lineside.imaging.heat_map import overlay_heat
from lineside.reinspect.drawing import Look, RowFacts, defects_of, threshold_of

__all__ = ["Album", "PartPictures", "Picture", "ViewPictures"]

_LONGER_SIDE_PX = 480
_SHORTER_SIDE_PX = 120
"""A picture of fewer pixels is shown enlarged; a narrow one is cut down no further."""
_JPEG_QUALITY = 82
_RED_BGR = (54, 67, 244)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One picture as the page holds it."""

    data_uri: str
    width_px: int
    height_px: int
    alt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewPictures:
    """One view of a part: as it was taken, and as each candidate sees it (None for one that did not)."""

    view: str
    taken: Picture
    seen: Sequence[Picture | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class PartPictures:
    """All pictures of one part; `why_not` says why there are none."""

    views: Sequence[ViewPictures] = ()
    why_not: str = ""


class Album:
    """Takes the pictures of parts for one page, until they are as many bytes as it may hold."""

    def __init__(self, look: Look, labels: Sequence[str], rows: Mapping[tuple[str, str], RowFacts], limit_bytes: int):
        """`rows` are by part key and candidate's label, at least those of the parts that will be asked for."""
        self._look = look
        self._labels = labels
        self._rows = rows
        self._left_bytes = limit_bytes

    def of(self, part_key: str) -> PartPictures:
        """The part's pictures. Blocks: it is looked at again."""
        if self._left_bytes <= 0:
            return PartPictures(why_not="not shown: this page has reached its size")
        try:
            seen = self._look(part_key)
        except InspectionError as error:
            return PartPictures(why_not=str(error))
        views = max(len(seen.get(label, {})) for label in self._labels)
        taken = [self._view(part_key, place, seen) for place in range(views)]
        self._left_bytes -= sum(
            len(picture.data_uri) for view in taken for picture in (view.taken, *view.seen) if picture
        )
        return PartPictures(views=taken, why_not="" if taken else "no picture of it")

    def _view(
        self, part_key: str, place: int, seen: Mapping[str, Mapping[str, tuple[Frame, Detection]]]
    ) -> ViewPictures:
        """Candidates may call a view differently where a part has just one: views go by their place."""
        shown: list[Picture | None] = []
        name, frame = "", None
        for label in self._labels:
            found = list(seen.get(label, {}).items())[place : place + 1]
            row = self._rows.get((part_key, label))
            if not found or row is None:
                shown.append(None)
                continue
            (name, (frame, detection)) = found[0]
            shown.append(_as_seen(frame, detection, row, name, f"{part_key} as {label} sees it"))
        assert frame is not None
        taken = _picture(_fitted(frame)[0], f"{part_key}, view {name}, as it was taken")
        return ViewPictures(view=name, taken=taken, seen=shown)


def _as_seen(frame: Frame, detection: Detection, row: RowFacts, view: str, alt: str) -> Picture:
    picture, scale = _fitted(frame)
    defects = defects_of(row, view)
    if detection.maps:
        picture = overlay_heat(picture, detection.maps, threshold_of(row, view), px_per_frame_px=scale)
    for defect in defects:
        box = defect.finding.box
        corner = (round(box.x_px * scale) - 4, round(box.y_px * scale) - 4)
        beyond = (round((box.x_px + box.width_px) * scale) + 4, round((box.y_px + box.height_px) * scale) + 4)
        cv2.rectangle(picture, corner, beyond, _RED_BGR, 2, cv2.LINE_AA)
    outcome = row["outcome"] or Outcome.NOT_INSPECTED.name
    return _picture(picture, f"{alt}: {outcome}, {len(defects)} defects marked")


def _fitted(frame: Frame) -> tuple[NDArray[np.uint8], float]:
    """The frame as a picture for people, and its size against the frame's."""
    picture = as_bgr8(frame.pixels, frame.pixel_format)
    height, width = picture.shape[:2]
    scale = min(_LONGER_SIDE_PX / max(height, width), max(1.0, _SHORTER_SIDE_PX / min(height, width)))
    if scale == 1:
        return picture, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8), scale


def _picture(picture: NDArray[np.uint8], alt: str) -> Picture:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    uri = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
    return Picture(data_uri=uri, width_px=picture.shape[1], height_px=picture.shape[0], alt=alt)
