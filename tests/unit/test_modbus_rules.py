"""The rules (a) to (g) of the handshake, which docs/plc.md states by the same letters, without I/O."""

from __future__ import annotations

from dataclasses import replace

import pytest
from handshake_bench import READY, Bench, enabled_bench

from lineside.bridges.handshake import QUEUE_LENGTH
from lineside.bridges.plc import (
    Command,
    Control,
    FaultCode,
    LoadRecipe,
    RecordMissed,
    Result,
    StationView,
    Status,
)
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome


@pytest.fixture
def bench() -> Bench:
    return enabled_bench()


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
