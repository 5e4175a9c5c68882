"""A child process that is given work in messages of any size, and dies with its parent.

Unlike a station's `Child` it is watched by nobody and may be silent for as long as it likes; who uses it replaces it.
Only in the middle of a message it may not stop: then its pipe is as good as closed.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable
from multiprocessing.connection import Connection, wait

from lineside.supervise.link import LinkClosed
from lineside.supervise.messages import Start

__all__ = ["Pipe", "WorkerProcess", "wait_for_any"]

_MESSAGE_S = 5
"""How long the child may make its parent wait in the middle of a message: one that has stopped takes part in none."""

_GRACE_S = 1.0
"""How long a process that has closed its pipe may take to end by itself."""


class Pipe:
    """One end of a two-way line for pickled messages of any size. Both calls block: the other side has to take part."""

    def __init__(self, descriptor: int) -> None:
        self._connection: Connection[object, object] = Connection(descriptor)

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, message: object) -> None:
        """Raises: LinkClosed when the other side is gone; from BlockingIOError when it takes nothing any more."""
        try:
            self._connection.send(message)
        except OSError as error:
            raise LinkClosed from error

    def receive(self) -> object:
        """The next message. Raises: LinkClosed when the other side is gone, in the middle of a message or not."""
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise LinkClosed from error

    def close(self) -> None:
        self._connection.close()


class WorkerProcess:
    """A process that runs `entry` ("module:function") as function(pipe, argument), with the argument pickled.

    It does not hear Ctrl-C, and the kernel kills it when the thread that started it ends.
    """

    def __init__(self, name: str, *, entry: str, argument: object) -> None:
        ours, theirs = socket.socketpair()
        for direction in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, direction, struct.pack("ll", _MESSAGE_S, 0))
        self.pipe = Pipe(ours.detach())
        with theirs:
            numbers = (str(theirs.fileno()), str(os.getpid()))
            # Until the child itself ignores Ctrl-C: what is blocked here is blocked there from the beginning.
            unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "lineside.supervise.worker_main", *numbers, name],
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        try:
            self.pipe.send(Start(entry=entry, argument=argument))
        except LinkClosed:
            pass  # it is dead already: whoever reads finds the end of the pipe
        except BaseException:  # such as an argument that cannot be pickled
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """Ends it at once; returns when it has ended."""
        self.pipe.close()
        self._process.kill()
        self._process.wait()

    def how_it_ended(self) -> str:
        """What became of a process whose pipe is closed, in words. It is killed if it does not end by itself."""
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "closed its pipe and was killed"
        self.pipe.close()
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def wait_for_any(workers: Iterable[WorkerProcess], timeout_s: float | None = None) -> list[WorkerProcess]:
    """Blocks until some have said something or ended: those. None of them when that takes longer than the timeout."""
    by_pipe = {worker.pipe.fileno(): worker for worker in workers}
    return [by_pipe[ready] for ready in wait(list(by_pipe), timeout_s) if isinstance(ready, int)]
