"""The simulated PLC's program: one call for each scan, without I/O. What it knows of the station came over the bridge.

It numbers the parts, triggers each while it is in view, tracks it to the gate, and lets it through only for a PASS of
that very part. It trusts nothing that it has not seen: a trigger that was acknowledged when the part had left the
view may have photographed its neighbour.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from lineside.bridges.plc import Control, Status
from lineside.bridges.tracking import Decision, Layout, Tracker, Why, due_ms, nearest
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

__all__ = ["Answer", "Plc", "PlcSettings", "ScanInput", "ScanOutput"]

_VISION_SILENT_S = 1.0
_DUE_MAX_MS = 0xFFFF
_ENABLED = Control.TRIGGER_ENABLE | Control.BUFFER_ENABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class PlcSettings:
    """What a line engineer would set. The way back takes `margin_ms`: from the verdict to the gate's output."""

    layout: Layout
    counts_per_s: float
    view_counts: int
    """How far a part may run from the trigger sensor until its picture is taken."""
    margin_ms: int = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanInput:
    """The inputs of one scan. Counts are raw, latched by the input module when the edge came, in order.

    `registers` is what the last exchange with the bridge brought, by name, with what the PLC has written as the bridge
    holds it; None while there is no connection.
    """

    now_s: float
    count: int
    triggered: tuple[int, ...] = ()
    arrived: tuple[int, ...] = ()
    registers: Mapping[str, int | str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the bridge showed for a part."""

    part_id: int
    verdict: int
    reason: int

    def __str__(self) -> str:
        outcomes, reasons = {int(each): each.name for each in Outcome}, {int(each): each.name for each in Reason}
        name = outcomes.get(self.verdict, str(self.verdict))
        return name if self.reason == Reason.NONE else f"{name} {reasons.get(self.reason, self.reason)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanOutput:
    """The outputs of one scan. `numbered` are the ids given to `triggered`, one for each."""

    control: Mapping[str, int]
    accept: bool
    ready: bool
    numbered: tuple[int, ...] = ()
    decided: tuple[Decision, ...] = ()
    answers: tuple[Answer, ...] = ()


class _Step(enum.Enum):
    IDLE = enum.auto()
    ASKED = enum.auto()
    RELEASED = enum.auto()


@dataclass(frozen=True, slots=True)
class _Waiting:
    part_id: int
    count: int


class Plc:
    """Begins with an empty memory. Part ids count up from `first_part_id`: never take one that was used before."""

    def __init__(self, settings: PlcSettings, *, count: int, first_part_id: int, belt_empty: bool) -> None:
        self._settings = settings
        self._tracker = Tracker(settings.layout, count=count, belt_empty=belt_empty)
        self._next_part_id = first_part_id
        self._waiting: deque[_Waiting] = deque()
        self._refused: list[Decision] = []
        self._step = _Step.IDLE
        self._asked: _Waiting | None = None
        self._why_waiting = "no connection to the bridge"
        self._acknowledging = False
        self._clearing_error = False
        self._heartbeat = 0
        self._vision_beat: tuple[int | str, float] = (-1, 0.0)
        self._boot_id: int | str = 0
        self._trigger_words: dict[str, int] = {"part_id": 0, "encoder_count": 0, "deadline_ms": 0}

    @property
    def tracked(self) -> tuple[int, ...]:
        """The part ids between trigger and gate."""
        return self._tracker.part_ids

    def scan(self, inputs: ScanInput) -> ScanOutput:
        """One scan: inputs, program, outputs."""
        numbered = tuple(self._number(count) for count in inputs.triggered)
        for count in inputs.arrived:
            self._tracker.arrival(count)
        registers = inputs.registers if self._vision_lives(inputs) else None
        answers: tuple[Answer, ...] = ()
        if registers is not None:
            if registers["boot_id"] != self._boot_id:  # another bridge: it knows nothing of what we hold
                self._boot_id = registers["boot_id"]
                self._step, self._acknowledging = _Step.RELEASED, False
            answers = self._results(registers)
        self._acquire(registers, inputs.count)
        image = self._tracker.scan(inputs.count)
        refused, self._refused = tuple(self._refused), []
        self._heartbeat = (self._heartbeat + 1) & 0xFFFF
        ready = registers is not None and bool(int(registers["status"]) & Status.TRIGGER_READY)
        return ScanOutput(
            control=self._control(),
            accept=image.accept,
            ready=ready,
            numbered=numbered,
            decided=(*refused, *image.decided),
            answers=answers,
        )

    def _number(self, count: int) -> int:
        part_id, self._next_part_id = self._next_part_id, self._next_part_id % 0xFFFF_FFFF + 1
        if not self._tracker.trigger(part_id, count):
            self._refused.append(Decision(part_id=part_id, accepted=False, why=Why.SECOND_TRIGGER))
        self._waiting.append(_Waiting(part_id, count))
        return part_id

    def _vision_lives(self, inputs: ScanInput) -> bool:
        if inputs.registers is None:
            return False
        beat = inputs.registers["vision_heartbeat"]
        if beat != self._vision_beat[0]:
            self._vision_beat = (beat, inputs.now_s)
        return inputs.now_s - self._vision_beat[1] < _VISION_SILENT_S

    # The inspection loop: take each result once, and acknowledge it.

    def _results(self, registers: Mapping[str, int | str]) -> tuple[Answer, ...]:
        valid = bool(int(registers["status"]) & Status.RESULTS_VALID)
        if not valid:
            self._acknowledging = False
        if not valid or self._acknowledging:
            return ()
        self._acknowledging = True
        answer = Answer(
            part_id=int(registers["result_part_id"]),
            verdict=int(registers["verdict"]),
            reason=int(registers["reason"]),
        )
        self._tracker.verdict(answer.part_id, passed=answer.verdict == Outcome.PASS)
        return (answer,)

    # The acquisition loop: have each part photographed while it is in view.

    def _acquire(self, registers: Mapping[str, int | str] | None, count: int) -> None:
        status = Status(int(registers["status"])) if registers is not None else Status(0)
        if self._step is _Step.ASKED and self._asked is not None:
            self._await_acknowledge(self._asked, registers, status, count)
        if self._step is _Step.RELEASED and registers is not None:
            low = not int(registers["control"]) & Control.TRIGGER  # a drop that was never written is none
            if low and not status & Status.TRIGGER_ACK:
                self._step = _Step.IDLE
        self._clearing_error = bool(status & Status.ACQUISITION_ERROR) and self._step is not _Step.ASKED
        while self._waiting and self._has_left_view(self._waiting[0], count):
            part = self._waiting.popleft()
            self._tracker.reject(part.part_id, f"not triggered while in view: {self._why_waiting}")
        if registers is None:
            self._why_waiting = "no connection to the bridge"
        elif self._step is not _Step.IDLE:
            self._why_waiting = "the trigger before was still under way"
        elif not status & Status.TRIGGER_READY or self._clearing_error:
            self._why_waiting = "the bridge was not ready"
        elif self._waiting:
            self._ask(self._waiting.popleft(), count)

    def _ask(self, part: _Waiting, count: int) -> None:
        settings = self._settings
        due = due_ms(
            settings.layout,
            counts_per_s=settings.counts_per_s,
            travelled_counts=self._travelled(part, count),
            margin_ms=settings.margin_ms,
        )
        if due < 1:
            self._tracker.reject(part.part_id, "not triggered: the last safe moment was too near")
            return
        self._trigger_words = {
            "part_id": part.part_id,
            "encoder_count": part.count,
            "deadline_ms": min(due, _DUE_MAX_MS),
        }
        self._asked, self._step = part, _Step.ASKED

    def _await_acknowledge(
        self, part: _Waiting, registers: Mapping[str, int | str] | None, status: Status, count: int
    ) -> None:
        left_view = self._has_left_view(part, count)
        written = registers is not None and registers["part_id"] == part.part_id
        if written and status & Status.TRIGGER_ACK:
            if left_view:
                self._tracker.reject(part.part_id, "acknowledged when it had left the view: perhaps not its picture")
        elif written and status & Status.ACQUISITION_ERROR:
            self._tracker.reject(part.part_id, "the bridge did not take the trigger")
        elif left_view:
            self._tracker.reject(part.part_id, "the trigger was not acknowledged while in view")
        else:
            return
        self._asked, self._step = None, _Step.RELEASED

    def _has_left_view(self, part: _Waiting, count: int) -> bool:
        return not 0 <= self._travelled(part, count) <= self._settings.view_counts

    def _travelled(self, part: _Waiting, count: int) -> int:
        return nearest(count, part.count, self._settings.layout.bits) - part.count

    def _control(self) -> dict[str, int]:
        bits = _ENABLED
        if self._step is _Step.ASKED:
            bits |= Control.TRIGGER
        if self._acknowledging:
            bits |= Control.RESULTS_ACK
        if self._clearing_error:
            bits |= Control.CLEAR_ERROR
        return {"control": bits, "plc_heartbeat": self._heartbeat, **self._trigger_words}
