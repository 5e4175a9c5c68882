"""One supervised child process: started, watched, and replaced when it dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import structlog

from lineside.core.errors import LinesideError
from lineside.supervise.link import Link, LinkClosed, link_pair
from lineside.supervise.messages import Beat, Start, Stop, Trouble, Up

__all__ = ["Child", "ChildHandler", "ChildLimits", "ChildState"]

_log = structlog.get_logger()

_HELD_UP_NS = 500_000_000
"""The watch looks every 100 ms: after a longer pause it was the station that did not run."""

_MESSAGES_PER_TURN = 64
"""After so many messages of one child the event loop looks after the others again."""


class ChildState(enum.StrEnum):
    """Where a child is in its life."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildLimits:
    """How long a child may be silent, and how fast it is replaced."""

    start_ms: int = 60_000
    silent_ms: int = 1_500
    """Three missed beats."""
    backoff_first_ms: int = 100
    backoff_last_ms: int = 5_000
    stop_ms: int = 2_000


class ChildHandler(Protocol):
    """Who owns the child. All methods are called on the event loop and must not block."""

    def up(self, message: Up) -> None:
        """The child is ready for work."""
        ...

    def heard(self, message: object) -> None:
        """The child said something."""
        ...

    def down(self, why: str, error: LinesideError | None) -> None:
        """The child is gone; all it held is free, and it is replaced after a pause."""
        ...

    def patient_until_mono_ns(self) -> int:
        """Until when the child may be silent because it is at work; 0 when it has nothing to do."""
        ...


