"""Work that gives way to others while it lasts, and leaves the process as urgent as it was."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["giving_way"]

Done = TypeVar("Done")

_NICER_BY = 10
"""A tenth of a core where others want all of it, the whole of it where nobody does."""
_NICEST = 19


def giving_way(work: Callable[[], Done]) -> Done:
    """Does the work at a lower priority and waits for it. Raises what the work raises.

    Without rights a priority that was lowered can never be raised again, but on Linux it belongs to a thread: the work
    gets one of its own. Threads that the work starts and leaves behind keep the low priority: start none in it.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="gives way", initializer=_step_back) as thread:
        return thread.submit(work).result()


def _step_back() -> None:
    this_thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, this_thread) + _NICER_BY
    os.setpriority(os.PRIO_PROCESS, this_thread, min(niceness, _NICEST))
