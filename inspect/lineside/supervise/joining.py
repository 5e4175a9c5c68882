"""How the frames of several cameras, each at its own pace, become looks at one part: never at two."""

from __future__ import annotations

import asyncio
import enum
import time
from collections import deque
from collections.abc import Callable

from lineside.core.frame import MissedFrame
from lineside.core.reason import Reason
from lineside.core.trigger import clean_part_id
from lineside.supervise.frame_pool import FrameReference
from lineside.supervise.messages import Captures

__all__ = ["Arrival", "Joining", "Look", "Placed"]

Look = FrameReference | MissedFrame
"""One view of one part: where the frame lies, or why there is none."""

_REMEMBERED_TIMES = 20
"""For so many times `join_ms` a part is remembered: a frame that was under way for long finds that it is late."""


class Placed(enum.Enum):
    """Where a look belongs."""

    NEW_PART = enum.auto()
    JOINED = enum.auto()
    TOO_LATE = enum.auto()
    """Its part was there, and could wait no longer: it must not become a look at another."""


class Arrival:
    """The looks at one part, as they come in. Exposures at most `join_ms` apart are of the same part."""

    def __init__(
        self, view: str, look: Look, exposed_mono_ns: int, *, views: frozenset[str], join_ms: int,
        why_lost: Callable[[str], str],
    ) -> None:  # fmt: skip
        """`why_lost` says of a view why its camera is gone; empty when it is there."""
        self._looks = {view: look}
        self._exposed_mono_ns = exposed_mono_ns
        self._timed = _timed(look)
        self._views = views
        self._join_ms = join_ms
        self._why_lost = why_lost
        self._complete = asyncio.Event()
        self.begun_mono_ns = time.monotonic_ns()
        self.over = False
        """True when no look can join any more."""
        self._close_if_complete()

    def lacks(self, view: str) -> bool:
        """True while that view's look is still missing and may still come."""
        return view not in self._looks and not self.over

    def fits(self, view: str, look: Look, exposed_mono_ns: int) -> bool:
        """True where the look is of this part: by part id where both are known, else by the time of exposure.

        A frame that was lost, or a trigger that the camera ignored, has no time of its own and is told later: it is of
        the oldest part without that view, and a part that it began takes any frame of another that is no younger.
        """
        if view in self._looks:
            return False
        if self.part_id and _part_id(look):
            return self.part_id == _part_id(look)
        if not _timed(look):
            return True
        apart_ns = exposed_mono_ns - self._exposed_mono_ns
        return (abs(apart_ns) if self._timed else apart_ns) <= self._join_ms * 1_000_000

    def join(self, view: str, look: Look, exposed_mono_ns: int) -> None:
        """Adds one view's look."""
        self._looks[view] = look
        if not self._timed and _timed(look):
            self._timed, self._exposed_mono_ns = True, exposed_mono_ns
        self._close_if_complete()

    def _close_if_complete(self) -> None:
        if self._looks.keys() == self._views:
            self.over = True
            self._complete.set()

    @property
    def part_id(self) -> str:
        """The part id that a camera knows (a folder's file name), else empty."""
        return next(filter(None, map(_part_id, self._looks.values())), "")

    async def captures(self) -> Captures:
        """All looks, at the latest `join_ms` after the first; views that did not come are missed."""
        try:
            await asyncio.wait_for(self._complete.wait(), self._join_ms / 1000)
        except TimeoutError:
            self.over = True
        looks = dict(self._looks)
        for view in self._views - looks.keys():
            lost = self._why_lost(view)
            detail = lost or f"no frame of view {view} within {self._join_ms} ms of the first view's"
            reason = Reason.CAMERA_LOST if lost else Reason.NO_FRAME
            looks[view] = MissedFrame(view=view, reason=reason, detail=detail)
        return looks


def _timed(look: Look) -> bool:
    return not (isinstance(look, MissedFrame) and look.reason in (Reason.FRAME_LOST, Reason.OVERTRIGGER))


def _part_id(look: Look) -> str:
    return clean_part_id(look.notice.part_id if isinstance(look, FrameReference) else look.part_id)


class Joining:
    """Places every look that comes in. Lives on the event loop."""

    def __init__(self, views: frozenset[str], *, join_ms: int, why_lost: Callable[[str], str]) -> None:
        self._views = views
        self._join_ms = join_ms
        self._why_lost = why_lost
        self._recent: deque[Arrival] = deque()

    def place(self, view: str, look: Look, mono_ns: int) -> tuple[Placed, Arrival]:
        """The part that the look belongs to: a new one, or one that other views have begun.

        `mono_ns` is when a frame without an exposure of its own was missed.
        """
        exposed = look.notice.captured_mono_ns if isinstance(look, FrameReference) else mono_ns
        oldest = time.monotonic_ns() - _REMEMBERED_TIMES * self._join_ms * 1_000_000
        while self._recent and self._recent[0].over and self._recent[0].begun_mono_ns < oldest:
            self._recent.popleft()
        for arrival in self._recent:
            if arrival.fits(view, look, exposed):
                if arrival.over:
                    return Placed.TOO_LATE, arrival
                arrival.join(view, look, exposed)
                return Placed.JOINED, arrival
        arrival = Arrival(view, look, exposed, views=self._views, join_ms=self._join_ms, why_lost=self._why_lost)
        if len(self._views) > 1:
            self._recent.append(arrival)
        return Placed.NEW_PART, arrival

    def lacking(self, view: str) -> int:
        """How many parts wait for that view."""
        return sum(arrival.lacks(view) for arrival in self._recent)
