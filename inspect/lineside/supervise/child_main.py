"""What runs first in every child process: `python -m lineside.supervise.child_main FD STATION_PID NAME`."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import socket
import sys

import structlog

from lineside.core.errors import LinesideError
from lineside.supervise.link import Link, LinkClosed
from lineside.supervise.messages import Start, Trouble

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    """Waits for the Start message, runs its entry, and tells the station why when that fails."""
    if not _dies_with_the_station(int(sys.argv[2])):
        return 0
    # A service manager ends the whole group; the station alone decides when its children may go.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the station stops us in order
    os.dup2(2, 1)  # vendor libraries that print must not reach the standard output of `--json` commands
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
    link = Link(socket.socket(fileno=int(sys.argv[1])))
    try:
        start = link.receive(timeout_s=30.0)
        if not isinstance(start, Start):
            raise LinkClosed
        module, _, function = start.entry.partition(":")
        getattr(importlib.import_module(module), function)(link, start.argument)
    except LinkClosed:
        return 0
    except LinesideError as error:
        try:
            link.send_waiting(Trouble(error=error))
        except LinkClosed:
            return 0
        return 3
    return 0


def _dies_with_the_station(station_pid: int) -> bool:
    # A child that hangs in a vendor's library does not notice that its link is closed: the kernel ends it.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == station_pid  # False: the station was gone before the kernel was told


if __name__ == "__main__":
    sys.exit(main())
