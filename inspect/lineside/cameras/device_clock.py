"""A device's own timestamps, brought to the host's monotonic clock."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["DeviceClock"]

_REMEMBERED: Final = 64
"""Frames looked back on: enough for one of them to have come without waiting, few enough for the clocks not to drift
apart meanwhile (50 ppm over 64 frames at 10 per second is 0.3 ms)."""


class DeviceClock:
    """Knows how far the host's clock is ahead of the device's by the frame that was quickest to arrive lately.

    What is left of error is that frame's own way from exposure to arrival.
    """

    def __init__(self) -> None:
        self._ahead_ns: deque[int] = deque(maxlen=_REMEMBERED)

    def host_mono_ns(self, device_ns: int, arrived_mono_ns: int) -> int:
        """The host's time of a frame stamped `device_ns`; never later than its arrival."""
        self._ahead_ns.append(arrived_mono_ns - device_ns)
        return device_ns + min(self._ahead_ns)
