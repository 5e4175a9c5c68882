"""The station's cameras: one supervised process each, and how their frames become looks at one part."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lineside.core.errors import CameraLost, ConfigError, LinesideError
from lineside.core.frame import MissedFrame
from lineside.core.ports import CameraReport
from lineside.core.reason import Reason
from lineside.core.status import CameraStatus
from lineside.supervise.child import Child, ChildLimits
from lineside.supervise.frame_pool import FramePool, FrameReference
from lineside.supervise.joining import Arrival, Joining, Look, Placed
from lineside.supervise.messages import CameraUp, Capture, Captured, Captures, Gone, Missed, Offer, SourceEnded, Up
from lineside.supervise.trigger_count import TriggerCount

__all__ = ["CameraPlan", "Rig"]

_LONGEST_CAPTURE_MS = 30_000
"""A client may give its part ten minutes; a camera that takes longer than this for a frame hangs."""

_HANG_GRACE_MS = 500
"""How much longer than its own time-out a capture may take before the camera process counts as hung."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraPlan:
    """What it takes to run one camera process. `argument` goes to `entry` in the child."""

    view: str
    backend: str
    entry: str
    argument: object
    pool: FramePool
    paces: bool
    """True when the camera's frames are the triggers."""
    limits: ChildLimits = field(default_factory=ChildLimits)


@dataclass(slots=True)
class _Pending:
    future: asyncio.Future[Look]
    slot: int
    patient_until_mono_ns: int


