"""What one worker is given to do, and what is done when it dies over it: the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from lineside.reinspect.engine import Chunk, DoneChunk, Judge
from lineside.reinspect.part import Part
from lineside.reinspect.row import table_of

__all__ = ["GIVEN_UP", "HUNG", "MAX_DEATHS", "MAX_HANGS", "OpenChunks", "Task", "do"]

MAX_DEATHS = 3
"""So many workers may die over one task: one may have been killed by a person or for want of memory, not three."""

GIVEN_UP = "three processes that judged it died"
"""What is written of a part that is given up; how they died is in the log."""

MAX_HANGS = 2
"""So often a part may keep a worker for longer than one part may take."""

HUNG = "two processes that judged it hung"
"""What is written of a part that is given up for that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A chunk, or one part of a chunk that has killed its workers. Picklable."""

    chunk: int
    first: int = 0
    """Which part of the chunk `parts` begins with."""
    parts: Sequence[Part]
    deaths: int = 0
    hangs: int = 0
    given_up: str = ""
    """Why the part is not to be looked at any more, only to be written down as unreadable."""

    def after_death(self) -> Sequence[Task]:
        """What is to be done when a worker has died over this: again, part by part, or not any more."""
        if self.deaths + 1 < MAX_DEATHS:
            return [replace(self, deaths=self.deaths + 1)]
        if len(self.parts) > 1:
            return self._one_by_one(hangs=self.hangs)
        return [replace(self, deaths=0, given_up=GIVEN_UP)]

    def after_hang(self) -> Sequence[Task]:
        """The same when a worker hung over it: it is not known which part it was, and each try takes long."""
        if len(self.parts) > 1:
            return self._one_by_one(hangs=self.hangs + 1)
        if self.hangs + 1 < MAX_HANGS:
            return [replace(self, hangs=self.hangs + 1)]
        return [replace(self, hangs=0, given_up=HUNG)]

    def _one_by_one(self, *, hangs: int) -> Sequence[Task]:
        return [
            Task(chunk=self.chunk, first=self.first + index, parts=[part], hangs=hangs)
            for index, part in enumerate(self.parts)
        ]


def do(task: Task, judge: Judge, judged: Callable[[], None] = lambda: None) -> pa.Table:
    """The rows of a task; runs in the worker. `judged` hears of every part."""
    if task.given_up:
        return table_of(judge.given_up(task.parts[0], task.given_up))
    return table_of(judge.chunk(task.parts, judged))


@dataclass
class OpenChunks:
    """Chunks under way: puts together again what was done part by part."""

    _parts: dict[int, int] = field(default_factory=dict)
    """Number of parts not done yet, by chunk."""
    _tables: dict[int, dict[int, pa.Table]] = field(default_factory=dict)

    def open(self, chunk: Chunk) -> Task:
        """The whole chunk as a task."""
        self._parts[chunk.number] = len(chunk.parts)
        self._tables[chunk.number] = {}
        return Task(chunk=chunk.number, parts=chunk.parts)

    def close(self, task: Task, rows: pa.Table) -> DoneChunk | None:
        """Takes the rows of a task; the chunk when it was the last one's."""
        self._parts[task.chunk] -= len(task.parts)
        tables = self._tables[task.chunk]
        tables[task.first] = rows
        if self._parts[task.chunk]:
            return None
        del self._parts[task.chunk], self._tables[task.chunk]
        return DoneChunk(number=task.chunk, rows=pa.concat_tables([tables[first] for first in sorted(tables)]))