class Child:
    """One supervised child process, replaced with back-off until `stop`. Lives on the event loop that starts it."""

    def __init__(
        self,
        name: str,
        *,
        entry: str,
        argument: object,
        fds: Sequence[int],
        handler: ChildHandler,
        limits: ChildLimits | None = None,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.state = ChildState.DOWN
        self._start_message = Start(entry=entry, argument=argument)
        self._fds = tuple(fds)
        self._handler = handler
        self._limits = limits or ChildLimits()
        self._backoff_ms = self._limits.backoff_first_ms
        self._error: LinesideError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Link | None = None
        self._heard_mono_ns = 0
        self._watched_mono_ns = 0
        self._quiet_until_mono_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        # The kernel ends a child with the thread that started it, so that thread is kept for as long as the child.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"starts {name}")
        self._starting: asyncio.Task[None] | None = None
        self._reaping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while there is a process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the process beside the event loop, which that would hold up; `up` or `down` is called later."""
        self.state = ChildState.STARTING
        self._error = None
        self._ended.clear()
        self._starting = asyncio.get_running_loop().create_task(self._start())

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        link, theirs = link_pair()
        try:
            process = await loop.run_in_executor(self._starter, _started, theirs, self._fds, self.name)
        except OSError as error:  # no memory, no process ids: no reason to stop trying
            link.close()
            self._lose(f"cannot be started: {error}")
            return
        self._process, self._link = process, link
        if self.state is ChildState.STOPPED:  # meanwhile: `stop` waits for this, and ends the process
            return
        self._heard_mono_ns = self._watched_mono_ns = time.monotonic_ns()
        self._quiet_until_mono_ns = 0
        with contextlib.suppress(LinkClosed):  # it is dead already: the reader finds the end of the link
            link.send(self._start_message)
        loop.add_reader(link.fileno(), self._readable)
        self._timer = loop.call_later(0.1, self._watch)

    def send(self, message: object) -> bool:
        """Sends to a child that is up; False when it is not, or no longer reads (then it is replaced)."""
        if self.state is not ChildState.UP or self._link is None:
            return False
        try:
            if self._link.send(message):
                return True
            self.kill("no longer reads its messages")
        except LinkClosed:
            self._lose("closed its link")
        return False

    def kill(self, why: str) -> None:
        """Ends the process at once, as after a hang; it is replaced."""
        if self._process is not None:
            _log.warning("child killed", child=self.name, pid=self._process.pid, why=why)
            self._process.send_signal(signal.SIGKILL)
            self._lose(why)

    async def stop(self) -> None:
        """Asks the child to finish, waits up to `stop_ms`, then kills it. The child is not replaced."""
        asked = self.state is ChildState.UP and self.send(Stop())
        self.state = ChildState.STOPPED
        if self._timer:
            self._timer.cancel()
        for under_way in (self._starting, self._reaping):
            if under_way is not None:
                await under_way
        process = self._process
        if process is not None:
            if asked:
                try:
                    await asyncio.wait_for(self._ended.wait(), self._limits.stop_ms / 1000)
                except TimeoutError:
                    _log.warning("child did not stop in time", child=self.name, limit_ms=self._limits.stop_ms)
            process.kill()
            await _reaped(process)
            self._close_link()
            self._process = None
        self._starter.shutdown(wait=False)

    def _readable(self) -> None:
        for _ in range(_MESSAGES_PER_TURN):
            if self._link is None:
                return
            try:
                message = self._link.receive()
            except LinkClosed:
                self._ended.set()
                self._lose("process ended")
                return
            if message is None:
                return
            self._heard_mono_ns = time.monotonic_ns()
            self._hear(message)

    def _hear(self, message: object) -> None:
        match message:
            case Beat(quiet_ms=quiet_ms):
                self._quiet_until_mono_ns = self._heard_mono_ns + quiet_ms * 1_000_000
            case Up():
                if self.state is ChildState.STARTING:  # else it is being stopped
                    self.state = ChildState.UP
                    self._handler.up(message)
            case Trouble(error=error):
                self._error = error
            case _:
                self._backoff_ms = self._limits.backoff_first_ms  # it works again
                self._handler.heard(message)

    def _watch(self) -> None:
        now = time.monotonic_ns()
        if now - self._watched_mono_ns > _HELD_UP_NS:  # we were stopped ourselves: the child's silence says nothing
            self._heard_mono_ns = now
        self._watched_mono_ns = now
        silent_ms = (now - self._heard_mono_ns) // 1_000_000
        if self.state is ChildState.STARTING and silent_ms > self._limits.start_ms:
            self.kill(f"not ready {silent_ms} ms after its start, limit {self._limits.start_ms} ms")
        elif (
            self.state is ChildState.UP
            and silent_ms > self._limits.silent_ms
            and now > max(self._quiet_until_mono_ns, self._handler.patient_until_mono_ns())
        ):
            self.kill(f"silent for {silent_ms} ms, limit {self._limits.silent_ms} ms")
        else:
            self._timer = asyncio.get_running_loop().call_later(0.1, self._watch)

    def _lose(self, why: str) -> None:
        """The one place where a child is given up: close, reap, tell the owner, start again after a pause."""
        if self.state not in (ChildState.STARTING, ChildState.UP):
            return
        loop = asyncio.get_running_loop()
        process, self._process = self._process, None
        self._close_link()
        if self._timer:
            self._timer.cancel()
        self.state = ChildState.DOWN
        if process is not None:
            process.kill()  # it may have closed its link and live on
            self._reaping = loop.create_task(_reaped(process))
        error = self._error
        _log.warning("child lost", child=self.name, why=str(error) if error else why, again_in_ms=self._backoff_ms)
        self._handler.down(str(error) if error else why, error)
        self._timer = loop.call_later(self._backoff_ms / 1000, self._again)
        self._backoff_ms = min(self._backoff_ms * 2, self._limits.backoff_last_ms)

    def _again(self) -> None:
        if self.state is ChildState.DOWN:
            self.restarts += 1
            self.start()

    def _close_link(self) -> None:
        if self._link is not None:
            asyncio.get_running_loop().remove_reader(self._link.fileno())
            self._link.close()
            self._link = None


def _started(theirs: socket.socket, fds: Sequence[int], name: str) -> subprocess.Popen[bytes]:
    """A child process with its end of the link, which is closed here. Blocks. Raises: OSError."""
    with theirs:
        return subprocess.Popen(
            # The name is for people who look at the process list.
            [sys.executable, "-P", "-m", "lineside.supervise.child_main", str(theirs.fileno()), str(os.getpid()), name],
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), *fds),
        )


async def _reaped(process: subprocess.Popen[bytes]) -> None:
    """Waits for the process's end without blocking the loop (its pidfd becomes readable)."""
    loop = asyncio.get_running_loop()
    if process.poll() is not None:
        return
    fd = os.pidfd_open(process.pid)  # not reaped yet, so the id is still its own
    ended = asyncio.Event()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    process.wait()
