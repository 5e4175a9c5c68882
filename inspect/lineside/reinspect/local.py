"""The engine `local`: one process for each core of this machine.

A worker always has a task waiting beside the one in hand, so that it never waits for the parent, which writes rows
away meanwhile. Parts go over pickled, rows come back as Arrow: what is in memory does not grow with the run.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa
import structlog

from lineside.core.errors import LinesideError, ReinspectionError
from lineside.reinspect.engine import Chunk, DoneChunk, OpenJudge
from lineside.reinspect.task import MAX_DEATHS, OpenChunks, Task, do
from lineside.supervise.link import LinkClosed
from lineside.supervise.worker_process import Pipe, WorkerProcess, wait_for_any

__all__ = ["LocalEngine", "cores", "work"]

_log = structlog.get_logger()

_ENTRY = "lineside.reinspect.local:work"
_TASKS_PER_WORKER = 2

_MAX_GIVEN_UP = 100
"""When so many parts have killed all who judged them, it is not the parts."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, kw_only=True)
class LocalEngine:
    """Runs chunks in `workers` processes: by default one for each core. They share a GPU, where there is one."""

    workers: int | None = None

    def run(self, chunks: Iterable[Chunk], open_judge: OpenJudge) -> Generator[DoneChunk, None, None]:
        """As the port says. Workers are killed when the iterator ends or is closed: they have nothing to lose."""
        crew = _Crew(iter(chunks), open_judge, self.workers or cores())
        try:
            yield from crew.work()
        finally:
            crew.end()


# What a worker says. It is told tasks, and answers each in turn.


@dataclass(frozen=True, slots=True)
class _Ready:
    """The models are loaded."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """No other worker will do better: the run ends."""

    error: LinesideError


@dataclass(frozen=True, slots=True)
class _Done:
    """The rows of the oldest task, as an Arrow stream."""

    rows: bytes


@dataclass(eq=False)
class _Worker:
    """A process, and what it has to do, oldest first."""

    process: WorkerProcess
    tasks: deque[Task] = field(default_factory=deque)
    ready: bool = False


class _Crew:
    """All workers of one run, as the parent sees them."""

    def __init__(self, chunks: Iterator[Chunk], open_judge: OpenJudge, size: int) -> None:
        self._chunks = chunks
        self._open_judge = open_judge
        self._size = size
        self._workers: dict[WorkerProcess, _Worker] = {}
        self._open_chunks = OpenChunks()
        self._again: deque[Task] = deque()
        self._deaths_in_loading = 0
        self._given_up = 0

    def work(self) -> Iterator[DoneChunk]:
        """Every chunk as it is done."""
        while self._hand_out():
            for process in wait_for_any(self._workers):
                worker = self._workers[process]
                try:
                    message = process.pipe.receive()
                except LinkClosed:
                    self._lose(worker)
                else:
                    yield from self._hear(worker, message)

    def end(self) -> None:
        """Ends all workers at once."""
        for process in self._workers:
            process.kill()
        self._workers.clear()

    def _hand_out(self) -> bool:
        """Gives every worker enough to do, and starts those that are missing. False when nothing is left to be done."""
        while self._in_hand() < self._size * _TASKS_PER_WORKER and (task := self._next_task()):
            worker = min(self._workers.values(), key=lambda each: len(each.tasks), default=None)
            if worker is None or (worker.tasks and len(self._workers) < self._size):
                worker = self._start()
            worker.tasks.append(task)
            if worker.ready:
                _tell(worker, task)
        return self._in_hand() > 0

    def _in_hand(self) -> int:
        return sum(len(worker.tasks) for worker in self._workers.values())

    def _next_task(self) -> Task | None:
        if self._again:
            return self._again.popleft()
        chunk = next(self._chunks, None)
        return self._open_chunks.open(chunk) if chunk else None

    def _start(self) -> _Worker:
        process = WorkerProcess("reinspect worker", entry=_ENTRY, argument=self._open_judge)
        self._workers[process] = worker = _Worker(process)
        return worker

    def _hear(self, worker: _Worker, message: object) -> Iterator[DoneChunk]:
        match message:
            case _Ready():
                worker.ready = True
                self._deaths_in_loading = 0
                for task in worker.tasks:
                    _tell(worker, task)
            case _Done(rows):
                done = self._open_chunks.close(worker.tasks.popleft(), _table(rows))
                if done:
                    yield done
            case _Refused(error):
                raise error

    def _lose(self, worker: _Worker) -> None:
        """Puts back what a dead worker had to do; another one is started for it. Raises: ReinspectionError."""
        del self._workers[worker.process]
        how = worker.process.how_it_ended()
        if worker.ready and worker.tasks:
            deadly = worker.tasks.popleft()
            _log.warning("worker lost", how=how, chunk=deadly.chunk, parts=[part.key for part in deadly.parts[:2]])
            again = deadly.after_death()
            self._given_up += again[0].given_up
            self._again.extend(again)
        elif not worker.ready:
            self._deaths_in_loading += 1
        self._again.extendleft(reversed(worker.tasks))
        if self._deaths_in_loading >= MAX_DEATHS:
            raise ReinspectionError(
                f"{MAX_DEATHS} workers in a row {how} while they loaded the models",
                expected="room for the models once in each worker",
                remedy="ask for fewer workers",
            )
        if self._given_up >= _MAX_GIVEN_UP:
            raise ReinspectionError(
                f"{self._given_up} parts were given up, each after {2 * MAX_DEATHS} workers had died; the last {how}",
                expected="workers that live",
                remedy="see the log; memory is the first suspect",
            )


def _tell(worker: _Worker, task: Task) -> None:
    with suppress(LinkClosed):  # it has died: what is read from its pipe next says so
        worker.process.pipe.send(task)


def _table(stream: bytes) -> pa.Table:
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()


# The worker.


def work(pipe: Pipe, open_judge: OpenJudge) -> None:
    """Loads the models, then does tasks until the parent is gone. Runs in the worker process."""
    import cv2  # noqa: PLC0415 - not needed by the parent

    cv2.setNumThreads(1)  # each process has a core of its own
    _hush_libraries()
    try:
        judge = open_judge()
        tasks = _received(pipe)
        pipe.send(_Ready())
        while (task := tasks.get()) is not None:
            pipe.send(_Done(_stream(do(task, judge))))
    except LinesideError as error:
        pipe.send(_Refused(error))


def _hush_libraries() -> None:
    """What libpng and its like say of a bad file would run across the progress bar; the file's row says it.

    Python's own words still come out, those of a crash too.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    faulthandler.enable(sys.stderr)


def _received(pipe: Pipe) -> queue.SimpleQueue[Task | None]:
    """Tasks as they come, read by a thread so that the parent never waits; None when there will be no more."""
    tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()

    def receive() -> None:
        with suppress(LinkClosed):
            while isinstance(task := pipe.receive(), Task):
                tasks.put(task)
        tasks.put(None)

    threading.Thread(target=receive, name="tasks", daemon=True).start()
    return tasks


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    written: bytes = sink.getvalue().to_pybytes()
    return written
