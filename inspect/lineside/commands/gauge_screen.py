"""What `lineside gauge run` shows and asks, part by part."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lineside.gauge.measurement import Measurement
from lineside.gauge.sitting import Sitting, Step

__all__ = ["GaugeScreen", "say_gone_through"]

_MISSING_TOLD = 20


class GaugeScreen:
    """Asks for each part on a terminal; without questions, a bar. Ctrl-C and the end of input stop the sitting."""

    def __init__(self, sitting: Sitting, *, prompt: bool) -> None:
        self._sitting = sitting
        self._prompt = prompt
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._tried: Measurement | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=prompt or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("measured", total=len(sitting.rows), completed=sitting.done)

    def __enter__(self) -> Self:
        self._bar.start()
        if self._prompt:
            self._say("Enter measures; s leaves it for later; q stops. Every measurement is kept at once.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def asked(self, row: Measurement) -> Step:
        """Called before each measurement; a second time for the same one when the first gave no value."""
        again = self._tried is not None and _key(self._tried) == _key(row)
        self._tried = None
        if not self._prompt:
            return Step.SKIP if again else Step.MEASURE
        number = f"{self._sitting.done + 1} of {len(self._sitting.rows)}"
        question = "measure it again?" if again else f"{number}: lay part {row.part}, {row.operator}, trial {row.trial}"
        try:
            self._console.print(f"{question} ", end="", markup=False)
            words = input().strip().lower()
        except (EOFError, KeyboardInterrupt):
            self._say("")
            return Step.STOP
        return {"s": Step.SKIP, "q": Step.STOP}.get(words, Step.MEASURE)

    def told(self, row: Measurement) -> None:
        """Called with what came of it."""
        self._tried = None if row.is_there else row
        if not row.is_there:
            self._say(f"{row.who}: no value: {row.note}")
        elif self._prompt:
            self._say(f"    {row.value}{f' ({row.note})' if row.note else ''}")
        self._bar.update(self._task, completed=self._sitting.done)

    def _say(self, words: str) -> None:
        self._console.print(words, markup=False)


def say_gone_through(sitting: Sitting, study: Path, *, finished: bool, go_on: Sequence[str]) -> None:
    """How far the study is, and what is next: `go_on` are the words of a command."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    done, of = sitting.done, len(sitting.rows)
    if done == of:
        console.print(f"All {of} measurements are in {study}. Report it:", markup=False)
        console.print(f"  lineside gauge report {shlex.quote(str(study))}", markup=False)
        return
    console.print(
        f"{'Gone through' if finished else 'Stopped'}: {done} of {of} measurements are in {study}.", markup=False
    )
    for row in sitting.missing[:_MISSING_TOLD]:
        console.print(f"  no value: {row.who}: {row.note}", markup=False)
    if len(sitting.missing) > _MISSING_TOLD:
        console.print(f"  and {len(sitting.missing) - _MISSING_TOLD} more", markup=False)
    console.print(f"Go on with\n  {shlex.join(go_on)}", markup=False)


def _key(row: Measurement) -> tuple[str, str, int]:
    return row.operator, row.part, row.trial
