"""A worker of the engine `local`, as its own process sees it: loads the models, does tasks, says that it lives."""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from lineside.core.errors import LinesideError
from lineside.reinspect.engine import OpenJudge
from lineside.reinspect.task import Task, do
from lineside.supervise.link import LinkClosed
from lineside.supervise.worker_process import Pipe

__all__ = ["Alive", "Done", "Ready", "Refused", "hush_libraries", "work"]

_SIGN_EVERY_S = 1.0


# What a worker says. It is told tasks, and answers each in turn.


@dataclass(frozen=True, slots=True)
class Ready:
    """The models are loaded."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No other worker will do better: the run ends."""

    error: LinesideError


@dataclass(frozen=True, slots=True)
class Alive:
    """Another part is judged: said now and then."""


@dataclass(frozen=True, slots=True)
class Done:
    """The rows of the oldest task, as an Arrow stream."""

    rows: bytes


def work(pipe: Pipe, open_judge: OpenJudge) -> None:
    """Loads the models, then does tasks until the parent is gone. Runs in the worker process."""
    import cv2  # noqa: PLC0415 - not needed by the parent

    cv2.setNumThreads(1)  # each process has a core of its own
    hush_libraries()
    try:
        judge = open_judge()
        tasks = _received(pipe)
        life = _Life(pipe)
        pipe.send(Ready())
        while (task := tasks.get()) is not None:
            pipe.send(Done(_stream(do(task, judge, life.sign))))
    except LinesideError as error:
        pipe.send(Refused(error))


def hush_libraries() -> None:
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


class _Life:
    """Says `Alive` for parts that are judged, but seldom."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._said_mono_s = time.monotonic()

    def sign(self) -> None:
        """One more part is judged. By who judges, not by a thread of its own: a judge that hangs must fall silent."""
        now_mono_s = time.monotonic()
        if now_mono_s - self._said_mono_s >= _SIGN_EVERY_S:
            self._said_mono_s = now_mono_s
            self._pipe.send(Alive())


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    written: bytes = sink.getvalue().to_pybytes()
    return written
