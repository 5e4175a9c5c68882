"""Annotated pictures of parts: what was found, which limits it broke, the score and the outcome."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog
from numpy.typing import NDArray

from lineside.core.errors import InspectionError
from lineside.core.finding import Box, Defect, Detection, Finding
from lineside.core.frame import Frame
from lineside.core.verdict import Outcome
from lineside.imaging.draw import as_bgr8, draw_verdict
from lineside.imaging.heat_map import overlay_heat
from lineside.reinspect.row import SIZES_MM, State

__all__ = [
    "DRAWN_COLUMNS",
    "Chosen",
    "Drawing",
    "Look",
    "RowFacts",
    "Seen",
    "choose",
    "defects_of",
    "draw",
    "draw_part",
    "file_name",
    "rows_of",
    "threshold_of",
]

_log = structlog.get_logger()

Seen = Mapping[str, Mapping[str, tuple[Frame, Detection]]]
"""What each candidate sees in one part: frame and detection by label and view."""

Look = Callable[[str], Seen]
"""Looks again at the part of that key (as rows.parquet has it). Raises: InspectionError when that is not possible."""

DRAWN_COLUMNS: Final = ["part_key", "candidate", "state", "outcome", "detail", "score", "view_scores", "defects"]
"""What must be known of a row to draw it."""

_BATCH_ROWS = 256
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 120
_JPEG_QUALITY = 90

RowFacts = Mapping[str, Any]
"""A row of rows.parquet, by column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """Which parts are drawn: the first `at_most` of the run that some candidate gave one of these outcomes, or any."""

    at_most: int = 0
    outcomes: tuple[str, ...] = ()
    suffix: Literal["jpg", "png"] = "jpg"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The parts to draw, by key, in the order of their rows."""

    drawing: Drawing
    rows_path: Path
    keys: tuple[str, ...]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys)


def choose(drawing: Drawing, rows_path: Path) -> Chosen:
    """The parts of a run that are to be drawn."""
    keys: dict[str, None] = {}
    with pq.ParquetFile(rows_path) as file:
        for batch in file.iter_batches(columns=["part_key", "state", "outcome"]):
            if len(keys) >= drawing.at_most:
                break
            wanted = pc.equal(batch["state"], State.JUDGED.value)
            if drawing.outcomes:
                wanted = pc.and_(wanted, pc.is_in(batch["outcome"], value_set=pa.array(drawing.outcomes)))
            keys |= dict.fromkeys(batch.filter(wanted)["part_key"].to_pylist())
    return Chosen(drawing=drawing, rows_path=rows_path, keys=tuple(itertools.islice(keys, drawing.at_most)))


def draw(chosen: Chosen, look: Look, folder: Path, *, drawn: Callable[[str], None] = lambda part_key: None) -> int:
    """Draws the chosen parts into `folder/<outcome>/<part>.<suffix>`; returns how many pictures there are.

    With several candidates, into `folder/<candidate>/<outcome>/`. Nothing but the part at hand is held in memory, and
    a picture that is there already is not drawn again. `drawn` is told of every chosen part. A part that cannot be
    looked at any more is logged and left out. Blocks: every part is read and judged again. Raises: OSError.
    """
    count = 0
    for part_key, rows in rows_of(chosen):
        count += draw_part(chosen.drawing, part_key, rows, look, folder)
        drawn(part_key)
    return count


def rows_of(chosen: Chosen) -> Iterator[tuple[str, Sequence[RowFacts]]]:
    """The chosen parts in the file's order, each with its rows."""
    if not chosen.keys:
        return
    keys, left = pa.array(chosen.keys), len(chosen.keys)
    rows: list[RowFacts] = []
    with pq.ParquetFile(chosen.rows_path) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=DRAWN_COLUMNS):
            for row in batch.filter(pc.is_in(batch["part_key"], value_set=keys)).to_pylist():
                if rows and rows[0]["part_key"] != row["part_key"]:
                    yield rows[0]["part_key"], rows
                    rows, left = [], left - 1
                rows.append(row)
            if left == 1 and rows and batch["part_key"][-1].as_py() != rows[0]["part_key"]:
                break  # all were found
    if rows:
        yield rows[0]["part_key"], rows


