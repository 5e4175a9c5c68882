"""What runs first in every worker process: `python -m lineside.supervise.worker_main FD PARENT_PID NAME`."""

from __future__ import annotations

import importlib
import sys

from lineside.supervise.child_main import settle_in
from lineside.supervise.link import LinkClosed
from lineside.supervise.messages import Start
from lineside.supervise.worker_process import Pipe

__all__ = ["main"]


def main() -> int:
    """Waits for the Start message and runs its entry until that returns, or the parent is gone."""
    if not settle_in(int(sys.argv[2])):
        return 0
    pipe = Pipe(int(sys.argv[1]))
    try:
        start = pipe.receive()
        assert isinstance(start, Start)
        module, _, function = start.entry.partition(":")
        getattr(importlib.import_module(module), function)(pipe, start.argument)
    except LinkClosed:  # nothing more is wanted
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
