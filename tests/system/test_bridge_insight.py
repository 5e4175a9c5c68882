"""The cognex layout, held against a PLC program that was written for In-Sight's blocks and knows nothing of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import insight_plc as insight
import pytest
from insight_plc import InSightPlc
from pymodbus.client import AsyncModbusTcpClient
from small_bridge import running_bridge
from small_project import StationProcess, make_project, running

from lineside.client import Outcome, StationClient


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[StationProcess, int]]:
    """A station and a bridge with the cognex layout: the station, the bridge's port."""
    station = make_project(tmp_path, trigger='source = "software"', due_ms=60_000)
    recipes = tmp_path / "models" / "recipes"
    other = (recipes / "small.toml").read_text().replace('recipe_id = "small"', 'recipe_id = "other"')
    (recipes / "other.toml").write_text(other)
    jobs = '[recipes]\n1 = "small"\n7 = "other"\n[times]\nplc_silent_ms = 20000'
    with (
        running(station) as process,
        running_bridge(tmp_path, process.address, 'profile = "cognex"', recipes=jobs) as bridge,
    ):
        yield process, bridge.port


@asynccontextmanager
async def plc_at(port: int) -> AsyncIterator[InSightPlc]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    assert await client.connect()
    try:
        yield InSightPlc(client)
    finally:
        client.close()


async def test_a_part_goes_through_both_loops(line: tuple[StationProcess, int]) -> None:
    station, port = line
    async with plc_at(port) as plc, StationClient(station.address) as client:
        await plc.enable(buffered=False)
        before = await plc.until(lambda status: status[insight.ONLINE])
        acquisition_id = await plc.acquire(part=815)
        await plc.part_may_move()
        result = await plc.take_result()
        [verdict] = [verdict async for verdict in client.list_verdicts()]

    assert (result.inspection_id, result.user_result) == (acquisition_id, 815)
    assert verdict.part_id == "815"
    assert result[insight.JOB_PASS] == (verdict.outcome == Outcome.PASS)
    assert result[insight.INSPECTION_COMPLETED] != before[insight.INSPECTION_COMPLETED], "it toggles"
    assert not result[insight.ERROR]


async def test_inspection_completed_toggles_with_every_result(line: tuple[StationProcess, int]) -> None:
    async with plc_at(line[1]) as plc:
        await plc.enable(buffered=False)
        toggles = []
        for part in range(1, 5):
            await plc.acquire(part)
            toggles.append((await plc.take_result())[insight.INSPECTION_COMPLETED])

    assert toggles == [not toggles[1], toggles[1]] * 2


async def test_exposure_complete_stays_until_it_is_cleared(line: tuple[StationProcess, int]) -> None:
    async with plc_at(line[1]) as plc:
        await plc.enable(buffered=True)
        await plc.acquire(1)
        await plc.until(lambda status: status[insight.EXPOSURE_COMPLETE])
        await plc.acquire(2)

        assert (await plc.scan())[insight.EXPOSURE_COMPLETE]
        await plc.part_may_move()


async def test_buffered_results_come_in_order_and_the_head_stays_until_it_is_acknowledged(
    line: tuple[StationProcess, int],
) -> None:
    async with plc_at(line[1]) as plc:
        await plc.enable(buffered=True)
        ids = [await plc.acquire(part) for part in range(1, 9)]
        head = await plc.until(lambda status: status[insight.RESULTS_VALID])
        again = await plc.scan()
        plc.set(insight.TRIGGER)  # the ninth: there is no room
        overrun = await plc.until(lambda status: status[insight.ACQ_ERROR])
        plc.set(insight.TRIGGER, False)
        results = [await plc.take_result() for _ in ids]

    assert head.inspection_id == again.inspection_id == ids[0]
    assert overrun[insight.RESULTS_BUFFER_OVERRUN] and not overrun[insight.TRIGGER_ACK]
    assert [(each.inspection_id, each.user_result) for each in results] == list(zip(ids, range(1, 9), strict=True))


@pytest.mark.parametrize("cleared_by", ["toggling Trigger Enable", "a good acquisition", "Clear Error"])
async def test_a_trigger_while_offline_is_an_error_until_it_is_cleared(
    line: tuple[StationProcess, int], cleared_by: str
) -> None:
    async with plc_at(line[1]) as plc:
        await plc.enable(buffered=False)
        await plc.until(lambda status: status[insight.TRIGGER_READY])
        plc.set(insight.SET_OFFLINE)
        await plc.until(lambda status: not (status[insight.ONLINE] or status[insight.TRIGGER_READY]))
        plc.set(insight.TRIGGER)
        refused = await plc.until(lambda status: status[insight.ACQ_ERROR])
        plc.set(insight.TRIGGER, False)
        plc.set(insight.SET_OFFLINE, False)
        await plc.until(lambda status: status[insight.ONLINE])
        if cleared_by == "a good acquisition":
            await plc.acquire(2)
        elif cleared_by == "Clear Error":
            plc.set(insight.CLEAR_ERROR)
        else:
            await plc.enable(buffered=False)
        await plc.until(lambda status: not status[insight.ACQ_ERROR])

    assert not refused[insight.TRIGGER_ACK]


async def test_jobs_change_offline_and_the_current_job_confirms_it(line: tuple[StationProcess, int]) -> None:
    async with plc_at(line[1]) as plc:
        await plc.enable(buffered=False)
        await plc.until(lambda status: status.current_job == 1)
        completed = await plc.execute(7)
        changed = await plc.scan()
        refused = await plc.execute(999)
        stays = await plc.scan()
        await plc.acquire(3)
        result = await plc.take_result()

    assert (completed, changed.current_job) == (True, 7)
    assert (refused, stays.current_job) == (False, 7)
    assert result.user_result == 3


async def test_a_test_run_without_golden_parts_fails_and_is_no_job(line: tuple[StationProcess, int]) -> None:
    async with plc_at(line[1]) as plc:
        await plc.enable(buffered=False)
        await plc.until(lambda status: status.current_job == 1)
        completed = await plc.execute(insight.TEST_RUN)

        assert (completed, (await plc.scan()).current_job) == (False, 1)


async def test_a_station_that_is_gone_is_an_error_offline_and_not_ready(line: tuple[StationProcess, int]) -> None:
    station, port = line
    async with plc_at(port) as plc:
        await plc.enable(buffered=False)
        await plc.until(lambda status: status[insight.TRIGGER_READY])
        station.kill()
        gone = await plc.until(lambda status: status[insight.ERROR])

        assert not (gone[insight.ONLINE] or gone[insight.TRIGGER_READY] or gone[insight.JOB_PASS])
