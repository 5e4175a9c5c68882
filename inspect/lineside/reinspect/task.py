"""What one worker is given to do, and what is done when it dies over it: the same for every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from lineside.reinspect.engine import Chunk, DoneChunk, Judge
from lineside.reinspect.part import Part
from lineside.reinspect.row import table_of

__all__ = ["GIVEN_UP", "MAX_DEATHS", "OpenChunks", "Task", "do"]

MAX_DEATHS = 3
"""So many workers may die over one task: one may have been killed by a person or for want of memory, not three."""

GIVEN_UP = "three processes that judged it died"
"""What is written of a part that is given up; how they died is in the log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A chunk, or one part of a chunk that has killed its workers. Picklable."""

    chunk: int
    first: int = 0
    """Which part of the chunk `parts` begins with."""
    parts: Sequence[Part]
    deaths: int = 0
    given_up: bool = False
    """The part is not to be looked at any more, only to be written down as unreadable."""

    def after_death(self) -> Sequence[Task]:
        """What is to be done when a worker has died over this: again, part by part, or not any more."""
        if self.deaths + 1 < MAX_DEATHS:
            return [replace(self, deaths=self.deaths + 1)]
        if len(self.parts) > 1:
            return [
                Task(chunk=self.chunk, first=self.first + index, parts=[part]) for index, part in enumerate(self.parts)
            ]
        return [replace(self, deaths=0, given_up=True)]


def do(task: Task, judge: Judge) -> pa.Table:
    """The rows of a task; runs in the worker."""
    return table_of(judge.given_up(task.parts[0], GIVEN_UP) if task.given_up else judge.chunk(task.parts))


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
