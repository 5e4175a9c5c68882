"""Pictures for the page: small, drawn on, and inside it as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2

from lineside.core.errors import InspectionError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.verdict import Outcome
from lineside.imaging.heat_map import overlay_heat
from lineside.page.picture import Picture, fitted, picture
from lineside.reinspect.drawing import Look, RowFacts, defects_of, threshold_of

__all__ = ["Album", "PartPictures", "ViewPictures"]

_RED_BGR = (54, 67, 244)


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
        self._left_bytes -= sum(len(each.data_uri) for view in taken for each in (view.taken, *view.seen) if each)
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
        taken = picture(fitted(frame)[0], f"{part_key}, view {name}, as it was taken")
        return ViewPictures(view=name, taken=taken, seen=shown)


def _as_seen(frame: Frame, detection: Detection, row: RowFacts, view: str, alt: str) -> Picture:
    shown, scale = fitted(frame)
    defects = defects_of(row, view)
    if detection.maps:
        shown = overlay_heat(shown, detection.maps, threshold_of(row, view), px_per_frame_px=scale)
    for defect in defects:
        box = defect.finding.box
        corner = (round(box.x_px * scale) - 4, round(box.y_px * scale) - 4)
        beyond = (round((box.x_px + box.width_px) * scale) + 4, round((box.y_px + box.height_px) * scale) + 4)
        cv2.rectangle(shown, corner, beyond, _RED_BGR, 2, cv2.LINE_AA)
    outcome = row["outcome"] or Outcome.NOT_INSPECTED.name
    return picture(shown, f"{alt}: {outcome}, {len(defects)} defects marked")
