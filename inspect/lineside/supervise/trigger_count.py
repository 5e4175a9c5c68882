"""A camera's own counters against what the station had of it: exposed and ignored triggers, and one look for each."""

from __future__ import annotations

from lineside.core.frame import MissedFrame
from lineside.core.reason import Reason
from lineside.supervise.frame_pool import FrameNotice

__all__ = ["TriggerCount"]


class TriggerCount:
    """Books on one camera that counts the triggers which it ignored; of any other camera nothing is concluded.

    Each trigger is exposed, and the frame counter goes on, or it is ignored, and the other counter does; the station
    must have had one look for each, an OVERTRIGGER for those ignored.
    """

    def __init__(self) -> None:
        self.ignored: int | None = None
        """Triggers that the device said it ignored, over all connections; None while it has said nothing of it."""
        self.unexplained = 0
        """By how much device and station disagreed, all times together."""
        self.begin()

    def begin(self) -> None:
        """Called when the camera is connected: its counters begin anew."""
        self._device_ignored = 0
        self._overtriggers = 0
        self._disagreement = 0
        self._newest_frame: int | None = None
        self._missed_since = 0

    def take(self, look: FrameNotice | MissedFrame) -> str:
        """Called for each look in turn; what does not add up and by how much, once for each change, else nothing."""
        if isinstance(look, MissedFrame) and look.reason is Reason.OVERTRIGGER:
            self._overtriggers += 1
        elif isinstance(look, MissedFrame):
            self._missed_since += 1
        found = [self._not_named(look), self._not_seen(look)]
        return "; ".join(filter(None, found))

    def _not_named(self, look: FrameNotice | MissedFrame) -> str:
        if look.triggers_ignored is None:
            return ""
        self.ignored = (self.ignored or 0) + look.triggers_ignored - self._device_ignored
        self._device_ignored = look.triggers_ignored
        disagreement = self._device_ignored - self._overtriggers
        change, self._disagreement = disagreement - self._disagreement, disagreement
        self.unexplained += abs(change)
        if not change:
            return ""
        return (
            f"the camera says that it ignored {_count(self._device_ignored, 'trigger')}, "
            f"{_count(self._overtriggers, 'part')} got OVERTRIGGER for it: {disagreement:+d}"
        )

    def _not_seen(self, look: FrameNotice | MissedFrame) -> str:
        if self.ignored is None or isinstance(look, MissedFrame):
            return ""
        before, self._newest_frame = self._newest_frame, look.frame_id
        missed, self._missed_since = self._missed_since, 0
        if before is None or look.frame_id <= before:  # the first one, or a counter that was set anew
            return ""
        surplus = look.frame_id - before - 1 - missed
        self.unexplained += abs(surplus)
        if not surplus:
            return ""
        return (
            f"the frame counter went from {before} to {look.frame_id}, "
            f"the station had {_count(missed, 'look')} without a frame between: {surplus:+d}"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