class _CameraSeat:
    """One camera: its process, its slots and the captures that it owes."""

    def __init__(self, plan: CameraPlan, rig: Rig) -> None:
        self.plan = plan
        self.report: CameraReport | None = None
        self.trouble: LinesideError | None = None
        self.ended = False
        self._rig = rig
        self._frames = 0
        self._missed = 0
        self._count = TriggerCount()
        self._detail = "starting"
        self._pending: dict[int, _Pending] = {}
        self._offered: set[int] = set()
        self.settled = asyncio.Event()
        """Set when the first start came to an end, good or bad."""
        self.child = Child(
            f"camera {plan.view}",
            entry=plan.entry,
            argument=plan.argument,
            fds=[plan.pool.key.fd],
            handler=self,
            limits=plan.limits,
        )

    # Asked cameras

    async def capture(self, number: int, due_mono_ns: int) -> Look:
        """Exposes for that trigger. Never later than the camera's end, whatever it hangs on."""
        view = self.plan.view
        if self.report is None:
            return MissedFrame(view=view, reason=Reason.CAMERA_LOST, detail=self._detail)
        if self._pending and not self.report.waits_for_reader:
            busy = next(iter(self._pending))
            detail = f"trigger {number} came while the camera was still busy with trigger {busy}"
            return MissedFrame(view=view, reason=Reason.OVERTRIGGER, detail=detail)
        slot = self.plan.pool.take()
        if slot is None:
            detail = f"all {self.plan.pool.key.slots} frame slots are taken"
            return MissedFrame(view=view, reason=Reason.QUEUE_FULL, detail=detail)
        now = time.monotonic_ns()
        timeout_ms = min(max(1, (due_mono_ns - now) // 1_000_000), _LONGEST_CAPTURE_MS)
        pending = _Pending(
            future=asyncio.get_running_loop().create_future(),
            slot=slot,
            patient_until_mono_ns=now + (timeout_ms + _HANG_GRACE_MS) * 1_000_000,
        )
        self._pending[number] = pending
        if not self.child.send(Capture(number=number, slot=slot, timeout_ms=timeout_ms)) and number in self._pending:
            self._settle(number, MissedFrame(view=view, reason=Reason.CAMERA_LOST, detail=self._detail))
        return await pending.future

    def _settle(self, number: int, look: Look) -> None:
        pending = self._pending.pop(number)
        if isinstance(look, MissedFrame):
            self.plan.pool.release(pending.slot)
            self._missed += 1
        else:
            self._frames += 1
        if pending.future.done():  # whoever waited was cancelled: nobody will use the frame
            if not isinstance(look, MissedFrame):
                self.plan.pool.release(pending.slot)
            return
        pending.future.set_result(look)

    # Cameras that set the pace

    def refill(self) -> None:
        """Offers the camera as many free slots as it may fill now."""
        if not self.plan.paces or self.report is None or not self._rig.begun:
            return
        room = self._rig.room_for_waiting(self.plan.view) if self.report.waits_for_reader else self.plan.pool.key.slots
        while len(self._offered) < room and (slot := self.plan.pool.take()) is not None:
            self._offered.add(slot)
            if not self.child.send(Offer(slot=slot)):
                return

    # ChildHandler

    def up(self, message: Up) -> None:
        assert isinstance(message, CameraUp)
        self._count.begin()
        try:
            self._rig.check(self.plan.view, message.report)
        except ConfigError as error:  # it is there, and is not the camera that was calibrated: it gives no frames
            self.trouble, self._detail = error, str(error)
            self.settled.set()
            self._rig.changed(f"camera {self.plan.view} refused", str(error))
            return
        self.report = message.report
        self.trouble = None
        self._detail = ""
        self.settled.set()
        self._rig.changed(f"camera {self.plan.view} connected", message.report.serial)
        self.refill()

    def heard(self, message: object) -> None:
        self._heard(message)
        self._reconcile(message)

    def _reconcile(self, message: object) -> None:
        match message:
            case Captured(notice=look) | Missed(missed=look):
                if disagreement := self._count.take(look):
                    self._rig.changed(f"camera {self.plan.view} triggers do not add up", disagreement)

    def _heard(self, message: object) -> None:
        match message:
            case Captured(number=0, slot=slot, notice=notice):
                self._offered.discard(slot)
                self._frames += 1
                look = FrameReference(pool=self.plan.pool.name, slot=slot, notice=notice)
                self._rig.arrived(self.plan.view, look, notice.captured_mono_ns)
            case Missed(number=0, slot=slot, missed=missed, mono_ns=mono_ns):
                if slot is not None:
                    self._offered.discard(slot)
                    self.plan.pool.release(slot)
                self._missed += 1
                self._rig.arrived(self.plan.view, missed, mono_ns)
            case Captured(number=number, slot=slot, notice=notice):
                self._settle(number, FrameReference(pool=self.plan.pool.name, slot=slot, notice=notice))
            case Missed(number=number, missed=missed):
                self._settle(number, missed)
            case Gone(number=number, why=why):
                self._settle(number, MissedFrame(view=self.plan.view, reason=Reason.CAMERA_LOST, detail=why))
            case SourceEnded(number=number):
                self.ended = True
                if number:
                    detail = "the camera's source has ended"
                    self._settle(number, MissedFrame(view=self.plan.view, reason=Reason.NO_FRAME, detail=detail))
                self._rig.source_ended()

    def down(self, why: str, error: LinesideError | None) -> None:
        self.report = None
        self.trouble = error or CameraLost(f"camera process of view {self.plan.view}: {why}")
        self._detail = why
        for number in list(self._pending):
            self._settle(number, MissedFrame(view=self.plan.view, reason=Reason.CAMERA_LOST, detail=why))
        for slot in self._offered:
            self.plan.pool.release(slot)
        self._offered.clear()
        self.settled.set()
        self._rig.changed(f"camera {self.plan.view} lost", why)

    def patient_until_mono_ns(self) -> int:
        return max((pending.patient_until_mono_ns for pending in self._pending.values()), default=0)

    def status(self) -> CameraStatus:
        return CameraStatus(
            view=self.plan.view,
            backend=self.plan.backend,
            serial=self.report.serial if self.report else "",
            model=self.report.model if self.report else "",
            connected=self.report is not None,
            detail=self._detail,
            frames=self._frames,
            missed=self._missed,
            triggers_ignored=self._count.ignored,
            triggers_unexplained=self._count.unexplained,
            restarts=self.child.restarts,
            settings=dict(self.report.settings) if self.report else {},
        )


class Rig:
    """All cameras of the station. Lives on the station's event loop."""

    def __init__(
        self,
        plans: Mapping[str, CameraPlan],
        *,
        join_ms: int,
        check: Callable[[str, CameraReport], None] = lambda view, report: None,
        on_change: Callable[[str, str], None],
        on_end: Callable[[], None],
    ) -> None:
        """`check` is asked at every connection, by view; it raises ConfigError for a camera that must not be used."""
        self._seats = {view: _CameraSeat(plan, self) for view, plan in plans.items()}
        self._joining = Joining(frozenset(plans), join_ms=join_ms, why_lost=self._why_lost)
        self._room: Callable[[], int] | None = None
        self.check = check
        self._on_arrival: Callable[[Arrival], None] = lambda arrival: None
        self._on_end = on_end
        self.changed = on_change

    async def start(self) -> None:
        """Starts all cameras and waits until each is connected or in trouble.

        Raises: ConfigError when a camera cannot be what was declared. A camera that is merely absent is sought on.
        """
        for seat in self._seats.values():
            seat.child.start()
        for seat in self._seats.values():
            await seat.settled.wait()
            if seat.trouble is not None and not isinstance(seat.trouble, CameraLost):
                raise seat.trouble

    def begin(self, *, on_arrival: Callable[[Arrival], None], room: Callable[[], int]) -> None:
        """Lets cameras that set the pace deliver: until now their frames were nobody's part.

        `room` says for how many more parts there is room; a camera that loses nothing by waiting gets no more slots.
        """
        self._on_arrival, self._room = on_arrival, room
        self.refill()

    async def stop(self) -> None:
        """Ends all camera processes; what they owed is missed."""
        await asyncio.gather(*(seat.child.stop() for seat in self._seats.values()))
        for seat in self._seats.values():
            seat.down("the station is stopping", None)

    async def capture(self, number: int, due_mono_ns: int) -> Captures:
        """Asks every camera to look at the part of that trigger."""
        looks = await asyncio.gather(*(seat.capture(number, due_mono_ns) for seat in self._seats.values()))
        return dict(zip(self._seats, looks, strict=True))

    def refill(self) -> None:
        """Called whenever a slot or a place in flight became free."""
        for seat in self._seats.values():
            seat.refill()

    @property
    def begun(self) -> bool:
        """True from `begin` on."""
        return self._room is not None

    def room_for_waiting(self, view: str) -> int:
        """How many slots a camera that loses nothing by waiting may have: it waits, so that no part is late.

        One for each part that lacks only its view, and one for each part that there is room for.
        """
        return self._joining.lacking(view) + self._room() if self._room else 0

    def why_not_ready(self) -> str:
        """Empty when all cameras are connected."""
        lost = [f"camera {view}: {seat.status().detail}" for view, seat in self._seats.items() if seat.report is None]
        return "; ".join(lost)

    def status(self) -> tuple[CameraStatus, ...]:
        return tuple(seat.status() for seat in self._seats.values())

    def reports(self) -> Mapping[str, CameraReport]:
        """What each connected camera really is."""
        return {view: seat.report for view, seat in self._seats.items() if seat.report is not None}

    def arrived(self, view: str, look: Look, mono_ns: int) -> None:
        """A camera delivered a look at its own pace: it joins the part that it belongs to, or is a new part."""
        placed, arrival = (Placed.TOO_LATE, None) if self._room is None else self._joining.place(view, look, mono_ns)
        if placed is Placed.TOO_LATE:
            if isinstance(look, FrameReference):
                self._seats[view].plan.pool.release(look.slot)
            if arrival is not None:
                self.changed(f"frame of view {view} late", "its part had waited as long as join_ms allows")
        elif placed is Placed.NEW_PART and arrival is not None:
            self._on_arrival(arrival)
        self.refill()  # the other views of this part need a slot each

    def _why_lost(self, view: str) -> str:
        seat = self._seats[view]
        return "" if seat.report is not None else seat.status().detail

    def source_ended(self) -> None:
        """A finite camera has delivered its last frame."""
        if all(seat.ended for seat in self._seats.values()):
            self._on_end()
