"""Writes the report of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.reinspect.summary import Summary

__all__ = ["Look", "part_keys", "write_report"]

Look = Callable[[str], Mapping[str, Mapping[str, tuple[Frame, Detection]]]]
"""What each candidate sees in the part of that key (as rows.parquet has it): frame and detection by label and view.

Raises: InspectionError when the part cannot be looked at any more.
"""


def part_keys(summary: Summary) -> tuple[str, ...]:
    """The parts that the report shows pictures of, each once: what `look` will be asked for."""
    lists = [
        parts for each in summary.comparisons for parts in (each.changes.newly_rejected, each.changes.newly_passed)
    ] + [parts for each in summary.candidates if each.truth for parts in (each.truth.escaped, each.truth.overkilled)]
    return tuple(dict.fromkeys(note.part_key for parts in lists for note in parts.parts))


def write_report(out: Path, summary: Summary, rows_path: Path, look: Look) -> Path:
    """Writes report.html into the folder `out` and returns its path. Blocks: looks again at the parts it shows."""
    path = out / "report.html"
    path.write_text(f"<!doctype html><html lang=en><title>Report</title><p>{escape(summary.answer)}</p></html>\n")
    return path
