"""The handshake with a PLC: a state machine without I/O, the same for every fieldbus. Drawn in docs/plc.md.

The PLC's bits are levels, held until they are answered. Two loops run side by side: acquisition (may the next part
come?) and inspection (may this result be used?). Whatever the PLC does too early, late, twice or never, only a PASS
that is fresh and belongs to the acquisition id beside it is ever shown as PASS.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lineside.bridges.plc import (
    Abandon,
    Command,
    Control,
    Controls,
    Display,
    Effect,
    FaultCode,
    LoadRecipe,
    PartAtTrigger,
    RecordMissed,
    Release,
    Result,
    RunSelfTest,
    StationView,
    Status,
    TakeTrigger,
)
from lineside.bridges.result_queue import ResultQueue
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

__all__ = ["QUEUE_LENGTH", "Handshake", "HandshakeOptions"]

QUEUE_LENGTH = 8
"""Results that may be under way or wait; as In-Sight's buffer. Without BUFFER_ENABLE it is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HandshakeOptions:
    """The times of the handshake."""

    ack_timeout_ns: int = 2_000_000_000
    plc_silent_ns: int = 1_500_000_000
    heartbeat_ns: int = 100_000_000
    answer_timeout_ns: int = 5_000_000_000
    """How long a verdict is waited for where the PLC gave no deadline."""
    exposure_stays: bool = False
    """EXPOSURE_DONE falls by CLEAR_EXPOSURE only, not at the next trigger."""
    plc_triggers: bool = True
    """False where the station's camera or takt triggers it: the PLC takes results, and no trigger of its is taken."""


class _CommandState(enum.Enum):
    IDLE = enum.auto()
    BUSY = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


@dataclass(slots=True)
class _UnderWay:
    part: PartAtTrigger
    triggered_mono_ns: int
    wait_until_mono_ns: int
    taken: bool = False
    plc_lost: bool = False
    early: Result | None = None
    """The result, where it came before the trigger was acknowledged."""


