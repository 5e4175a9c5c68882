"""A real station, a real bridge, a real Modbus client: what the PLC asks it gets, once, and about the right part."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from small_bridge import plc_at, running_bridge
from small_project import make_project, running

from lineside.bridges.modbus.register_map import WordOrder
from lineside.bridges.plc import Command, Control, FaultCode, Status
from lineside.client import Outcome, Reason, StationClient

SOFTWARE = 'source = "software"'


async def test_a_part_is_triggered_judged_shown_and_acknowledged(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc, StationClient(process.address) as client:
            acquisition_id = await plc.trigger(part_id=123_456, encoder_count=4_000_000_000)
            result = await plc.take_result()
            shown = await plc.until_status(on=Status.TRIGGER_READY)
            [verdict] = [verdict async for verdict in client.list_verdicts()]

    assert acquisition_id == result["result_acquisition_id"]
    assert result["result_part_id"] == 123_456
    assert result["result_encoder_count"] == 4_000_000_000
    assert verdict.part_id == "123456"
    assert verdict.encoder_count == 4_000_000_000
    assert result["verdict"] == verdict.outcome
    assert result["recipe_current"] == result["recipe_used"] == 1
    assert result["config_fingerprint"] == int(verdict.config_fingerprint[:8], 16)
    assert shown["verdict"] == 0
    assert shown["triggers"] == shown["acknowledged"] == 1


@pytest.mark.parametrize("order", list(WordOrder))
async def test_serials_and_ids_hold_in_every_word_order(tmp_path: Path, order: WordOrder) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    extra = f'word_order = "{order.value}"'
    with running(station) as process, running_bridge(tmp_path, process.address, extra) as bridge:
        async with plc_at(bridge.port, order) as plc, StationClient(process.address) as client:
            await plc.trigger(part_id=0x0A0B0C0D, serial="SN-2026/0815")
            result = await plc.take_result()
            [verdict] = [verdict async for verdict in client.list_verdicts()]

    assert (result["result_part_id"], verdict.part_id) == (0x0A0B0C0D, "SN-2026/0815")


async def test_parts_under_way_together_keep_their_order_and_their_ids(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            ids = [(await plc.trigger(part_id=part), part) for part in range(100, 108)]
            full = await plc.read()
            results = [await plc.take_result() for _ in ids]

    assert full["queue_free"] == 0 and not full["status"] & Status.TRIGGER_READY
    assert ids == [(result["result_acquisition_id"], result["result_part_id"]) for result in results]


async def test_rule_e_a_trigger_while_paused_is_recorded_with_its_part_id(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc, StationClient(process.address) as client:
            await plc.until_status(on=Status.TRIGGER_READY)
            await client.pause(requested_by="Kim", why="cleaning")
            await plc.until_status(on=Status.PAUSED_BY_OPERATOR, off=Status.TRIGGER_READY)
            await plc.write(on=Control.TRIGGER, part_id=4711)
            shown = await plc.until_status(on=Status.ACQUISITION_ERROR)
            await plc.until(lambda now: now["unreported"] == 0)
            verdicts = [verdict async for verdict in client.list_verdicts(part_id="4711")]

    assert (shown["missed"], shown["triggers"]) == (1, 0)
    assert not shown["status"] & Status.TRIGGER_ACK
    assert [(Outcome.NOT_INSPECTED, Reason.OPERATOR_OFFLINE)] == [(each.outcome, each.reason) for each in verdicts]


async def test_rule_e_a_trigger_too_early_at_a_station_that_could_is_recorded_as_not_inspected_all_the_same(
    tmp_path: Path,
) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc, StationClient(process.address) as client:
            await plc.until_status(on=Status.TRIGGER_READY)
            await plc.write(on=Control.OFFLINE_REQUEST | Control.TRIGGER, off=Control.TRIGGER_ENABLE, part_id=1)
            await plc.write(off=Control.OFFLINE_REQUEST | Control.TRIGGER, on=Control.TRIGGER_ENABLE)
            await plc.write(on=Control.OFFLINE_REQUEST)
            await plc.write(on=Control.TRIGGER, part_id=2)
            await plc.until(lambda now: now["missed"] == 1)
            await plc.until(lambda now: now["unreported"] == 0)
            await plc.write(off=Control.TRIGGER | Control.OFFLINE_REQUEST)
            result = await plc.take_result()
            verdicts = [verdict async for verdict in client.list_verdicts(part_id="2")]

    assert result["result_part_id"] == 1  # the trigger came while Ready was up: what fell with it came too late
    assert [Outcome.NOT_INSPECTED] == [each.outcome for each in verdicts]


async def test_rule_f_a_recipe_is_changed_or_the_old_one_stays(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    recipes = tmp_path / "models" / "recipes"
    other = (recipes / "small.toml").read_text().replace('recipe_id = "small"', 'recipe_id = "other"')
    (recipes / "other.toml").write_text(other)
    extra = '[recipes]\n7 = "other"\n8 = "no-such"\n1 = "small"'
    with running(station) as process, running_bridge(tmp_path, process.address, recipes=extra) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.until_status(on=Status.TRIGGER_READY)
            await plc.write(on=Control.EXECUTE, command=Command.LOAD_RECIPE, recipe_number=7)
            changed = await plc.until_status(on=Status.COMMAND_DONE | Status.TRIGGER_READY)
            await plc.write(off=Control.EXECUTE)
            await plc.until_status(off=Status.COMMAND_DONE)
            await plc.write(on=Control.EXECUTE, recipe_number=8)
            refused = await plc.until_status(on=Status.COMMAND_FAILED)
            await plc.write(off=Control.EXECUTE)
            await plc.trigger(part_id=1)
            result = await plc.take_result()

    assert changed["recipe_current"] == 7
    assert (refused["recipe_current"], refused["fault_code"]) == (7, FaultCode.RECIPE_REFUSED)
    assert result["recipe_used"] == 7


async def test_rule_d_a_silent_plc_finds_its_results_spoilt(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE, due_ms=60_000)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.trigger(part_id=1)
            await plc.until_status(on=Status.RESULTS_VALID)
        async with plc_at(bridge.port) as watching:  # reads only: no sign of life
            while (silent := await watching.read())["status"] & Status.TRIGGER_READY:  # noqa: ASYNC110 # PLCs poll
                await asyncio.sleep(0.05)
        async with plc_at(bridge.port) as plc:
            result = await plc.take_result()

    assert (silent["verdict"], silent["reason"]) == (Outcome.NOT_INSPECTED, Reason.PLC_LOST)
    assert (result["verdict"], result["result_part_id"]) == (Outcome.NOT_INSPECTED, 1)


async def test_health_and_metrics_tell_what_the_registers_tell(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger=SOFTWARE)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        async with plc_at(bridge.port) as plc:
            await plc.trigger()
            await plc.take_result()
            health, metrics = _get(bridge.health_port, "/health"), _get(bridge.health_port, "/metrics")
            process.kill()
            await plc.until_status(on=Status.FAULT)
            sick = _get(bridge.health_port, "/health")

    assert (200, "ready\n") == health
    assert "lineside_bridge_triggers 1\n" in metrics[1]
    assert "lineside_bridge_connections 1\n" in metrics[1]
    assert (503, "the station is not there, or its stream is cut\n") == sick


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()
