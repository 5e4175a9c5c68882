"""A PLC that does everything too early, too late, twice or never, held against a plain model of what it may see."""

from __future__ import annotations

from dataclasses import dataclass

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
    LoadRecipe,
    RecordMissed,
    Release,
    Result,
    RunSelfTest,
    StationView,
    Status,
    TakeTrigger,
)
from lineside.core.verdict import Outcome

MS = 1_000_000
SILENT_MS, ANSWER_MS = 100, 400


@dataclass
class Part:
    """What the model knows of one trigger that was taken."""

    part_id: int
    triggered_ns: int
    told: Outcome | None = None
    fresh_until_ns: int = 0
    plc_was_silent: bool = False
    shown: int = 0
    finished: bool = False


class Adversary(RuleBasedStateMachine):
    """Bits, clocks and the station's answers in any order."""

    @initialize(last=st.sampled_from([0, 0xFFFD]))
    def begin(self, last: int) -> None:
        self.now = 10_000 * MS
        self.options = HandshakeOptions(
            ack_timeout_ns=50 * MS, plc_silent_ns=SILENT_MS * MS, answer_timeout_ns=ANSWER_MS * MS
        )
        self.handshake = Handshake(boot_id=1, last_acquisition_id=last, options=self.options, now_ns=self.now)
        self.controls = Controls()
        self.parts: dict[int, Part] = {}
        self.to_take: list[int] = []
        self.to_release: list[int] = []
        self.commands = 0
        self.taken = self.missed = 0
        self.last_heard_ns: int | None = None
        self.before: int | None = None
        self._station(StationView(connected=True, ready=True))

    # What may happen.

    @rule(
        bits=st.integers(0, 255),
        beat=st.booleans(),
        part_id=st.integers(0, 2**32 - 1),
        command=st.sampled_from([*Command, 9]),
        deadline_ms=st.sampled_from([0, 5, 200]),
    )
    def plc_writes_anything(self, bits: int, beat: bool, part_id: int, command: int, deadline_ms: int) -> None:
        self._write(Control(bits), beat, part_id, command, deadline_ms)

    @rule(part_id=st.integers(0, 2**32 - 1))
    def plc_triggers_as_it_should(self, part_id: int) -> None:
        on = Control.TRIGGER_ENABLE | Control.BUFFER_ENABLE
        self._write(on, True, part_id, 0, 0)
        self._write(on | Control.TRIGGER, True, part_id, 0, 0)

    @rule()
    def plc_acknowledges_as_it_should(self) -> None:
        if Status.RESULTS_VALID in self.handshake.display.status:
            self._write(self.controls.bits | Control.RESULTS_ACK, True, 0, 0, 0)
        else:
            self._write(self.controls.bits & ~Control.RESULTS_ACK, True, 0, 0, 0)

    @rule(ms=st.sampled_from([1, 10, 60, 150, 500]))
    def time_passes(self, ms: int) -> None:
        self.now += ms * MS
        self._after_silence()
        self._note(self.handshake.tick(self.now))

    @rule(connected=st.booleans(), ready=st.booleans(), paused=st.booleans())
    def station_changes(self, connected: bool, ready: bool, paused: bool) -> None:
        self._station(StationView(connected=connected, ready=ready, paused=paused))

    @rule()
    def station_is_well(self) -> None:
        self._station(StationView(connected=True, ready=True))

    @precondition(lambda self: self.to_take)
    @rule(accepted=st.booleans())
    def station_answers_the_trigger(self, accepted: bool) -> None:
        acquisition_id = self.to_take.pop(0)
        if accepted:
            self.taken += 1
            self._note(self.handshake.taken(acquisition_id, self.now))
        else:
            del self.parts[acquisition_id]
            self._note(self.handshake.not_taken(acquisition_id, self.now))

    @precondition(lambda self: self.parts)
    @rule(
        data=st.data(),
        outcome=st.sampled_from([Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED]),
        due_ms=st.sampled_from([5, 100, 10_000]),
    )
    def station_tells_a_verdict(self, data: st.DataObject, outcome: Outcome, due_ms: int) -> None:
        acquisition_id = data.draw(st.sampled_from(sorted(self.parts)))
        part = self.parts[acquisition_id]
        if part.told is None:
            part.told, part.fresh_until_ns = outcome, part.triggered_ns + due_ms * MS
            result = Result(acquisition_id=acquisition_id, outcome=outcome, due_ns=due_ms * MS)
            self._note(self.handshake.told(result, self.now))

    @rule(part_id=st.integers(0, 2**32 - 1), outcome=st.sampled_from([Outcome.PASS, Outcome.FAIL]))
    def a_part_passes_as_it_should(self, part_id: int, outcome: Outcome) -> None:
        self.plc_triggers_as_it_should(part_id)
        if len(self.to_take) == 1:
            number = self.to_take[0]
            self.station_answers_the_trigger(True)
            part = self.parts[number]
            if part.told is None:
                part.told, part.fresh_until_ns = outcome, part.triggered_ns + 10_000 * MS
                result = Result(acquisition_id=number, outcome=outcome, due_ns=10_000 * MS)
                self._note(self.handshake.told(result, self.now))

    @precondition(lambda self: self.to_release)
    @rule()
    def release_is_durable(self) -> None:
        acquisition_id = self.to_release.pop(0)
        self.parts[acquisition_id].finished = True
        self.before = None
        self._note(self.handshake.released(acquisition_id, self.now))

    @precondition(lambda self: self.commands)
    @rule(fault=st.sampled_from([FaultCode.NONE, FaultCode.RECIPE_REFUSED]))
    def command_ends(self, fault: FaultCode) -> None:
        self.commands -= 1
        self._note(self.handshake.command_ended(fault, self.now))

    # What must hold, always.

    @invariant()
    def a_pass_is_fresh_and_of_its_part(self) -> None:
        shown = self.handshake.display
        if Status.RESULTS_VALID not in shown.status:
            assert (shown.verdict, shown.result_acquisition_id, shown.result_part_id) == (0, 0, 0)
            return
        part = self.parts[shown.result_acquisition_id]
        assert shown.result_part_id == part.part_id
        assert shown.verdict in (1, 2, 3)
        if shown.verdict == Outcome.PASS:
            assert part.told is Outcome.PASS
            acknowledged = shown.result_acquisition_id in self.to_release
            assert acknowledged or (self.now <= part.fresh_until_ns and not part.plc_was_silent)

    @invariant()
    def what_is_shown_stays_until_it_is_acknowledged_and_comes_once(self) -> None:
        shown = self.handshake.display
        now = shown.result_acquisition_id if Status.RESULTS_VALID in shown.status else None
        if self.before is not None and not self.parts[self.before].finished:
            assert now == self.before
        if now is not None and now != self.before:
            self.parts[now].shown += 1
            assert self.parts[now].shown == 1 and not self.parts[now].finished
        self.before = now

    @invariant()
    def every_trigger_is_accounted_for(self) -> None:
        shown = self.handshake.display
        open_parts = [part for number, part in self.parts.items() if not part.finished and number not in self.to_take]
        assert (shown.triggers, shown.missed) == (self.taken, self.missed)
        assert shown.triggers == shown.acknowledged + shown.dropped + len(open_parts)
        assert shown.acknowledged == shown.passed + shown.failed + shown.not_inspected
        assert shown.results_waiting + shown.queue_free <= QUEUE_LENGTH

    @invariant()
    def ready_only_when_a_trigger_would_be_taken(self) -> None:
        if Status.TRIGGER_READY in self.handshake.display.status:
            assert Control.TRIGGER_ENABLE in self.controls.bits and Control.TRIGGER not in self.controls.bits
            assert self.view.connected and self.view.ready and not self.view.paused
            assert not self.to_take and not self.commands
            assert self.last_heard_ns is not None and self.now - self.last_heard_ns <= SILENT_MS * MS

    # The hands.

    def _write(self, bits: Control, beat: bool, part_id: int, command: int, deadline_ms: int) -> None:
        self._after_silence()
        ready = Status.TRIGGER_READY in self.handshake.display.status
        rose = bits & ~self.controls.bits & Control.TRIGGER
        self.controls = Controls(
            bits=bits,
            heartbeat=self.controls.heartbeat + beat,
            command=command,
            part_id=part_id,
            deadline_ms=deadline_ms,
        )
        if beat:
            self.last_heard_ns = self.now
        effects = self.handshake.plc(self.controls, self.now)
        assert len([each for each in effects if isinstance(each, TakeTrigger | RecordMissed)]) == bool(rose)
        assert not rose or ready == any(isinstance(each, TakeTrigger) for each in effects)
        self._note(effects)

    def _station(self, view: StationView) -> None:
        self.view = view
        self._note(self.handshake.station(view, self.now))

    def _after_silence(self) -> None:
        heard = self.last_heard_ns
        if heard is not None and self.now - heard > SILENT_MS * MS:
            self.last_heard_ns = None
            for number, part in self.parts.items():
                part.plc_was_silent = part.plc_was_silent or number not in self.to_release

    def _note(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case TakeTrigger(part=part):
                    known = self.parts.get(part.acquisition_id)
                    assert part.acquisition_id and (known is None or known.finished)
                    self.parts[part.acquisition_id] = Part(part.part_id, self.now)
                    self.to_take.append(part.acquisition_id)
                case RecordMissed():
                    self.missed += 1
                case Release(acquisition_id=number):
                    assert Control.RESULTS_ACK in self.controls.bits
                    self.to_release.append(number)
                case Abandon(acquisition_ids=numbers):
                    for number in numbers:
                        assert not self.parts[number].finished
                        self.parts[number].finished = True
                case LoadRecipe() | RunSelfTest():
                    self.commands += 1


TestAdversary = Adversary.TestCase
TestAdversary.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