class Handshake:
    """One PLC. Every method says what has happened at `now_ns` (monotonic) and returns what is to be done.

    `restored` are results of an earlier start that the PLC has not acknowledged, already spoilt: they are shown first.
    """

    def __init__(
        self,
        *,
        boot_id: int,
        last_acquisition_id: int = 0,
        restored: Iterable[Result] = (),
        options: HandshakeOptions | None = None,
        now_ns: int = 0,
    ) -> None:
        self._boot_id = boot_id
        self._options = options or HandshakeOptions()
        self._queue = ResultQueue(restored, ack_timeout_ns=self._options.ack_timeout_ns)
        self._acquisition_id = last_acquisition_id
        self._under_way: dict[int, _UnderWay] = {}
        self._requested: int | None = None
        self._trigger_acked = False
        self._exposed = False
        self._controls = Controls()
        self._station = StationView()
        self._heard_mono_ns: int | None = None
        self._command = _CommandState.IDLE
        self._self_test_ok = False
        self._acquisition_error = self._overrun = False
        self._latched = FaultCode.NONE
        self._durable = True
        self._beat, self._beat_mono_ns = 0, now_ns
        self._seen = self._triggers = self._missed = self._dropped = 0

    # What happens.

    def plc(self, controls: Controls, now_ns: int) -> list[Effect]:
        """The PLC has written. The whole write counts as one moment."""
        effects = self.tick(now_ns)
        was_ready, before, self._controls = self._ready, self._controls, controls
        if controls.heartbeat != before.heartbeat:
            self._heard_mono_ns = now_ns
        rose, now_on = controls.bits & ~before.bits, controls.bits
        if now_on & Control.CLEAR_ERROR or before.bits & ~now_on & Control.TRIGGER_ENABLE:
            self._acquisition_error = self._overrun = False
            self._latched = FaultCode.NONE
        if now_on & Control.CLEAR_EXPOSURE:
            self._exposed = False
        if not now_on & Control.TRIGGER:
            self._trigger_acked = False
        if rose & Control.TRIGGER:
            effects += self._triggered(was_ready, now_ns)
        if not now_on & Control.EXECUTE and self._command is not _CommandState.BUSY:
            self._command = _CommandState.IDLE
        if rose & Control.EXECUTE and self._command is _CommandState.IDLE:
            effects += self._execute()
        return effects + self._settle(now_ns)

    def tick(self, now_ns: int) -> list[Effect]:
        """Time has passed. Call it at least every heartbeat period, and before the PLC reads."""
        if now_ns - self._beat_mono_ns >= self._options.heartbeat_ns:
            self._beat, self._beat_mono_ns = (self._beat + 1) & 0xFFFF, now_ns
        if self._heard_mono_ns is not None and now_ns - self._heard_mono_ns > self._options.plc_silent_ns:
            self._heard_mono_ns = None
            self._queue.spoil_all(Reason.PLC_LOST)
            for waiting in self._under_way.values():
                waiting.plc_lost = True
        for waiting in [each for each in self._under_way.values() if each.taken]:
            if now_ns > waiting.wait_until_mono_ns:
                lost = Result(acquisition_id=waiting.part.acquisition_id, outcome=Outcome.NOT_INSPECTED)
                self._finish(waiting, lost.not_inspected(Reason.DUE_TIME), now_ns)
        return self._settle(now_ns)

    def station(self, view: StationView, now_ns: int) -> list[Effect]:
        """The station is now like this."""
        self._station = view
        return self._settle(now_ns)

    def durable(self, works: bool, now_ns: int) -> list[Effect]:
        """Whether what must survive a restart can be written down."""
        self._durable = works
        return self._settle(now_ns)

    def taken(self, acquisition_id: int, now_ns: int) -> list[Effect]:
        """The station has accepted the trigger, and the part is written down."""
        waiting = self._under_way[acquisition_id]
        self._requested = None
        waiting.taken = True
        self._triggers += 1
        self._acquisition_error = False  # as of the next good acquisition
        self._trigger_acked = bool(self._controls.bits & Control.TRIGGER)
        if waiting.early is not None:
            self._finish(waiting, waiting.early, now_ns)
        return self._settle(now_ns)

    def not_taken(self, acquisition_id: int, now_ns: int) -> list[Effect]:
        """The station did not accept the trigger, or not in time, or the part could not be written down."""
        waiting = self._under_way.pop(acquisition_id)
        self._requested = None
        missed = self._miss(waiting.part, FaultCode.TRIGGER_REFUSED)
        return [missed, *self._settle(now_ns)]

    def told(self, result: Result, now_ns: int) -> list[Effect]:
        """A verdict has arrived. One that is no longer waited for changes nothing."""
        waiting = self._under_way.get(result.acquisition_id)
        if waiting is not None and waiting.taken:
            self._finish(waiting, result, now_ns)
        elif waiting is not None:
            waiting.early = result
        return self._settle(now_ns)

    def came(self, result: Result, fresh_until_mono_ns: int, now_ns: int) -> list[Effect]:
        """A verdict has arrived of a part that the station triggered itself.

        Where the queue has no room it is given up, and OVERRUN says so: what waits is never overwritten.
        """
        self._acquisition_id = result.acquisition_id
        self._exposed = True
        self._triggers += 1
        if self._room == 0:
            self._overrun, self._latched = True, FaultCode.QUEUE_FULL
            self._dropped += 1
            return self._settle(now_ns)
        result = replace(result, slack_ms=(fresh_until_mono_ns - now_ns) // 1_000_000)
        if self._heard_mono_ns is None and result.outcome is not Outcome.NOT_INSPECTED:
            result = result.not_inspected(Reason.PLC_LOST)
        self._queue.add(result, fresh_until_mono_ns)
        return self._settle(now_ns)

    def released(self, acquisition_id: int, now_ns: int) -> list[Effect]:
        """It is written down that the PLC has the result."""
        shown = self._queue.shown
        assert shown is not None and shown.acquisition_id == acquisition_id, (shown, acquisition_id)
        self._queue.released()
        return self._settle(now_ns)

    def command_ended(self, fault: FaultCode, now_ns: int, *, self_test_ok: bool | None = None) -> list[Effect]:
        """The command has ended, well where `fault` is NONE."""
        if self_test_ok is not None:
            self._self_test_ok = self_test_ok
        self._end_command(fault)
        return self._settle(now_ns)

    # What is shown.

    @property
    def display(self) -> Display:
        """What the PLC sees now, in one piece."""
        shown, view, queue = self._queue.shown, self._station, self._queue
        told = shown or Result(acquisition_id=0, outcome=Outcome.UNSPECIFIED)
        return Display(
            status=self._status(),
            vision_heartbeat=self._beat,
            acquisition_id=self._acquisition_id,
            result_acquisition_id=told.acquisition_id,
            result_part_id=told.part_id,
            result_encoder_count=told.encoder_count or 0,
            verdict=told.outcome,
            reason=told.reason,
            defect_class=told.defect_class,
            score_x1000=told.score_x1000,
            processing_ms=told.processing_ms,
            slack_ms=told.slack_ms,
            recipe_current=view.recipe_number,
            recipe_used=told.recipe_used,
            config_fingerprint=view.config_fingerprint,
            queue_free=self._room,
            fault_code=self._fault_code,
            triggers=self._triggers,
            passed=queue.acknowledged[Outcome.PASS],
            failed=queue.acknowledged[Outcome.FAIL],
            not_inspected=queue.acknowledged[Outcome.NOT_INSPECTED],
            missed=self._missed,
            boot_id=self._boot_id,
            results_waiting=len(queue),
            results_shown=queue.shown_count,
            acknowledged=queue.acknowledged.total(),
            dropped=self._dropped,
            late=queue.late,
        )

    def _status(self) -> Status:
        online = self._station.connected and not self._controls.bits & Control.OFFLINE_REQUEST
        fault = self._fault is not FaultCode.NONE
        newest = self._under_way.get(self._acquisition_id)
        shown = {
            Status.ONLINE: online,
            Status.TRIGGER_READY: self._ready,
            Status.TRIGGER_ACK: self._trigger_acked,
            Status.ACQUIRING: newest is not None,
            Status.EXPOSURE_DONE: self._exposed,
            Status.BUSY: bool(self._under_way) or self._command is _CommandState.BUSY,
            Status.RESULTS_VALID: self._queue.shown is not None,
            Status.OVERRUN: self._overrun,
            Status.ACQUISITION_ERROR: self._acquisition_error,
            Status.COMMAND_BUSY: self._command is _CommandState.BUSY,
            Status.COMMAND_DONE: self._command is _CommandState.DONE,
            Status.COMMAND_FAILED: self._command is _CommandState.FAILED,
            Status.WARNING: self._queue.ack_overdue,
            Status.FAULT: fault,
            Status.SELF_TEST_OK: self._self_test_ok,
            Status.PAUSED_BY_OPERATOR: self._station.paused,
        }
        return Status(sum(flag for flag, on in shown.items() if on))

    @property
    def _ready(self) -> bool:
        bits = self._controls.bits
        return (
            bits & (Control.TRIGGER_ENABLE | Control.TRIGGER | Control.OFFLINE_REQUEST) == Control.TRIGGER_ENABLE
            and self._fault is FaultCode.NONE
            and not self._station.paused
            and self._heard_mono_ns is not None
            and self._command is not _CommandState.BUSY
            and self._requested is None
            and self._room > 0
        )

    @property
    def _room(self) -> int:
        length = QUEUE_LENGTH if self._controls.bits & Control.BUFFER_ENABLE else 1
        return max(0, length - len(self._under_way) - len(self._queue))

    @property
    def _fault(self) -> FaultCode:
        if not self._station.connected:
            return FaultCode.STATION_UNREACHABLE
        if not self._station.ready and not self._station.paused:
            return FaultCode.STATION_NOT_READY
        return FaultCode.NONE if self._durable else FaultCode.STATE_NOT_DURABLE

    @property
    def _fault_code(self) -> FaultCode:
        if self._fault or self._latched:
            return self._fault or self._latched
        if self._queue.ack_overdue:
            return FaultCode.ACK_OVERDUE
        return FaultCode.PLC_SILENT if self._heard_mono_ns is None else FaultCode.NONE

    # How it goes on.

    def _triggered(self, was_ready: bool, now_ns: int) -> list[Effect]:
        asked = self._controls
        self._seen += 1
        if not self._options.plc_triggers:
            self._refuse_trigger(FaultCode.TRIGGERED_ELSEWHERE)
            return []  # no part is lost: the camera sees it in any case
        part = PartAtTrigger(
            number=self._seen,
            acquisition_id=self._next_acquisition_id() if was_ready else 0,
            part_id=asked.part_id,
            serial=asked.serial,
            encoder_count=asked.encoder_count,
            deadline_ms=asked.deadline_ms,
        )
        if not was_ready:
            full = self._room == 0
            self._overrun = self._overrun or full
            return [self._miss(part, FaultCode.QUEUE_FULL if full else FaultCode.TRIGGER_NOT_READY)]
        self._acquisition_id = self._requested = part.acquisition_id
        self._exposed = self._exposed and self._options.exposure_stays
        wait_ns = part.deadline_ms * 1_000_000 or self._options.answer_timeout_ns
        self._under_way[part.acquisition_id] = _UnderWay(part, now_ns, now_ns + wait_ns)
        return [TakeTrigger(part=part)]

    def _miss(self, part: PartAtTrigger, why: FaultCode) -> RecordMissed:
        self._refuse_trigger(why)
        return RecordMissed(part=part)

    def _refuse_trigger(self, why: FaultCode) -> None:
        self._missed += 1
        self._acquisition_error = True
        self._latched = why

    def _next_acquisition_id(self) -> int:
        waiting = self._under_way.keys() | set(self._queue.acquisition_ids())
        following = self._acquisition_id
        while (following := following % 0xFFFF + 1) in waiting:
            pass  # ids wrap; one that is still waited for is not given away again
        return following

    def _finish(self, waiting: _UnderWay, result: Result, now_ns: int) -> None:
        part = waiting.part
        del self._under_way[part.acquisition_id]
        if part.acquisition_id == self._acquisition_id:
            self._exposed = True
        due_mono_ns = waiting.triggered_mono_ns + result.due_ns if result.due_ns else waiting.wait_until_mono_ns
        result = replace(
            result,
            part_id=part.part_id,
            encoder_count=part.encoder_count,
            slack_ms=(due_mono_ns - now_ns) // 1_000_000,
        )
        if waiting.plc_lost and result.outcome is not Outcome.NOT_INSPECTED:
            result = result.not_inspected(Reason.PLC_LOST)
        self._queue.add(result, due_mono_ns)

    def _execute(self) -> list[Effect]:
        self._command = _CommandState.BUSY
        match self._controls.command:
            case Command.LOAD_RECIPE:
                return [LoadRecipe(recipe_number=self._controls.recipe_number)]
            case Command.SELF_TEST:
                return [RunSelfTest()]
            case Command.CLEAR_QUEUE | Command.ABORT as command:
                given_up = list(self._queue.clear())
                if command == Command.ABORT:
                    given_up += [number for number, each in self._under_way.items() if each.taken]
                    self._under_way = {number: each for number, each in self._under_way.items() if not each.taken}
                self._dropped += len(given_up)
                self._end_command(FaultCode.NONE)
                return [Abandon(acquisition_ids=tuple(given_up))]
            case _:
                self._end_command(FaultCode.UNKNOWN_COMMAND)
                return []

    def _end_command(self, fault: FaultCode) -> None:
        if fault:
            self._latched = fault
        held = self._controls.bits & Control.EXECUTE
        ended = _CommandState.FAILED if fault else _CommandState.DONE
        self._command = ended if held else _CommandState.IDLE

    def _settle(self, now_ns: int) -> list[Effect]:
        release = self._queue.settle(ack=bool(self._controls.bits & Control.RESULTS_ACK), now_ns=now_ns)
        return [] if release is None else [Release(acquisition_id=release)]
