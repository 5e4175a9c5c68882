"""A GenICam device's own counter of the triggers that it ignored: too soon, or still exposing."""

from __future__ import annotations

from typing import Final

from lineside.cameras.gentl import FeatureValue, GenicamDevice

__all__ = ["IgnoredTriggers"]

_SOURCES: Final = ("FrameTriggerMissed", "TriggerSkipped", "InvalidFrameTrigger")
"""What counters can count, where they can count ignored triggers at all: the name that follows SFNC's events, Baumer's,
Teledyne's."""


class IgnoredTriggers:
    """The counter, set up where the device has one, and read anew whenever it is asked."""

    def __init__(self) -> None:
        self.count: int | None = None
        """Triggers that the device had ignored since `set_up` when it was last asked; None where it does not count."""
        self._value = 0

    def set_up(self, device: GenicamDevice) -> list[tuple[str, FeatureValue]]:
        """Makes the first counter that can do it count ignored triggers; the settings that must hold from now on.

        Raises: ConfigError, CameraLost.
        """
        self.count = None
        if not (device.has("CounterSelector") and device.has("CounterEventSource")):
            return []
        for counter in device.choices("CounterSelector"):
            device.apply("CounterSelector", counter)
            sources = [source for source in _SOURCES if source in device.choices("CounterEventSource")]
            if sources and device.has("CounterValue"):
                device.apply("CounterEventSource", sources[0])
                if device.has("CounterReset"):
                    device.execute("CounterReset")
                self.count, self._value = 0, device.count("CounterValue")
                return [("CounterSelector", counter), ("CounterEventSource", sources[0])]
        return []

    def more(self, device: GenicamDevice) -> int:
        """How many more triggers the device has ignored since it was last asked. Raises: CameraLost."""
        if self.count is None:
            return 0
        before, self._value = self._value, device.count("CounterValue")
        more = self._value - before if self._value >= before else self._value  # it was set to nought meanwhile
        self.count += more
        return more
