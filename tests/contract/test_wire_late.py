"""A verdict that is told after its due time is marked: even a PASS then means reject."""

from __future__ import annotations

import asyncio
from pathlib import Path

from waiting import until

from lineside.client import Outcome, StationClient
from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation
from lineside.wire.v1 import inspection_pb2 as pb

DUE_MS = 200
"""Of a FakeStation's parts."""


async def test_history_is_late_and_what_is_told_at_once_is_not(tmp_path: Path) -> None:
    station = FakeStation()
    server = InspectionServer(station, station, station, ServeOptions(tcp="", unix=str(tmp_path / "s.sock")))
    await server.start()
    try:
        station.add_verdicts(3)
        await asyncio.sleep(DUE_MS / 1000 + 0.05)
        async with (
            StationClient(server.addresses[0]) as client,
            client.verdicts(after_sequence=0, heartbeat_ms=50) as reader,
        ):
            heard = []
            async for verdict in reader:
                heard.append((verdict.sequence, Outcome(verdict.outcome).name, reader.late))
                if verdict.sequence == 3:
                    station.add_verdicts(1)
                if verdict.sequence == 4:
                    break

        assert heard[:3] == [(1, "PASS", True), (2, "PASS", True), (3, "PASS", True)]
        assert heard[3][:2] == (4, "PASS")
    finally:
        await server.stop(grace_s=0.2)


async def test_an_answer_that_was_waited_for_says_whether_it_is_late(tmp_path: Path) -> None:
    station = FakeStation()
    server = InspectionServer(station, station, station, ServeOptions(tcp="", unix=str(tmp_path / "s.sock")))
    await server.start()
    try:
        async with StationClient(server.addresses[0]) as client:
            in_time = await client.trigger("P1", wait=True, due_ms=60_000)
            station.hold()
            waiting = asyncio.create_task(client.trigger("P2", wait=True, due_ms=1))
            await until(lambda: station.status().counters.in_flight == 1)
            await asyncio.sleep(0.01)  # past the due time
            station.release()
            late = await waiting

        assert (in_time.verdict.outcome, in_time.late) == (pb.OUTCOME_PASS, False)
        assert (late.verdict.outcome, late.late) == (pb.OUTCOME_PASS, True)
    finally:
        await server.stop(grace_s=0.2)
