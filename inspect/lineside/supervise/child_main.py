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
from lineside.supervise.giving_way import giving_way
from lineside.supervise.link import Link, LinkClosed
from lineside.supervise.messages import Start, Trouble

__all__ = ["main", "settle_in"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    """Waits for the Start message, runs its entry, and tells the station why when that fails."""
    if not settle_in(int(sys.argv[2])):
        return 0
    link = Link(socket.socket(fileno=int(sys.argv[1])))
    try:
        start = giving_way(lambda: link.receive(timeout_s=30.0))  # it imports what its argument is made of
        if not isinstance(start, Start):
            raise LinkClosed
        module, _, function = start.entry.partition(":")
        entry = getattr(giving_way(lambda: importlib.import_module(module)), function)
        entry(link, start.argument)
    except LinkClosed:
        return 0
    except LinesideError as error:
        try:
            link.send_waiting(Trouble(error=error))
        except LinkClosed:
            return 0
        return 3
    return 0


def settle_in(parent_pid: int) -> bool:
    """Binds this process to its parent: it ends with it, and by nothing else. False when the parent is gone already."""
    if not _dies_with(parent_pid):
        return False
    # A service manager ends the whole group; the parent alone decides when its children may go.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent stops us in order
    os.dup2(2, 1)  # vendor libraries that print must not reach the standard output of `--json` commands
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
    return True


def _dies_with(parent_pid: int) -> bool:
    # A child that hangs in a vendor's library does not notice that its link is closed: the kernel ends it.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent_pid  # False: the parent was gone before the kernel was told


if __name__ == "__main__":
    sys.exit(main())
