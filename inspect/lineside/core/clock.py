"""Two clocks, never mixed: UTC to tell people (may jump), monotonic to measure and decide."""

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Reads both clocks. `mono_ns` is CLOCK_MONOTONIC: the same in every process of one machine, until it reboots."""

    def mono_ns(self) -> int: ...

    def utc_ns(self) -> int: ...


class SystemClock:
    """The machine's own clocks."""

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def utc_ns(self) -> int:
        return time.time_ns()
