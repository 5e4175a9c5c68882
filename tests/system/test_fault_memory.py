"""An inspector that can have no more memory: every part is answered in time, and its successor is whole again."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

from small_project import child_named, make_project, running, status_when, why
from test_station_faults import SOFTWARE, WHOLE, assert_in_time, verdict_of

from lineside.client import StationClient

EITHER = (*WHOLE, "NOT_INSPECTED DEVICE_LOST", "NOT_INSPECTED MODEL_ERROR")
"""A warm inspector may have all that it needs in hand; if not, its part says so."""
NO_MORE = (1 << 20, resource.RLIM_INFINITY)
"""Bytes of address space that it may have: less than it has."""


async def test_an_inspector_that_gets_no_more_memory_answers_every_part_in_time_and_is_replaced(tmp_path: Path) -> None:
    project = make_project(tmp_path, trigger=SOFTWARE, size_px=(1280, 960), layers=2, due_ms=20_000)
    with running(project) as station:
        async with StationClient(station.address) as client:
            assert why(await verdict_of(client, "before")) in WHOLE
            starved = child_named(station, "inspector 1")
            resource.prlimit(starved, resource.RLIMIT_AS, NO_MORE)
            for number in range(5):
                verdict = await verdict_of(client, f"part {number}")
                assert why(verdict) in EITHER
                assert_in_time(verdict)
            os.kill(child_named(station, "inspector 1"), signal.SIGKILL)  # as the kernel does in the end
            status = await status_when(client, lambda status: status.ready and status.inspectors[0].restarts >= 1)
            assert status.counters.triggers == 6
            assert child_named(station, "inspector 1") != starved
            assert why(await verdict_of(client, "after")) in WHOLE
