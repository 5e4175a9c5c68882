"""The engine `local`: one process for each core of this machine.

A worker always has a task waiting beside the one in hand, so that it never waits for the parent, which writes rows
away meanwhile. Parts go over pickled, rows come back as Arrow: what is in memory does not grow with the run.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa
import structlog

from lineside.core.errors import ReinspectionError
from lineside.reinspect.engine import Chunk, DoneChunk, OpenJudge
from lineside.reinspect.local_worker import Alive, Done, Ready, Refused
from lineside.reinspect.task import MAX_DEATHS, MAX_HANGS, OpenChunks, Task
from lineside.supervise.link import LinkClosed
from lineside.supervise.worker_process import WorkerProcess, wait_for_any

__all__ = ["PART_TIMEOUT_S", "LocalEngine", "cores"]

_log = structlog.get_logger()

_ENTRY = "lineside.reinspect.local_worker:work"
_TASKS_PER_WORKER = 2

PART_TIMEOUT_S = 120.0
"""Longer than the slowest model takes, and than a storage takes to say that it does not answer."""

_LOADING_TIMEOUT_S = 1800.0
"""TensorRT may build its engine for many minutes."""

_LOOK_S = 1.0
"""How often it is looked who is silent."""

_MAX_GIVEN_UP = 100
"""When so many parts have killed all who judged them, it is not the parts."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, kw_only=True)
class LocalEngine:
    """Runs chunks in `workers` processes: by default one for each core, and then on that core alone. They share a GPU,
    where there is one.

    A worker that is at one part for longer than `part_timeout_s` hangs: it is killed and replaced.
    """

    workers: int | None = None
    part_timeout_s: float = PART_TIMEOUT_S

    def run(self, chunks: Iterable[Chunk], open_judge: OpenJudge) -> Generator[DoneChunk, None, None]:
        """As the port says. Workers are killed when the iterator ends or is closed: they have nothing to lose."""
        crew = _Crew(iter(chunks), open_judge, self.workers or cores(), self.part_timeout_s)
        try:
            yield from crew.work()
        finally:
            crew.end()


@dataclass(eq=False)
class _Worker:
    """A process, and what it has to do, oldest first."""

    process: WorkerProcess
    core: int | None
    tasks: deque[Task] = field(default_factory=deque)
    ready: bool = False
    silent_s: float = 0.0
    """For how long nothing was heard of it while it had something to do."""
    unreachable: bool = False
    """It does not take what it is told."""


class _Crew:
    """All workers of one run, as the parent sees them."""

    def __init__(self, chunks: Iterator[Chunk], open_judge: OpenJudge, size: int, part_timeout_s: float) -> None:
        self._chunks = chunks
        self._open_judge = open_judge
        self._size = size
        self._part_timeout_s = part_timeout_s
        self._workers: dict[WorkerProcess, _Worker] = {}
        self._open_chunks = OpenChunks()
        self._again: deque[Task] = deque()
        self._deaths_in_loading = 0
        self._given_up = 0
        # With as many workers as cores each stays on one: moved about, it would find its caches cold every time.
        self._cores = os.sched_getaffinity(0) if size == cores() else set()

    def work(self) -> Iterator[DoneChunk]:
        """Every chunk as it is done."""
        looked_mono_s = time.monotonic()
        while self._hand_out():
            heard = wait_for_any(self._workers, _LOOK_S)
            # While this process was stopped itself, as by Ctrl-Z, its workers were too: that time does not count.
            passed_s = min(time.monotonic() - looked_mono_s, 2 * _LOOK_S)
            looked_mono_s = time.monotonic()
            for process in heard:
                worker = self._workers[process]
                worker.silent_s = -passed_s
                try:
                    message = process.pipe.receive()
                except LinkClosed:
                    self._lose(worker)
                else:
                    yield from self._hear(worker, message)
            self._replace_silent(passed_s)

    def _replace_silent(self, passed_s: float) -> None:
        for worker in list(self._workers.values()):
            worker.silent_s = max(0.0, worker.silent_s + passed_s) if worker.tasks else 0.0
            limit_s = self._part_timeout_s if worker.ready else _LOADING_TIMEOUT_S
            if worker.unreachable or worker.silent_s > limit_s:
                worker.process.kill()
                self._lose(worker, hung=True)

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
        self._workers[process] = worker = _Worker(process, core=self._free_core())
        if worker.core is not None:
            with suppress(OSError):  # it has ended already, or the core is ours no longer: it works without, too
                os.sched_setaffinity(process.pid, {worker.core})
        return worker

    def _free_core(self) -> int | None:
        return min(self._cores - {worker.core for worker in self._workers.values()}, default=None)

    def _hear(self, worker: _Worker, message: object) -> Iterator[DoneChunk]:
        match message:
            case Ready():
                worker.ready = True
                self._deaths_in_loading = 0
                for task in worker.tasks:
                    _tell(worker, task)
            case Alive():
                pass
            case Done(rows):
                done = self._open_chunks.close(worker.tasks.popleft(), _table(rows))
                if done:
                    yield done
            case Refused(error):
                raise error

    def _lose(self, worker: _Worker, *, hung: bool = False) -> None:
        """Puts back what a lost worker had to do; another one is started for it. Raises: ReinspectionError."""
        del self._workers[worker.process]
        how = "hung" if hung else worker.process.how_it_ended()
        if worker.ready and worker.tasks:
            over = worker.tasks.popleft()
            _log.warning("worker lost", how=how, chunk=over.chunk, parts=[part.key for part in over.parts[:2]])
            again = over.after_hang() if hung else over.after_death()
            self._given_up += bool(again[0].given_up)
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
                f"{self._given_up} parts were given up, each after {2 * MAX_DEATHS} workers had died or "
                f"{MAX_HANGS} had hung; the last {how}",
                expected="workers that live",
                remedy="see the log; memory is the first suspect",
            )


def _tell(worker: _Worker, task: Task) -> None:
    try:
        worker.process.pipe.send(task)
    except LinkClosed as error:  # one that has died is found dead when its pipe is read next
        worker.unreachable = isinstance(error.__cause__, BlockingIOError)


def _table(stream: bytes) -> pa.Table:
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()
