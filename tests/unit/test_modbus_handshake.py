"""The two loops of the handshake, its due times and its commands, without I/O."""

from __future__ import annotations

import pytest
from handshake_bench import Bench, enabled_bench

from lineside.bridges.handshake import QUEUE_LENGTH
from lineside.bridges.plc import (
    Abandon,
    Command,
    Control,
    Controls,
    FaultCode,
    RecordMissed,
    Release,
    Result,
    RunSelfTest,
    Status,
    TakeTrigger,
)
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome


@pytest.fixture
def bench() -> Bench:
    return enabled_bench()


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
