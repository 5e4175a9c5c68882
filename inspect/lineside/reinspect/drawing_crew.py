"""Draws parts in several processes: each looks again, with models of its own, at the parts that it is given."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from lineside.core.errors import LinesideError
from lineside.reinspect.drawing import Chosen, Drawing, Look, RowFacts, Seen, draw, draw_part, rows_of
from lineside.reinspect.judge import ArchiveJudge, JudgeOrder
from lineside.reinspect.local_worker import hush_libraries
from lineside.reinspect.part import Part
from lineside.supervise.link import LinkClosed
from lineside.supervise.worker_process import Pipe, WorkerProcess, wait_for_any

__all__ = ["draw_by_crew", "work"]

_log = structlog.get_logger()

_PARTS_AT_ONCE = 4
_FEW = 16
"""So many parts are drawn before another process has loaded its models."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """What each process is started with."""

    judge: JudgeOrder
    drawing: Drawing
    folder: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class _Share:
    """Parts to draw, with their rows."""

    parts: Mapping[str, Part]
    rows: Sequence[tuple[str, Sequence[RowFacts]]]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """How many pictures of a share there are now; or what is wrong with the models, as the process has ended."""

    pictures: int
    error: LinesideError | None = None


def draw_by_crew(
    chosen: Chosen,
    parts: Mapping[str, Part],
    order: JudgeOrder,
    folder: Path,
    *,
    look: Look,
    workers: int,
    few: int = _FEW,
    drawn: Callable[[int], None] = lambda parts: None,
) -> int:
    """As `draw`, in so many processes; only a `few` parts are drawn by `look`, in this one. `drawn` hears of some more.

    A process that dies takes its share along: its parts are named in the log, and drawn when the run is resumed.
    """
    if workers < 2 or len(chosen.keys) <= few:
        return draw(chosen, look, folder, drawn=lambda key: drawn(1))
    shares = _shares(chosen, parts)
    crew: dict[WorkerProcess, _Share] = {}
    count = 0

    def start(share: _Share) -> None:
        process = WorkerProcess("drawing worker", entry=f"{__name__}:work", argument=_Order(
            judge=order, drawing=chosen.drawing, folder=folder))  # fmt: skip
        give(process, share)

    def give(process: WorkerProcess, share: _Share) -> None:
        crew[process] = share
        with suppress(LinkClosed):  # it has died: what is read from its pipe next says so
            process.pipe.send(share)

    try:
        for share in itertools.islice(shares, workers):
            start(share)
        while crew:
            for process in wait_for_any(crew):
                share = crew.pop(process)
                more = next(shares, None)
                try:
                    answer = process.pipe.receive()
                except LinkClosed:
                    _log.warning("parts not drawn", how=process.how_it_ended(), parts=[key for key, _ in share.rows])
                    if more is not None:
                        start(more)
                    continue
                assert isinstance(answer, _Drawn)
                if answer.error is not None:
                    raise answer.error
                count += answer.pictures
                drawn(len(share.rows))
                if more is None:
                    process.kill()
                else:
                    give(process, more)
    finally:
        for process in crew:
            process.kill()
    return count


def _shares(chosen: Chosen, parts: Mapping[str, Part]) -> Iterator[_Share]:
    rows = rows_of(chosen)
    while some := list(itertools.islice(rows, _PARTS_AT_ONCE)):
        yield _Share(parts={key: parts[key] for key, _ in some}, rows=some)


def work(pipe: Pipe, order: _Order) -> None:
    """Runs in the process: draws shares until there are no more."""
    import cv2  # noqa: PLC0415 - not needed by the parent

    cv2.setNumThreads(1)  # each process has a core of its own
    hush_libraries()
    try:
        judge = order.judge()
        while isinstance(share := pipe.receive(), _Share):
            pipe.send(_Drawn(_draw_share(share, judge, order)))
    except LinesideError as error:
        pipe.send(_Drawn(0, error))


def _draw_share(share: _Share, judge: ArchiveJudge, order: _Order) -> int:
    def look(key: str) -> Seen:
        return judge.look(share.parts[key])

    return sum(draw_part(order.drawing, key, rows, look, order.folder) for key, rows in share.rows)
