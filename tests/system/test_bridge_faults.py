"""Exactly once to the line: bridge, station and link are killed at every step. No verdict lost, none twice as new,
none on the wrong part, none stale.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from small_bridge import Plc, plc_at, running_bridge
from small_project import make_project, running

from lineside.bridges.plc import Control, Status
from lineside.client import Outcome, Reason, StationClient

SOFTWARE = 'source = "software"'


async def _come_back(plc: Plc, boot_id: int) -> dict[str, int]:
    """The PLC's program after a new boot id: acknowledges what is not new to it, until it may trigger again."""
    return await plc.until(
        lambda shown: (
            shown["boot_id"] != boot_id and bool(shown["status"] & (Status.TRIGGER_READY | Status.RESULTS_VALID))
        )
    )


@pytest.mark.parametrize("step", ["trigger written", "trigger acknowledged", "results valid", "results acknowledged"])
async def test_a_bridge_killed_at_any_step_never_shows_a_verdict_as_fresh_again(tmp_path: Path, step: str) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE, due_ms=60_000)
    with running(station) as process:
        with running_bridge(tmp_path, process.address) as bridge:
            async with plc_at(bridge.port) as plc:
                ready = await plc.until_status(on=Status.TRIGGER_READY)
                await plc.write(on=Control.TRIGGER, part_id=55)
                if step != "trigger written":
                    shown = await plc.until_status(on=Status.TRIGGER_ACK)
                    await plc.write(off=Control.TRIGGER)
                    assert shown["acquisition_id"] == 1
                if step.startswith("results"):
                    await plc.until_status(on=Status.RESULTS_VALID)
                if step == "results acknowledged":
                    await plc.write(on=Control.RESULTS_ACK)
                bridge.kill()
        with running_bridge(tmp_path, process.address) as bridge:
            async with plc_at(bridge.port) as plc, StationClient(process.address) as client:
                back = await _come_back(plc, ready["boot_id"])
                old = []
                if back["status"] & Status.RESULTS_VALID:
                    old.append(await plc.take_result())
                acquisition_id = await plc.trigger(part_id=56)
                new = await plc.take_result()
                last = await plc.read()
                parts = [verdict.part_id async for verdict in client.list_verdicts()]

    assert [(each["result_part_id"], each["verdict"], each["reason"]) for each in old] in (
        [],
        [(55, Outcome.NOT_INSPECTED, Reason.PLC_LOST)],
    )
    if step in ("trigger acknowledged", "results valid"):
        assert len(old) == 1  # the PLC waits for it: it is owed an answer
    assert new["result_acquisition_id"] == acquisition_id and new["result_part_id"] == 56
    assert not last["status"] & Status.RESULTS_VALID and last["results_waiting"] == 0
    assert parts.count("55") <= 1 and parts.count("56") == 1


@pytest.mark.parametrize("step", ["under way", "results valid"])
async def test_a_station_killed_and_restarted_answers_for_each_part_once(tmp_path: Path, step: str) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE, due_ms=20_000, layers=150 if step == "under way" else 0)
    patient = '[recipes]\n1 = "small"\n[times]\nplc_silent_ms = 60000'  # this PLC stands still while a station starts
    with running(station) as process, running_bridge(tmp_path, process.address, recipes=patient) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.trigger(part_id=70)
            if step == "results valid":
                await plc.until_status(on=Status.RESULTS_VALID)
            process.kill()
            faulty = await plc.until_status(on=Status.FAULT, off=Status.TRIGGER_READY | Status.ONLINE)
            await plc.write(on=Control.TRIGGER, part_id=71)  # comes at a station that is not there
            await plc.until_status(on=Status.ACQUISITION_ERROR)
            await plc.write(off=Control.TRIGGER)
            with running(station):
                result = await plc.take_result()
                await plc.until(lambda shown: shown["unreported"] == 0)
                await plc.trigger(part_id=72)
                after = await plc.take_result()
                last = await plc.read()
                async with StationClient(process.address) as client:
                    verdicts = [verdict async for verdict in client.list_verdicts()]

    assert not faulty["status"] & Status.TRIGGER_READY
    assert result["result_part_id"] == 70 and result["verdict"] == next(
        verdict.outcome for verdict in verdicts if verdict.part_id == "70"
    )
    assert after["result_part_id"] == 72
    assert last["missed"] == 1 and last["results_waiting"] == 0
    assert sorted(verdict.part_id for verdict in verdicts) == ["70", "71", "72"]
    assert [Outcome.NOT_INSPECTED] == [verdict.outcome for verdict in verdicts if verdict.part_id == "71"]


async def test_a_frozen_station_makes_the_part_not_inspected_at_its_deadline(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE, layers=150, due_ms=60_000)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.trigger(part_id=80)
            await plc.take_result()
            await plc.trigger(part_id=81, deadline_ms=400)
            os.kill(process.process.pid, signal.SIGSTOP)
            try:
                result = await plc.take_result()
                await plc.until_status(on=Status.FAULT, off=Status.TRIGGER_READY)
            finally:
                os.kill(process.process.pid, signal.SIGCONT)
            await plc.until_status(on=Status.TRIGGER_READY)
            last = await plc.read()

    assert result["result_part_id"] == 81
    assert result["verdict"] == Outcome.NOT_INSPECTED or result["slack_ms"] >= 0  # told just before it froze
    assert not last["status"] & Status.RESULTS_VALID  # the late verdict is shown to nobody


@pytest.mark.parametrize("step", ["trigger written", "trigger acknowledged", "results valid", "results acknowledged"])
async def test_a_link_cut_at_any_step_is_taken_up_where_it_was(tmp_path: Path, step: str) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE, due_ms=60_000)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.until_status(on=Status.TRIGGER_READY)
            await plc.write(on=Control.TRIGGER, part_id=90)
            if step != "trigger written":
                await plc.until_status(on=Status.TRIGGER_ACK)
                await plc.write(off=Control.TRIGGER)
            if step.startswith("results"):
                await plc.until_status(on=Status.RESULTS_VALID)
            if step == "results acknowledged":
                await plc.write(on=Control.RESULTS_ACK)
            held, beat = plc.bits, plc.beat
        async with plc_at(bridge.port) as plc:
            plc.bits, plc.beat = held, beat
            if step == "trigger written":
                await plc.until_status(on=Status.TRIGGER_ACK)
                await plc.write(off=Control.TRIGGER)
            if step == "results acknowledged":
                await plc.until_status(off=Status.RESULTS_VALID)
                await plc.write(off=Control.RESULTS_ACK)
            else:
                result = await plc.take_result()
                assert result["result_part_id"] == 90 and result["verdict"] in (Outcome.PASS, Outcome.FAIL)
            last = await plc.read()

    assert (last["triggers"], last["acknowledged"], last["results_waiting"]) == (1, 1, 0)


async def test_a_plc_that_restarts_clears_its_queue_and_begins_again(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE, due_ms=60_000)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.trigger(part_id=1)
            await plc.trigger(part_id=2)
            await plc.until_status(on=Status.RESULTS_VALID)
        async with plc_at(bridge.port) as plc:
            plc.bits = Control(0)
            await plc.write(part_id=0)
            await plc.write(on=Control.EXECUTE, command=4)
            await plc.until_status(on=Status.COMMAND_DONE)
            await plc.write(off=Control.EXECUTE, on=Control.TRIGGER_ENABLE)
            acquisition_id = await plc.trigger(part_id=3)
            result = await plc.take_result()

    assert (result["result_acquisition_id"], result["result_part_id"]) == (acquisition_id, 3)
    assert result["dropped"] == 2
