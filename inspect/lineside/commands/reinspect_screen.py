"""What `lineside reinspect` shows: how it gets on, and what came out of it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lineside.reinspect.run import Finished
    from lineside.reinspect.summary import Summary

__all__ = ["ReinspectScreen", "say_finished"]

_LINE_EVERY_S = 60.0
"""Where no bar can be drawn, as in a log."""

_REASONS_TOLD = 5


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(f"{task.completed:,.0f}" if task.completed else "")
        return Text(f"{task.completed:,.0f}/{task.total:,.0f}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f} parts/s" if task.speed else "")


class ReinspectScreen:
    """A bar with rate, time left and the count of unreadable parts on stderr; a line a minute where that is no screen.

    The run's `Watcher`. Remembers how far the run came.
    """

    def __init__(self) -> None:
        self.parts: int | None = None
        self.done = 0
        self._unreadable = 0
        self._drawn = 0
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            _Count(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._said_mono_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def planned(self, parts: int) -> None:
        """Called for every chunk that is listed."""
        if self._task is None:
            self._begin("Listing parts")
        self._update(parts)

    def begun(self, parts: int, done: int) -> None:
        """Called before judging."""
        self.parts, self.done = parts, done
        self._begin("Inspecting", total=parts, done=done)

    def judged(self, parts: int, unreadable: int) -> None:
        """Called for every chunk that is done."""
        self.done += parts
        self._unreadable += unreadable
        self._update(self.done, f"{self._unreadable} unreadable" if self._unreadable else "")

    def writing(self, what: str) -> None:
        """Called for each thing that is written at the end."""
        self._begin(f"Writing {what}")

    def drawing(self, parts: int) -> None:
        """Called before pictures are drawn."""
        self._begin("Drawing", total=parts)
        self._drawn = 0

    def drawn(self, parts: int) -> None:
        """Called for every few parts that are drawn."""
        self._drawn += parts
        self._update(self._drawn)

    def _begin(self, what: str, total: int | None = None, done: int = 0) -> None:
        # A bar of its own for each stage: what an earlier sitting did must not count in this one's rate.
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(what, total=total, completed=done, note="")

    def _update(self, done: int, note: str = "") -> None:
        assert self._task is not None
        self._bar.update(self._task, completed=done, note=note)
        if self._bar.disable and time.monotonic() - self._said_mono_s > _LINE_EVERY_S:
            self._said_mono_s = time.monotonic()
            total = self._bar.tasks[-1].total
            of = f" of {total:.0f}" if total is not None else " listed"
            self._console.print(f"{self._bar.tasks[-1].description}: {done}{of} parts {note}".rstrip(), highlight=False)


def say_finished(finished: Finished) -> None:
    """The answer, a line for each candidate, the changes, and where the report is."""
    summary = finished.summary
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{summary.parts:,} part{'s' if summary.parts != 1 else ''}. {summary.answer}", markup=False)
    console.print(_verdicts(summary))
    for each in summary.comparisons:
        changes = each.changes
        console.print(
            f"{changes.after} against {changes.before}, {changes.compared:,} parts: "
            f"{changes.newly_rejected.total:,} newly rejected, {changes.newly_passed.total:,} newly passed",
            markup=False,
        )
    for sentence in summary.more:
        console.print(sentence, markup=False)
    for reason in summary.unreadable_reasons[:_REASONS_TOLD]:
        console.print(f"unreadable: {reason.count:,}, such as {reason.examples[0]}", markup=False)
    if rarer := summary.unreadable_reasons[_REASONS_TOLD:]:
        parts = sum(each.count for each in rarer)
        console.print(f"unreadable: {parts:,} for rarer reasons, in the report", markup=False)
    console.print(f"rows   {finished.content_sha256} (SHA-256 of all but the timings)", markup=False)
    console.print(f"report {finished.report}", markup=False)


def _verdicts(summary: Summary) -> Table:
    """A column for the station's own verdicts, where there are any, and for each candidate."""
    counted = {"passed": "PASS", "failed": "FAIL", "not inspected": "NOT_INSPECTED", "unreadable": "unreadable",
               "not kept": "not_kept"}  # fmt: skip
    table = Table("", box=SIMPLE_HEAD, padding=(0, 1))
    station = summary.original_verdicts
    if station:
        table.add_column("the station", justify="right")
    for candidate in summary.candidates:
        table.add_column(Text(candidate.label), justify="right")
    told = [station] if station else []
    columns = [*told, *(candidate.verdicts for candidate in summary.candidates)]
    for words, name in counted.items():
        table.add_row(words, *(f"{column.get(name, 0):,}" for column in columns))
    reproduced = [
        f"{again.identical:,} of {again.identical + again.different:,}" if again else "-"
        for again in (candidate.reproduction for candidate in summary.candidates)
    ]
    if station:
        table.add_row("reproduced", "", *reproduced)
    return table
