"""What runs a plan: the seam between a run and the machines it runs on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from lineside.reinspect.part import Part
from lineside.reinspect.row import Row

__all__ = ["Chunk", "DoneChunk", "Engine", "Judge", "OpenJudge"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Some parts of the plan, in its order. Picklable."""

    number: int
    parts: Sequence[Part]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DoneChunk:
    """The rows of one chunk: by part in the chunk's order, by candidate in the job's. A table of ROW_SCHEMA."""

    number: int
    rows: pa.Table


class Judge(Protocol):
    """Loaded, verified and warm models of all candidates. Used by one thread; made in the process that uses it."""

    def chunk(self, parts: Sequence[Part], judged: Callable[[], None] = lambda: None) -> Sequence[Row]:
        """One row per part and candidate. A bad file is a row, never an exception.

        `judged` is called after each part.
        """
        ...

    def given_up(self, part: Part, error: str) -> Sequence[Row]:
        """The UNREADABLE rows, one per candidate, of a part that ends whatever process judges it: nothing is read."""
        ...


OpenJudge = Callable[[], Judge]
"""Picklable: called once in each process of the engine. Raises: ConfigError kin when a candidate does not load."""


class Engine(Protocol):
    """Runs chunks somewhere."""

    def run(self, chunks: Iterable[Chunk], open_judge: OpenJudge) -> Generator[DoneChunk, None, None]:
        """Every chunk's rows, each once, in any order. Takes chunks only as fast as it can work on them.

        A worker that dies is replaced and its chunk done again by another. The parts of a chunk that has killed three
        are tried one by one: one that kills three more is given up (see `reinspect.task`), and the run goes on.
        Closing the generator stops the work and leaves no process behind. Raises: ConfigError, ReinspectionError.
        """
        ...
