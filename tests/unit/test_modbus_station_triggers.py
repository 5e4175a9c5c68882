"""The inspection loop alone: a station that triggers itself, and a PLC that takes or does not take its results."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lineside.bridges.handshake import QUEUE_LENGTH, Handshake, HandshakeOptions
from lineside.bridges.plc import (
    Abandon,
    Command,
    Control,
    Controls,
    Effect,
    FaultCode,
    Release,
    Result,
    StationView,
    Status,
)
from lineside.bridges.seen_parts import acquisition_id_of
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

MS = 1_000_000
SILENT_MS = 100


class Line(RuleBasedStateMachine):
    """Verdicts come when they come; the PLC acknowledges, clears, falls silent and comes back as it likes."""

    @initialize()
    def begin(self) -> None:
        self.now = 10_000 * MS
        options = HandshakeOptions(ack_timeout_ns=50 * MS, plc_silent_ns=SILENT_MS * MS, plc_triggers=False)
        self.handshake = Handshake(boot_id=1, options=options, now_ns=self.now)
        self.handshake.station(StationView(connected=True, ready=True), self.now)
        self.controls = Controls()
        self.came: dict[int, tuple[Outcome, int]] = {}  # by trigger number: what, and until when it is fresh
        self.open: list[int] = []  # in the order in which they must be shown
        self.given_up = self.acknowledged = 0
        self.to_release: int | None = None

    @rule(outcome=st.sampled_from([Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED]), ms=st.integers(-5, 300))
    def verdict_comes(self, outcome: Outcome, ms: int) -> None:
        number, room = len(self.came) + 1, self.handshake.display.queue_free
        self.came[number] = outcome, self.now + ms * MS
        if room:
            self.open.append(number)
        else:
            self.given_up += 1
        result = Result(acquisition_id=acquisition_id_of(number), part_id=number, outcome=outcome)
        self._note(self.handshake.came(result, self.now + ms * MS, self.now))
        assert room or Status.OVERRUN in self.handshake.display.status

    @rule(bits=st.integers(0, 255), beat=st.booleans(), command=st.sampled_from([Command.CLEAR_QUEUE, Command.ABORT]))
    def plc_writes_anything(self, bits: int, beat: bool, command: int) -> None:
        self._write(Control(bits), beat, command)

    @rule()
    def plc_takes_results_as_it_should(self) -> None:
        valid = Status.RESULTS_VALID in self.handshake.display.status
        on = Control.TRIGGER_ENABLE | Control.BUFFER_ENABLE | (Control.RESULTS_ACK if valid else Control(0))
        self._write(on, True, 0)

    @rule(ms=st.sampled_from([1, 10, 60, 150]))
    def time_passes(self, ms: int) -> None:
        self.now += ms * MS
        self._note(self.handshake.tick(self.now))

    @precondition(lambda self: self.to_release is not None)
    @rule()
    def release(self) -> None:
        number, self.to_release = self.to_release, None
        assert number is not None
        self.open.remove(number)
        self.acknowledged += 1
        self._note(self.handshake.released(acquisition_id_of(number), self.now))

    @invariant()
    def a_pass_is_fresh_and_the_oldest_that_waits(self) -> None:
        shown = self.handshake.display
        if Status.RESULTS_VALID not in shown.status:
            assert (shown.verdict, shown.result_part_id) == (0, 0)
            return
        assert shown.result_part_id == self.open[0]
        outcome, fresh_until = self.came[shown.result_part_id]
        if shown.verdict == Outcome.PASS:
            assert outcome is Outcome.PASS
            assert self.now <= fresh_until or self.to_release == shown.result_part_id

    @invariant()
    def every_verdict_is_accounted_for(self) -> None:
        shown = self.handshake.display
        assert shown.triggers == len(self.came)
        assert (shown.acknowledged, shown.dropped) == (self.acknowledged, self.given_up)
        assert shown.results_waiting == len(self.open) <= QUEUE_LENGTH

    @invariant()
    def nothing_of_the_acquisition_loop_is_shown(self) -> None:
        assert not self.handshake.display.status & (Status.TRIGGER_ACK | Status.ACQUIRING)

    def _write(self, bits: Control, beat: bool, command: int) -> None:
        rose = bits & ~self.controls.bits & Control.TRIGGER
        missed = self.handshake.display.missed
        self.controls = Controls(bits=bits, heartbeat=self.controls.heartbeat + beat, command=command)
        self._note(self.handshake.plc(self.controls, self.now))
        assert self.handshake.display.missed == missed + bool(rose)

    def _note(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Release(acquisition_id=number):
                    assert Control.RESULTS_ACK in self.controls.bits
                    self.to_release = number
                case Abandon(acquisition_ids=numbers):
                    self.given_up += len(numbers)
                    self.open = [number for number in self.open if number not in numbers]
                case _:
                    raise AssertionError(f"the station triggers itself: {effect}")


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


@pytest.fixture
def handshake() -> Handshake:
    made = Handshake(boot_id=1, options=HandshakeOptions(plc_triggers=False), now_ns=0)
    made.station(StationView(connected=True, ready=True), 0)
    return made


def write(handshake: Handshake, bits: Control, now_ns: int = 0, beat: int = 1) -> list[Effect]:
    return handshake.plc(Controls(bits=bits, heartbeat=beat), now_ns)


def test_ready_needs_the_enable_bit_and_room_for_a_result(handshake: Handshake) -> None:
    assert Status.TRIGGER_READY not in handshake.display.status
    write(handshake, Control.TRIGGER_ENABLE)
    assert Status.TRIGGER_READY in handshake.display.status

    handshake.came(Result(acquisition_id=1, part_id=1, outcome=Outcome.PASS), 10_000 * MS, 0)

    assert Status.TRIGGER_READY not in handshake.display.status, "without BUFFER_ENABLE there is room for one"
    assert Status.EXPOSURE_DONE in handshake.display.status


def test_a_trigger_of_the_plc_is_an_error_with_its_own_code_and_loses_no_part(handshake: Handshake) -> None:
    effects = write(handshake, Control.TRIGGER_ENABLE | Control.TRIGGER)

    assert [] == effects
    assert Status.ACQUISITION_ERROR in handshake.display.status
    assert FaultCode.TRIGGERED_ELSEWHERE == handshake.display.fault_code


def test_what_comes_while_the_plc_is_silent_is_not_inspected(handshake: Handshake) -> None:
    handshake.came(Result(acquisition_id=1, part_id=1, outcome=Outcome.PASS), 60_000 * MS, 0)

    assert (Outcome.NOT_INSPECTED, Reason.PLC_LOST) == (handshake.display.verdict, handshake.display.reason)


def test_a_result_without_room_is_given_up_and_the_one_that_waits_stays(handshake: Handshake) -> None:
    write(handshake, Control.TRIGGER_ENABLE)
    for number, outcome in ((1, Outcome.FAIL), (2, Outcome.PASS)):
        handshake.came(Result(acquisition_id=number, part_id=number, outcome=outcome), 60_000 * MS, 0)
    shown = handshake.display

    assert (1, Outcome.FAIL, 1) == (shown.result_part_id, shown.verdict, shown.dropped)
    assert Status.OVERRUN in shown.status
    assert FaultCode.QUEUE_FULL == shown.fault_code


def test_acquisition_ids_are_trigger_numbers_in_sixteen_bits_without_zero() -> None:
    assert [1, 65_535, 1, 2] == [acquisition_id_of(number) for number in (1, 65_535, 65_536, 65_537)]
