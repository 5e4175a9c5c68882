"""The reject gate and its output module: it rests on reject, and lets through only while it is told to."""

from __future__ import annotations

import bisect

__all__ = ["Gate"]


class Gate:
    """What the gate did, by time. An output that is not renewed within the watchdog's time falls back to rest.

    `lag_ns` passes from the output to the gate having moved.
    """

    def __init__(self, *, lag_ns: int, watchdog_ns: int) -> None:
        self._lag_ns = lag_ns
        self._watchdog_ns = watchdog_ns
        self._told_ns: list[int] = []
        self._accept: list[bool] = []

    def set(self, mono_ns: int, *, accept: bool) -> None:
        """The PLC writes its output, in every scan."""
        self._told_ns.append(mono_ns)
        self._accept.append(accept)
        del self._told_ns[:-1000], self._accept[:-1000]

    def accepts_at(self, mono_ns: int) -> bool:
        """Whether a part whose middle is at the gate at this moment is let through; asked in the order of time."""
        output_ns = mono_ns - self._lag_ns
        last = bisect.bisect_right(self._told_ns, output_ns) - 1
        return last >= 0 and self._accept[last] and output_ns - self._told_ns[last] < self._watchdog_ns
