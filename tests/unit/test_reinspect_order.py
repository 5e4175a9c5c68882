"""The largest chunks are worked on first, so that towards the end no worker waits long for another."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
from archive_project import make_project, picture, written
from judged_parts import plate

from lineside.assemble import open_inspector
from lineside.core.errors import ReinspectionError
from lineside.reinspect.candidate import lettered
from lineside.reinspect.drawing import Drawing
from lineside.reinspect.engine import Chunk, DoneChunk, OpenJudge
from lineside.reinspect.judge import JudgeOrder
from lineside.reinspect.run import Job, reinspect
from lineside.reinspect.selection import Selection
from lineside.reinspect.sources.opening import open_source
from lineside.reinspect.task import Task, do


class InThisProcess:
    """An engine that notes the sizes of the chunks that it is given, and gives up after so many."""

    def __init__(self, most: int = 1000) -> None:
        self.sizes: list[int] = []
        self._most = most

    def run(self, chunks: Iterable[Chunk], open_judge: OpenJudge) -> Generator[DoneChunk, None, None]:
        judge = open_judge()
        for chunk in chunks:
            if len(self.sizes) == self._most:
                raise ReinspectionError("given up", expected="no end", remedy="none")
            self.sizes.append(len(chunk.parts))
            yield DoneChunk(number=chunk.number, rows=do(Task(chunk=chunk.number, parts=chunk.parts), judge))


class Nobody:
    """Is told, and says nothing."""

    def planned(self, parts: int) -> None: ...

    def begun(self, parts: int, done: int) -> None: ...

    def judged(self, parts: int, unreadable: int) -> None: ...

    def writing(self, what: str) -> None: ...

    def drawing(self, parts: int) -> None: ...

    def drawn(self, parts: int) -> None: ...


def test_large_chunks_come_first_and_rows_stay_in_the_order_of_the_plan(tmp_path: Path) -> None:
    first = Path(written(tmp_path / "pictures", "000.png", picture(1)))
    for number in range(1, 200):
        first.with_name(f"{number:03}.png").hardlink_to(first)
    candidates = lettered([plate(make_project(tmp_path / "project"))])
    job = Job(
        command="test",
        place=str(first.parent),
        engine="here",
        workers=1,
        source=open_source(str(first.parent)),
        selection=Selection(),
        judge=JudgeOrder(candidates=candidates, open_inspector=open_inspector),
        drawing=Drawing(),
    )

    whole, begun, ended = InThisProcess(), InThisProcess(most=3), InThisProcess()
    told = reinspect(job, tmp_path / "whole", whole, Nobody())
    with pytest.raises(ReinspectionError, match="given up"):
        reinspect(job, tmp_path / "stopped", begun, Nobody())
    told_again = reinspect(job, tmp_path / "stopped", ended, Nobody(), resume=True)

    assert 200 == sum(whole.sizes)
    assert sorted(whole.sizes, reverse=True) == whole.sizes
    assert whole.sizes[0] > whole.sizes[-1]
    assert whole.sizes == begun.sizes + ended.sizes
    assert told.content_sha256 == told_again.content_sha256
