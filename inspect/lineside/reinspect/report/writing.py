"""Writes the report of a run: the summary as a page, with pictures of the parts that tell most."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lineside.page.template import environment
from lineside.reinspect.drawing import DRAWN_COLUMNS, Look, RowFacts
from lineside.reinspect.report import charts
from lineside.reinspect.report.pictures import Album, PartPictures
from lineside.reinspect.summary import Summary
from lineside.reinspect.summary.answer import STATION, short_names
from lineside.reinspect.summary.document import ComparisonSummary, PartList, PartNote
from lineside.reinspect.whole_file import written_whole

__all__ = ["MAX_PICTURES_BYTES", "REPORT", "part_keys", "write_report"]

REPORT: Final = "report.html"

MAX_PICTURES_BYTES: Final = 24 << 20
"""So that the page opens at once everywhere and can be sent by mail; parts beyond it are listed without pictures."""


def part_keys(summary: Summary) -> tuple[str, ...]:
    """The parts that the report shows pictures of, each once, in its order: what `look` will be asked for."""
    lists = [parts for chapter in _chapters(summary) for parts in (chapter.parts,)]
    return tuple(dict.fromkeys(note.part_key for parts in lists for note in parts.parts))


def write_report(
    out: Path,
    summary: Summary,
    rows_path: Path,
    look: Look,
    *,
    max_pictures_bytes: int = MAX_PICTURES_BYTES,
    shown: Callable[[str], None] = lambda part_key: None,
) -> Path:
    """Writes report.html into the folder `out`, whole or not at all, and returns its path.

    `look` is asked once for each of `part_keys(summary)`, and `shown` told of each. Blocks: those parts are read and
    judged again. Raises: OSError.
    """
    labels = [candidate.label for candidate in summary.candidates]
    album = Album(look, labels, _rows_of(rows_path, part_keys(summary)), max_pictures_bytes)
    pictures: dict[str, PartPictures] = {}
    for part_key in part_keys(summary):
        pictures[part_key] = album.of(part_key)
        shown(part_key)
    page = _environment().get_template("page.html.j2")
    path = out / REPORT
    with written_whole(path) as partial, partial.open("wb") as file:
        page.stream(**_facts(summary, pictures)).dump(file, encoding="utf-8")
    return path


@dataclass(frozen=True, kw_only=True)
class _Chapter:
    """One list of parts with pictures."""

    anchor: str
    title: str
    meaning: str
    parts: PartList


def _chapters(summary: Summary) -> list[_Chapter]:
    """The lists of parts in the order in which they matter; the newest candidate's come first."""
    chapters = []
    for number, told in sorted(enumerate(summary.comparisons), key=lambda each: _urgency(summary, each[1])):
        before, after = told.changes.before, told.changes.after
        chapters += [
            _Chapter(
                anchor=f"rejected-{number}",
                title=f"Passed by {before}, rejected by {after}",
                meaning="Caught where the part is bad, overkill where it is good.",
                parts=told.changes.newly_rejected,
            ),
            _Chapter(
                anchor=f"passed-{number}",
                title=f"Rejected by {before}, passed by {after}",
                meaning="Let through where the part is bad, spared where it is good.",
                parts=told.changes.newly_passed,
            ),
        ]
    names = short_names([candidate.label for candidate in summary.candidates])
    for number, candidate in reversed(list(enumerate(summary.candidates))):
        if candidate.truth:
            chapters += [
                _Chapter(
                    anchor=f"escapes-{number}",
                    title=f"Escapes of {names[number]}",
                    meaning="Bad parts that it passes, those with the lowest score first.",
                    parts=candidate.truth.escaped,
                ),
                _Chapter(
                    anchor=f"overkill-{number}",
                    title=f"Overkill of {names[number]}",
                    meaning="Good parts that it rejects, those with the highest score first.",
                    parts=candidate.truth.overkilled,
                ),
            ]
    return chapters


def _urgency(summary: Summary, told: ComparisonSummary) -> tuple[int, bool]:
    """The newest candidate first, and against what the line was told before against another candidate."""
    names = short_names([candidate.label for candidate in summary.candidates])
    return -names.index(told.changes.after), told.changes.before != STATION


def _facts(summary: Summary, pictures: Mapping[str, PartPictures]) -> dict[str, Any]:
    first_shown: dict[str, str] = {}
    chapters = _chapters(summary)
    for chapter in chapters:
        for note in chapter.parts.parts:
            first_shown.setdefault(note.part_key, f"{chapter.anchor}-{_place(chapter.parts, note)}")
    return {
        "summary": summary,
        "run": summary.run,
        "names": short_names([candidate.label for candidate in summary.candidates]),
        "chapters": chapters,
        "pictures": pictures,
        "first_shown": first_shown,
        "charts": charts,
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def _place(parts: PartList, note: PartNote) -> int:
    return parts.parts.index(note)


def _rows_of(rows_path: Path, keys: Sequence[str]) -> dict[tuple[str, str], RowFacts]:
    """Those parts' rows, by part key and candidate."""
    if not keys:
        return {}
    table = ds.dataset(rows_path).to_table(columns=DRAWN_COLUMNS, filter=pc.field("part_key").isin(list(keys)))
    return {(row["part_key"], row["candidate"]): row for row in table.to_pylist()}


def _environment() -> jinja2.Environment:
    made = environment("lineside.reinspect.report")
    made.filters |= {
        "score": lambda value: "none" if value is None else f"{value:.2f}",
        "duration": _duration,
        "decimal": lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.3g}",
    }
    return made


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