def draw_part(drawing: Drawing, part_key: str, rows: Sequence[RowFacts], look: Look, folder: Path) -> int:
    """Draws one part, of which these are the rows, as `draw` does; returns how many pictures there are."""
    judged = [row for row in rows if row["state"] == State.JUDGED]
    places = [folder / _folder_name(row["candidate"]) if len(rows) > 1 else folder for row in judged]
    name = file_name(part_key, drawing.suffix)
    paths = [place / row["outcome"] / name for place, row in zip(places, judged, strict=True)]
    if all(path.exists() for path in paths):
        return len(paths)
    try:
        seen = look(part_key)
    except InspectionError as error:
        _log.warning("a part cannot be drawn", part=part_key, why=str(error))
        return 0
    for row, path in zip(judged, paths, strict=True):
        _write(path, _drawn(row, seen[row["candidate"]]))
    return len(paths)


def file_name(part_key: str, suffix: str) -> str:
    """A file's name for the part: plain letters only, at most 140 of them, and no two parts share one."""
    plain = _PLAIN.sub("_", part_key)[:_LONGEST_NAME]
    if plain != part_key or not plain or plain.startswith("."):
        digest = hashlib.sha256(part_key.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        plain = f"{plain.lstrip('.')}-{digest}"
    return f"{plain}.{suffix}"


def defects_of(row: RowFacts, view: str) -> tuple[Defect, ...]:
    """The defects that a row holds of one view, without their outlines."""
    return tuple(
        Defect(
            view=view,
            finding=Finding(
                class_name=each["class_name"],
                score=each["score"],
                box=Box(**{name: each[name] for name in ("x_px", "y_px", "width_px", "height_px")}),
                area_px=each["area_px"],
                length_px=each["length_px"],
            ),
            region=each["region"],
            limit=each["limit"],
            **{size: each[size] for size in SIZES_MM},
        )
        for each in row["defects"] or ()
        if each["view"] == view
    )


def threshold_of(row: RowFacts, view: str) -> float:
    """The threshold that the view's score was held against; 1 where the row tells none."""
    return next((float(each["threshold"]) for each in row["view_scores"] or () if each["view"] == view), 1.0)


def _drawn(row: RowFacts, views: Mapping[str, tuple[Frame, Detection]]) -> NDArray[np.uint8]:
    """All views of one part side by side, each with its heat map, defects and banner."""
    score = "" if row["score"] is None else f"score {row['score']:.3g} x threshold"
    pictures = []
    for view, (frame, detection) in views.items():
        picture = as_bgr8(frame.pixels, frame.pixel_format)
        defects = defects_of(row, view)
        limits = ", ".join(dict.fromkeys(f"limit broken: {defect.limit}" for defect in defects))
        picture = overlay_heat(picture, detection.maps, threshold_of(row, view))
        caption = "  ".join(filter(None, (view if len(views) > 1 else "", score, limits or row["detail"])))
        pictures.append(draw_verdict(picture, Outcome[row["outcome"]], caption, defects))
    height = max(picture.shape[0] for picture in pictures)
    padded = [
        cv2.copyMakeBorder(picture, 0, height - picture.shape[0], 0, 0, cv2.BORDER_CONSTANT) for picture in pictures
    ]
    return np.asarray(np.hstack(padded), np.uint8)


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    _, data = cv2.imencode(path.suffix, picture, options)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    partial.write_bytes(data.tobytes())
    partial.replace(path)


def _folder_name(label: str) -> str:
    return _PLAIN.sub("_", label).strip("._") or "candidate"
