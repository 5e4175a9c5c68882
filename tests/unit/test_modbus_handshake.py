"""The handshake, rule by rule, without I/O: a PLC by hand, a station by hand, a clock by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lineside.bridges.handshake import QUEUE_LENGTH, Handshake, HandshakeOptions
from lineside.bridges.plc import (
    Abandon,
    Command,
    Control,
    Controls,
    Display,
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
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

MS = 1_000_000
READY = StationView(connected=True, ready=True, recipe_number=1)


class Bench:
    """A handshake between two hands."""

    def __init__(self, restored: tuple[Result, ...] = (), last: int = 0) -> None:
        self.now = 1_000 * MS
        self.handshake = Handshake(
            boot_id=77,
            last_acquisition_id=last,
            restored=restored,
            options=HandshakeOptions(),
            now_ns=self.now,
        )
        self.controls = Controls()
        self.effects: list[Effect] = []
        self.effects += self.handshake.station(READY, self.now)

    def write(self, on: int = 0, off: int = 0, beat: bool = True, **data: object) -> list[Effect]:
        bits = Control((self.controls.bits | on) & ~off)
        heartbeat = self.controls.heartbeat + beat
        self.controls = replace(self.controls, bits=bits, heartbeat=heartbeat, **data)  # type: ignore[arg-type]
        return self._note(self.handshake.plc(self.controls, self.now))

    def wait(self, ms: float, beat: bool = True) -> list[Effect]:
        effects: list[Effect] = []
        for _ in range(int(ms / 10)):
            self.now += 10 * MS
            effects += self.handshake.tick(self.now)
            if beat:
                effects += self.write()
        self._note(effects if not beat else [])
        return effects

    def tell(self, acquisition_id: int, outcome: Outcome = Outcome.PASS, due_ms: int = 2000) -> list[Effect]:
        result = Result(acquisition_id=acquisition_id, outcome=outcome, due_ns=due_ms * MS)
        return self._note(self.handshake.told(result, self.now))

    def enable(self, *, buffered: bool = True) -> None:
        self.write(on=Control.TRIGGER_ENABLE | (Control.BUFFER_ENABLE if buffered else 0))

    def trigger(self, part_id: int = 5, deadline_ms: int = 0) -> int:
        """A whole acquisition loop."""
        [take] = [
            effect
            for effect in self.write(on=Control.TRIGGER, part_id=part_id, deadline_ms=deadline_ms)
            if isinstance(effect, TakeTrigger)
        ]
        self._note(self.handshake.taken(take.part.acquisition_id, self.now))
        self.write(off=Control.TRIGGER)
        return take.part.acquisition_id

    def acknowledge(self) -> Display:
        """A whole inspection loop; returns what was shown."""
        shown = self.shown
        assert Status.RESULTS_VALID in shown.status
        [release] = [effect for effect in self.write(on=Control.RESULTS_ACK) if isinstance(effect, Release)]
        assert release.acquisition_id == shown.result_acquisition_id
        self._note(self.handshake.released(release.acquisition_id, self.now))
        self.write(off=Control.RESULTS_ACK)
        return shown

    def _note(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        return effects

    @property
    def shown(self) -> Display:
        return self.handshake.display

    @property
    def on(self) -> Status:
        return self.shown.status


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.enable()
    return bench


# The two loops.


def test_the_acquisition_loop_follows_the_level_of_the_trigger(bench: Bench) -> None:
    assert Status.TRIGGER_READY in bench.on
    [take] = bench.write(on=Control.TRIGGER, part_id=9)
    assert isinstance(take, TakeTrigger) and take.part.part_id == 9
    assert Status.TRIGGER_READY not in bench.on and Status.TRIGGER_ACK not in bench.on
    assert bench.shown.acquisition_id == 1  # to be noted before the acknowledge

    bench.handshake.taken(1, bench.now)
    assert Status.TRIGGER_ACK in bench.on

    bench.write(off=Control.TRIGGER)
    assert Status.TRIGGER_ACK not in bench.on and Status.TRIGGER_READY in bench.on


def test_a_trigger_held_for_ever_is_one_trigger(bench: Bench) -> None:
    [take] = bench.write(on=Control.TRIGGER)
    bench.handshake.taken(take.part.acquisition_id, bench.now)  # type: ignore[union-attr]
    effects = bench.wait(1000)

    assert not [effect for effect in effects if isinstance(effect, TakeTrigger | RecordMissed)]


def test_a_result_stays_until_it_is_acknowledged_and_the_next_waits_for_the_acknowledge_to_fall(bench: Bench) -> None:
    first, second = bench.trigger(11), bench.trigger(12)
    bench.tell(first)
    bench.tell(second, Outcome.FAIL)
    assert (bench.shown.result_acquisition_id, bench.shown.verdict) == (first, Outcome.PASS)

    [release] = bench.write(on=Control.RESULTS_ACK)
    assert release == Release(acquisition_id=first)
    assert Status.RESULTS_VALID in bench.on  # until it is written down
    bench.handshake.released(first, bench.now)
    assert Status.RESULTS_VALID not in bench.on and bench.shown.verdict == 0
    bench.wait(100)
    assert Status.RESULTS_VALID not in bench.on  # the acknowledge is still up

    bench.write(off=Control.RESULTS_ACK)
    assert (bench.shown.result_acquisition_id, bench.shown.verdict) == (second, Outcome.FAIL)
    assert bench.shown.result_part_id == 12


def test_an_acknowledge_that_is_up_before_there_is_a_result_acknowledges_nothing(bench: Bench) -> None:
    bench.write(on=Control.RESULTS_ACK)
    acquisition_id = bench.trigger()
    bench.tell(acquisition_id)
    assert Status.RESULTS_VALID not in bench.on

    bench.write(off=Control.RESULTS_ACK)
    assert Status.RESULTS_VALID in bench.on and bench.shown.results_waiting == 1


def test_a_result_that_overtakes_the_trigger_acknowledge_waits_for_it(bench: Bench) -> None:
    bench.write(on=Control.TRIGGER)
    bench.tell(1)
    assert Status.RESULTS_VALID not in bench.on

    bench.handshake.taken(1, bench.now)
    assert Status.RESULTS_VALID in bench.on


def test_without_buffering_the_next_trigger_waits_for_the_acknowledge() -> None:
    bench = Bench()
    bench.enable(buffered=False)
    acquisition_id = bench.trigger()
    assert Status.TRIGGER_READY not in bench.on
    bench.tell(acquisition_id)
    assert Status.TRIGGER_READY not in bench.on

    bench.acknowledge()
    assert Status.TRIGGER_READY in bench.on


# Rules (a) to (g).


def test_rule_a_nothing_but_one_exact_code_is_pass(bench: Bench) -> None:
    assert bench.shown.verdict == 0
    shown = []
    for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED):
        bench.tell(bench.trigger(), outcome)
        shown.append(bench.acknowledge().verdict)
        assert bench.shown.verdict == 0

    assert shown == [1, 2, 3]


def test_rule_b_the_result_and_its_valid_bit_are_one_moment(bench: Bench) -> None:
    """`display` is immutable: what was taken stays as it was, whatever follows."""
    acquisition_id = bench.trigger(41)
    before = bench.shown
    bench.tell(acquisition_id)
    after = bench.shown
    bench.write(on=Control.RESULTS_ACK)
    bench.handshake.released(acquisition_id, bench.now)

    assert Status.RESULTS_VALID not in before.status and before.verdict == 0
    assert Status.RESULTS_VALID in after.status and after.verdict == Outcome.PASS and after.result_part_id == 41


def test_rule_c_a_result_not_acknowledged_in_time_is_kept_and_warned_of(bench: Bench) -> None:
    first, second = bench.trigger(), bench.trigger()
    bench.tell(first, Outcome.FAIL, due_ms=60_000)
    bench.tell(second, Outcome.FAIL, due_ms=60_000)
    bench.wait(1990)
    assert Status.WARNING not in bench.on
    bench.wait(50)
    assert Status.WARNING in bench.on and bench.shown.fault_code == FaultCode.ACK_OVERDUE
    assert bench.shown.result_acquisition_id == first

    assert bench.acknowledge().result_acquisition_id == first
    assert Status.WARNING not in bench.on
    assert bench.shown.result_acquisition_id == second


def test_rule_d_a_silent_plc_drops_ready_and_spoils_what_waits_and_what_is_under_way(bench: Bench) -> None:
    waiting, under_way = bench.trigger(), bench.trigger()
    bench.tell(waiting, due_ms=60_000)
    bench.wait(1500, beat=False)
    assert Status.TRIGGER_READY in bench.on and bench.shown.verdict == Outcome.PASS
    bench.wait(20, beat=False)
    assert Status.TRIGGER_READY not in bench.on
    assert (bench.shown.verdict, bench.shown.reason) == (Outcome.NOT_INSPECTED, Reason.PLC_LOST)

    bench.write()  # it is back
    assert Status.TRIGGER_READY in bench.on
    bench.tell(under_way, due_ms=60_000)
    assert bench.acknowledge().reason == Reason.PLC_LOST
    assert bench.acknowledge().reason == Reason.PLC_LOST


def test_rule_d_our_heartbeat_counts_while_time_passes(bench: Bench) -> None:
    before = bench.shown.vision_heartbeat
    bench.wait(1000)

    assert bench.shown.vision_heartbeat == before + 10


@pytest.mark.parametrize(
    "why_not", ["disabled", "offline", "station lost", "station not ready", "paused", "plc silent", "not durable"]
)
def test_rule_e_a_trigger_while_not_ready_is_an_error_counted_and_recorded(bench: Bench, why_not: str) -> None:
    match why_not:
        case "disabled":
            bench.write(off=Control.TRIGGER_ENABLE)
        case "offline":
            bench.write(on=Control.OFFLINE_REQUEST)
        case "station lost":
            bench.handshake.station(StationView(), bench.now)
        case "station not ready":
            bench.handshake.station(replace(READY, ready=False), bench.now)
        case "paused":
            bench.handshake.station(replace(READY, ready=False, paused=True), bench.now)
        case "plc silent":
            bench.wait(1600, beat=False)
        case "not durable":
            bench.handshake.durable(False, bench.now)
    effects = bench.write(on=Control.TRIGGER, part_id=808)

    [missed] = effects
    assert isinstance(missed, RecordMissed) and missed.part.part_id == 808
    assert Status.ACQUISITION_ERROR in bench.on and Status.TRIGGER_ACK not in bench.on
    assert (bench.shown.missed, bench.shown.triggers) == (1, 0)


def test_rule_e_a_second_trigger_before_the_first_is_acknowledged_is_missed(bench: Bench) -> None:
    bench.write(on=Control.TRIGGER, part_id=1)
    bench.write(off=Control.TRIGGER)
    [missed] = bench.write(on=Control.TRIGGER, part_id=2)
    assert isinstance(missed, RecordMissed) and missed.part.part_id == 2

    bench.handshake.taken(1, bench.now)
    bench.tell(1)
    assert bench.shown.result_part_id == 1


def test_rule_e_enable_and_trigger_in_one_write_is_too_early() -> None:
    bench = Bench()
    [missed] = bench.write(on=Control.TRIGGER_ENABLE | Control.TRIGGER)

    assert isinstance(missed, RecordMissed)


def test_rule_e_a_trigger_that_the_station_refuses_is_missed(bench: Bench) -> None:
    bench.write(on=Control.TRIGGER, part_id=3)
    [missed] = bench.handshake.not_taken(1, bench.now)

    assert isinstance(missed, RecordMissed) and missed.part.part_id == 3
    assert Status.ACQUISITION_ERROR in bench.on and bench.shown.fault_code == FaultCode.TRIGGER_REFUSED


@pytest.mark.parametrize("by", [Control.CLEAR_ERROR, Control.TRIGGER_ENABLE, "good acquisition"])
def test_an_acquisition_error_is_cleared_by_the_bit_by_toggling_enable_and_by_a_good_one(
    bench: Bench, by: Control | str
) -> None:
    bench.write(on=Control.OFFLINE_REQUEST)
    bench.write(on=Control.TRIGGER)
    bench.write(off=Control.OFFLINE_REQUEST | Control.TRIGGER)
    assert Status.ACQUISITION_ERROR in bench.on
    if isinstance(by, str):
        bench.trigger()
    elif by == Control.TRIGGER_ENABLE:
        bench.write(off=by)
    else:
        bench.write(on=by)

    assert Status.ACQUISITION_ERROR not in bench.on


def test_a_full_queue_is_shown_as_overrun_and_overwrites_nothing(bench: Bench) -> None:
    ids = [bench.trigger(part) for part in range(QUEUE_LENGTH)]
    for acquisition_id in ids:
        bench.tell(acquisition_id, Outcome.FAIL, due_ms=60_000)
    assert bench.shown.queue_free == 0
    [missed] = bench.write(on=Control.TRIGGER, part_id=99)
    assert isinstance(missed, RecordMissed)
    assert Status.OVERRUN in bench.on and bench.shown.fault_code == FaultCode.QUEUE_FULL

    assert [bench.acknowledge().result_part_id for _ in ids] == list(range(QUEUE_LENGTH))


def test_rule_f_a_recipe_change_drops_ready_then_echoes_the_number_then_is_ready(bench: Bench) -> None:
    [load] = bench.write(on=Control.EXECUTE, command=Command.LOAD_RECIPE, recipe_number=2)
    assert load == LoadRecipe(recipe_number=2)
    assert Status.COMMAND_BUSY in bench.on and Status.TRIGGER_READY not in bench.on

    bench.handshake.station(replace(READY, recipe_number=2), bench.now)
    bench.handshake.command_ended(FaultCode.NONE, bench.now)
    assert Status.COMMAND_DONE in bench.on and bench.shown.recipe_current == 2
    assert Status.TRIGGER_READY in bench.on

    bench.write(off=Control.EXECUTE)
    assert Status.COMMAND_DONE not in bench.on


def test_rule_f_the_old_recipe_stays_when_the_new_one_is_refused(bench: Bench) -> None:
    bench.write(on=Control.EXECUTE, command=Command.LOAD_RECIPE, recipe_number=2)
    bench.handshake.command_ended(FaultCode.RECIPE_REFUSED, bench.now)

    assert Status.COMMAND_FAILED in bench.on and Status.TRIGGER_READY in bench.on
    assert (bench.shown.recipe_current, bench.shown.fault_code) == (1, FaultCode.RECIPE_REFUSED)


def test_rule_g_what_is_owed_from_before_a_restart_is_shown_under_the_new_boot_id_and_never_as_pass() -> None:
    owed = Result(acquisition_id=17, part_id=4, outcome=Outcome.NOT_INSPECTED, reason=Reason.PLC_LOST)
    bench = Bench(restored=(owed,), last=17)
    bench.enable()
    assert (bench.shown.boot_id, bench.shown.result_acquisition_id) == (77, 17)
    assert (bench.shown.verdict, bench.shown.reason) == (Outcome.NOT_INSPECTED, Reason.PLC_LOST)

    assert bench.acknowledge().result_part_id == 4
    assert bench.trigger() == 18  # ids go on where they were


# Due times.


def test_a_verdict_that_comes_after_its_due_time_is_not_inspected_whatever_it_says(bench: Bench) -> None:
    acquisition_id = bench.trigger()
    bench.wait(150)
    bench.tell(acquisition_id, due_ms=100)

    assert (bench.shown.verdict, bench.shown.reason) == (Outcome.NOT_INSPECTED, Reason.DUE_TIME)
    assert bench.shown.slack_ms < 0 and bench.shown.late == 1


def test_a_pass_that_is_shown_goes_stale_at_its_due_time(bench: Bench) -> None:
    acquisition_id = bench.trigger()
    bench.tell(acquisition_id, due_ms=100)
    assert bench.shown.verdict == Outcome.PASS
    bench.wait(120)

    assert (bench.shown.verdict, bench.shown.reason) == (Outcome.NOT_INSPECTED, Reason.DUE_TIME)


def test_what_the_plc_has_acknowledged_in_time_counts_as_it_was_shown(bench: Bench) -> None:
    acquisition_id = bench.trigger()
    bench.tell(acquisition_id, due_ms=100)
    bench.write(on=Control.RESULTS_ACK)
    bench.wait(200)
    bench.handshake.released(acquisition_id, bench.now)

    assert (bench.shown.passed, bench.shown.late) == (1, 0)


def test_a_verdict_that_never_comes_is_answered_at_the_deadline(bench: Bench) -> None:
    bench.trigger(part_id=6, deadline_ms=200)
    bench.wait(190)
    assert Status.RESULTS_VALID not in bench.on
    bench.wait(30)

    assert (bench.shown.verdict, bench.shown.reason) == (Outcome.NOT_INSPECTED, Reason.DUE_TIME)
    assert bench.shown.result_part_id == 6
    bench.tell(1)  # too late: it is answered
    bench.acknowledge()
    assert Status.RESULTS_VALID not in bench.on


# Commands.


def test_the_self_test_shows_its_outcome(bench: Bench) -> None:
    [run] = bench.write(on=Control.EXECUTE, command=Command.SELF_TEST)
    assert run == RunSelfTest()
    bench.handshake.command_ended(FaultCode.NONE, bench.now, self_test_ok=True)
    assert Status.SELF_TEST_OK in bench.on and Status.COMMAND_DONE in bench.on


def test_clear_queue_gives_up_waiting_results_and_abort_those_under_way_too(bench: Bench) -> None:
    first, second, third = (bench.trigger(part) for part in (1, 2, 3))
    bench.tell(first)
    [abandon] = bench.write(on=Control.EXECUTE, command=Command.CLEAR_QUEUE)
    assert abandon == Abandon(acquisition_ids=(first,))
    bench.write(off=Control.EXECUTE)
    [abandon] = bench.write(on=Control.EXECUTE, command=Command.ABORT)
    assert abandon == Abandon(acquisition_ids=(second, third))

    bench.tell(second)
    assert Status.RESULTS_VALID not in bench.on
    assert (bench.shown.dropped, bench.shown.queue_free) == (3, QUEUE_LENGTH)


def test_an_unknown_command_fails(bench: Bench) -> None:
    bench.write(on=Control.EXECUTE, command=9)

    assert Status.COMMAND_FAILED in bench.on and bench.shown.fault_code == FaultCode.UNKNOWN_COMMAND


def test_a_plc_that_restarts_with_all_bits_zero_finds_its_results_again(bench: Bench) -> None:
    bench.write(on=Control.TRIGGER, part_id=5)
    bench.handshake.taken(1, bench.now)
    bench.tell(1, Outcome.FAIL)
    bench.controls = Controls()
    bench.write(beat=False)
    assert Status.TRIGGER_READY not in bench.on and Status.TRIGGER_ACK not in bench.on
    bench.enable()

    assert bench.acknowledge().result_part_id == 5
    assert bench.trigger() == 2


def test_acquisition_ids_wrap_without_zero_and_without_one_that_is_still_waited_for() -> None:
    owed = Result(acquisition_id=1, outcome=Outcome.NOT_INSPECTED, reason=Reason.PLC_LOST)
    bench = Bench(restored=(owed,), last=0xFFFF)
    bench.enable()

    assert bench.trigger() == 2
