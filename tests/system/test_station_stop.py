"""A station that is told to stop answers what is in flight, ends with 0, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_project import (
    StationProcess,
    child_named,
    is_gone,
    journal_rows,
    make_project,
    running,
    status_when,
    wait_for,
    why,
)

from lineside.client import StationClient, StationUnreachable
from lineside.core.errors import LinesideError

SOFTWARE = 'source = "software"'
STOP_S = 15.0
"""Parts in flight are waited for up to 5 s, readers and processes up to 2 s each; the rest is a slow test machine."""


@contextmanager
def leaves_nothing(station: StationProcess) -> Iterator[None]:
    """Afterwards the station has ended in order and in time, and there is no trace of its run but its records."""
    children, shared_memory = station.children(), set(Path("/dev/shm").iterdir())
    begun = time.monotonic()
    yield
    assert station.wait(STOP_S) == 0, station.log()
    assert time.monotonic() - begun < STOP_S
    assert all(is_gone(child) for child in children)
    assert not (station.project / "s.sock").exists()
    assert set(Path("/dev/shm").iterdir()) == shared_memory
    assert [path.name for path in (station.project / "var").glob("journal*")] == [
        "journal.sqlite",
        "journal.sqlite.lock",
    ]
    assert not list((station.project / "var").rglob("*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_parts_in_flight_are_judged_before_the_end_and_heard_by_readers(
    number: signal.Signals, tmp_path: Path
) -> None:
    camera = 'backend = "simulated"\nexposure_us = 300_000'
    with running(make_project(tmp_path, trigger=SOFTWARE, camera=camera)) as station:
        async with StationClient(station.address) as client, client.verdicts(after_sequence=0) as reader:
            parts = [asyncio.create_task(client.trigger(f"part {n}", wait=True)) for n in range(2)]
            await status_when(client, lambda status: status.counters.in_flight == 2)
            with leaves_nothing(station):
                station.process.send_signal(number)
                for part in parts:
                    assert why((await part).verdict) in ("PASS", "FAIL DEFECTS")
                heard = [await anext(aiter(reader)) for _ in parts]
    assert {verdict.part_id for verdict in heard} == {"part 0", "part 1"}
    assert "triggers 2 = " in station.log()


async def test_parts_that_cannot_be_judged_are_answered_as_stopping_and_later_triggers_refused(tmp_path: Path) -> None:
    with running(make_project(tmp_path, trigger=SOFTWARE, due_ms=60_000)) as station:
        async with StationClient(station.address) as client, client.verdicts(after_sequence=0) as reader:
            os.kill(child_named(station, "camera top"), signal.SIGSTOP)
            parts = [asyncio.create_task(client.trigger(part, wait=True)) for part in ("held up", "held up too")]
            await status_when(client, lambda status: status.counters.in_flight == 2)
            with leaves_nothing(station):
                station.process.send_signal(signal.SIGTERM)
                await status_when(client, lambda status: "stopping" in status.why_not_ready)
                with pytest.raises(LinesideError, match="stopping"):
                    await client.trigger("too late")
                for part in parts:
                    assert why((await part).verdict) == "NOT_INSPECTED STATION_STOPPING"
                heard = [await anext(aiter(reader)) for _ in range(2)]
    assert {verdict.part_id for verdict in heard} == {"held up", "held up too"}
    assert journal_rows(tmp_path, "SELECT count(*) FROM open_triggers") == [(0,)]
    assert journal_rows(tmp_path, "SELECT count(*) FROM boots WHERE stopped_utc_ns IS NULL") == [(0,)]


async def test_images_of_the_last_parts_are_stored_or_named(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, recipe="[images]\npass_share = 1.0", camera='backend = "simulated"')
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            await status_when(client, lambda status: status.counters.triggers > 50)
            with leaves_nothing(station):
                station.process.send_signal(signal.SIGTERM)
    states = dict(journal_rows(tmp_path, "SELECT state, count(*) FROM images GROUP BY state"))
    verdicts = journal_rows(tmp_path, "SELECT count(*) FROM verdicts")[0][0]
    assert sum(states.values()) >= verdicts
    assert states.keys() <= {"kept", "shed"}
    assert len(list((tmp_path / "var" / "images").rglob("*.png"))) == states["kept"]


async def test_a_finished_source_ends_the_station_by_itself(tmp_path: Path) -> None:
    with running(make_project(tmp_path), "--count", "30", "--until-end") as station, leaves_nothing(station):
        pass
    assert "triggers 30 = " in station.log()
    with pytest.raises(StationUnreachable):
        async with StationClient(station.address) as client:
            await client.status()


@pytest.mark.parametrize("moment", ["the journal is opened", "an inspector is not yet warm"])
def test_a_station_that_is_still_starting_can_be_told_to_stop(moment: str, tmp_path: Path) -> None:
    station = StationProcess(make_project(tmp_path))
    if moment == "the journal is opened":
        wait_for((tmp_path / "var" / "journal.sqlite.lock").exists, moment)
    else:
        os.kill(child_named(station, "inspector 1"), signal.SIGSTOP)  # so that it stays so
    with leaves_nothing(station):
        station.process.send_signal(signal.SIGTERM)
    assert " serves on " not in station.log()
