"""What runs first in every child process: `python -m lineside.supervise.child_main FD STATION_PID NAME`."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import structlog

from lineside.core.errors import LinesideError
from lineside.supervise.giving_way import giving_way
from lineside.supervise.link import Link, LinkClosed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main", "settle_in"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    """Waits for the Start message, runs its entry, and tells the station why when that fails."""
    if not settle_in(int(sys.argv[2])):
        return 0
    link = Link(socket.socket(fileno=int(sys.argv[1])))
    try:
        entry, argument = giving_way(lambda: _asked_for(link))
        entry(link, argument)
    except LinkClosed:
        return 0
    except LinesideError as error:
        from lineside.supervise.messages import Trouble  # noqa: PLC0415 - see _asked_for

        try:
            link.send_waiting(Trouble(error=error))
        except LinkClosed:
            return 0
        return 3
    return 0


def _asked_for(link: Link) -> tuple[Callable[[Link, object], None], object]:
    """What to run, and with what. Nearly everything is imported here, while giving way. Raises: LinkClosed."""
    from lineside.supervise.messages import Start  # noqa: PLC0415 - numpy comes with it

    start = link.receive(timeout_s=30.0)
    if not isinstance(start, Start):
        raise LinkClosed
    module, _, function = start.entry.partition(":")
    return getattr(importlib.import_module(module), function), start.argument


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
