"""Work at a lower priority: it alone gives way, not the process that asked for it."""

from __future__ import annotations

import os
import threading

import pytest

from lineside.supervise.giving_way import giving_way


def niceness() -> int:
    """Of the thread that asks."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_work_gives_way_and_whoever_asked_for_it_is_as_urgent_as_before() -> None:
    before = niceness()

    during = giving_way(niceness)

    assert (min(before + 10, 19), before) == (during, niceness())


def test_what_the_work_raises_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        giving_way(lambda: 1 / 0)


def test_work_that_has_given_way_already_gives_way_to_everybody() -> None:
    assert giving_way(lambda: giving_way(niceness)) == min(niceness() + 20, 19)
