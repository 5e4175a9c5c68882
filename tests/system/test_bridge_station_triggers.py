"""A real station that its own camera or takt triggers, a real bridge and Modbus client: the inspection loop alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_bridge import Plc, plc_at, running_bridge
from small_project import make_project, running

from lineside.bridges.plc import Control, FaultCode, Status
from lineside.client import Outcome, Reason, StationClient

BY_STATION = 'triggered_by = "station"'
SOURCES = {
    "camera": {"trigger": 'source = "camera"', "camera": 'backend = "simulated"\nproduct = "plate"\ntakt_ms = 60'},
    "takt": {"trigger": 'source = "takt"\ntakt_ms = 60'},
}


def project(folder: Path, source: str, due_ms: int = 20_000) -> Path:
    return make_project(folder, due_ms=due_ms, **SOURCES[source])


async def next_results(plc: Plc, count: int) -> list[dict[str, int]]:
    return [await plc.take_result() for _ in range(count)]


@pytest.mark.parametrize("source", SOURCES)
async def test_every_part_is_shown_once_in_order_with_the_verdict_of_its_trigger_number(
    tmp_path: Path, source: str
) -> None:
    with running(project(tmp_path, source)) as process, running_bridge(tmp_path, process.address, BY_STATION) as bridge:
        async with plc_at(bridge.port) as plc, StationClient(process.address) as client:
            await plc.until_status(on=Status.TRIGGER_READY)
            await plc.until_status(on=Status.RESULTS_VALID)
            await plc.write(on=Control.EXECUTE, command=3)  # what came before the PLC spoke is not for it
            await plc.until_status(on=Status.COMMAND_DONE)
            await plc.write(off=Control.EXECUTE)
            shown = await next_results(plc, 12)
            records = [(await client.verdict(trigger_number=each["result_part_id"])).verdict for each in shown]

    numbers = [each["result_part_id"] for each in shown]
    assert numbers == list(range(numbers[0], numbers[0] + 12))
    assert numbers == [each["result_acquisition_id"] for each in shown]
    assert [record.outcome for record in records] == [each["verdict"] for each in shown]
    assert not any(each["status"] & (Status.TRIGGER_ACK | Status.ACQUIRING) for each in shown)


async def test_a_plc_that_does_not_acknowledge_sees_overrun_and_keeps_what_it_was_shown(tmp_path: Path) -> None:
    station = project(tmp_path, "camera", due_ms=60_000)
    with running(station) as process, running_bridge(tmp_path, process.address, BY_STATION) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.until_status(on=Status.TRIGGER_READY)
            first = await plc.until_status(on=Status.RESULTS_VALID)
            full = await plc.until_status(on=Status.OVERRUN, off=Status.TRIGGER_READY)
            kept = await next_results(plc, 8)
            later = await plc.take_result()

    numbers = [each["result_part_id"] for each in kept]
    assert (full["queue_free"], full["results_waiting"], full["fault_code"]) == (0, 8, FaultCode.QUEUE_FULL)
    assert full["dropped"] >= 1
    assert numbers == list(range(first["result_part_id"], first["result_part_id"] + 8))
    assert later["result_part_id"] > numbers[-1] + full["dropped"], "those between were given up, and counted"


async def test_a_trigger_of_the_plc_is_refused_and_takes_no_part_away(tmp_path: Path) -> None:
    station = project(tmp_path, "camera")
    with running(station) as process, running_bridge(tmp_path, process.address, BY_STATION) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.until_status(on=Status.TRIGGER_READY)
            await plc.write(on=Control.TRIGGER, part_id=77)
            refused = await plc.until_status(on=Status.ACQUISITION_ERROR)
            await plc.write(off=Control.TRIGGER, on=Control.CLEAR_ERROR)
            shown = await next_results(plc, 3)

    assert (refused["fault_code"], refused["missed"], refused["unreported"]) == (FaultCode.TRIGGERED_ELSEWHERE, 1, 0)
    assert 77 not in [each["result_part_id"] for each in shown]


async def test_a_station_killed_and_restarted_goes_on_without_a_number_twice_and_without_a_gap(tmp_path: Path) -> None:
    station = project(tmp_path, "camera", due_ms=60_000)
    patient = '[recipes]\n1 = "small"\n[times]\nplc_silent_ms = 60000'  # this PLC stands still while a station starts
    with (
        running(station) as process,
        running_bridge(tmp_path, process.address, BY_STATION, recipes=patient) as bridge,
    ):
        async with plc_at(bridge.port) as plc:
            await plc.until_status(on=Status.TRIGGER_READY)
            before = await next_results(plc, 3)
            process.kill()
            await plc.until_status(on=Status.FAULT, off=Status.TRIGGER_READY | Status.ONLINE)
            waiting = (await plc.read())["results_waiting"]
            with running(station):
                after = await next_results(plc, waiting + 6)
                dropped = (await plc.read())["dropped"]

    numbers = [each["result_part_id"] for each in before + after]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] + 1 - len(numbers) <= dropped, "what is missing was counted as given up"
    assert all(each["verdict"] in (Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED) for each in after)


async def test_a_restarted_bridge_shows_nothing_again_and_nothing_old(tmp_path: Path) -> None:
    station = project(tmp_path, "camera")
    with running(station) as process:
        with running_bridge(tmp_path, process.address, BY_STATION) as bridge:
            async with plc_at(bridge.port) as plc:
                await plc.until_status(on=Status.TRIGGER_READY)
                seen = await next_results(plc, 3)
                held = await plc.until_status(on=Status.RESULTS_VALID)  # shown, and never acknowledged
                bridge.kill()
        with running_bridge(tmp_path, process.address, BY_STATION) as bridge:
            async with plc_at(bridge.port) as plc:
                back = await plc.until_status(on=Status.RESULTS_VALID)
                [taken] = await next_results(plc, 1)

    assert back["boot_id"] != held["boot_id"]
    assert taken["result_part_id"] > held["result_part_id"] > seen[-1]["result_part_id"]


async def test_a_plc_that_falls_silent_finds_what_came_meanwhile_as_not_inspected(tmp_path: Path) -> None:
    station = project(tmp_path, "camera", due_ms=60_000)
    with running(station) as process, running_bridge(tmp_path, process.address, BY_STATION) as bridge:
        async with plc_at(bridge.port) as plc:
            while (await plc.take_result())["verdict"] == Outcome.NOT_INSPECTED:
                pass  # what came before the PLC spoke: all that follows is for it
        async with plc_at(bridge.port) as watching:  # reads only: no sign of life
            silent = await watching.until(
                lambda shown: shown["verdict"] == Outcome.NOT_INSPECTED and not shown["queue_free"], beating=False
            )
        async with plc_at(bridge.port) as plc:
            plc.beat = 100
            results = await next_results(plc, 8)

    assert silent["results_waiting"] == 8 and not silent["status"] & Status.TRIGGER_READY
    assert {(Outcome.NOT_INSPECTED, Reason.PLC_LOST)} == {(each["verdict"], each["reason"]) for each in results}
