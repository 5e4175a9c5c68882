"""`kill -9` of the station loses nothing that anybody heard, and its successor goes on where it ended."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from small_project import (
    StationProcess,
    assert_counts_add_up,
    child_named,
    is_gone,
    journal_rows,
    make_project,
    running,
    wait_for,
)

from lineside.client import Outcome, Reason, StationClient, VerdictReader
from lineside.journal.chain import verify_chain
from lineside.wire.v1 import inspection_pb2 as pb

PARTS = 2000
KILLS = 5


class Listener:
    """Reads the stream across all kills and keeps what it heard, as bytes."""

    def __init__(self, verdicts: VerdictReader) -> None:
        self._verdicts = aiter(verdicts)
        self.heard: list[bytes] = []

    async def listen(self, until_sequence: int) -> None:
        while len(self.heard) < until_sequence:
            verdict = await anext(self._verdicts)
            assert verdict.sequence == len(self.heard) + 1
            self.heard.append(verdict.SerializeToString())


def open_triggers(station: StationProcess) -> list[int]:
    return [number for (number,) in journal_rows(station.project, "SELECT trigger_number FROM open_triggers")]


def stuck(station: StationProcess) -> set[int]:
    """Triggers that stay open: answers that were given before may still be on their way to the disk."""
    before = set(open_triggers(station))
    time.sleep(0.5)
    return before & set(open_triggers(station))


def kill_in_mid_flight(station: StationProcess, *, piled_up: bool) -> list[int]:
    """Kills it and returns the triggers that it had accepted and not answered; its children die with it."""
    if piled_up:  # there certainly are such
        os.kill(child_named(station, "inspector 1"), signal.SIGSTOP)
        wait_for(lambda: bool(stuck(station)), "accepted triggers that nobody judges")
    children = station.children()
    assert len(children) == 3
    station.kill()
    wait_for(lambda: all(is_gone(child) for child in children), "the children of the killed station are gone", 5.0)
    return open_triggers(station)


@pytest.mark.slow
async def test_five_kills_during_two_thousand_parts_lose_nothing_that_was_heard(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, camera='backend = "simulated"\nprerendered = 20', due_ms=20_000)
    in_flight: list[int] = []
    async with StationClient(f"unix://{tmp_path}/s.sock") as client, client.verdicts(after_sequence=0) as verdicts:
        listener = Listener(verdicts)
        for kill in range(KILLS):
            with running(station_file) as station:
                await listener.listen((kill + 1) * PARTS // (KILLS + 1))
                left = kill_in_mid_flight(station, piled_up=kill % 2 == 0)
                assert left or kill % 2
                in_flight += left
        with running(station_file) as station:
            await listener.listen(PARTS)
            status = await client.status()
            assert_counts_add_up(status.counters)
            assert station.terminate() == 0

    rows = journal_rows(tmp_path, "SELECT sequence, trigger_number, outcome, reason, payload FROM verdicts")
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert sorted(row[1] for row in rows) == list(range(1, len(rows) + 1)), "no trigger number is missing or reused"
    assert [row[4] for row in rows[: len(listener.heard)]] == listener.heard

    restarted = [row[1] for row in rows if (row[2], row[3]) == (Outcome.NOT_INSPECTED, Reason.STATION_RESTARTED)]
    assert sorted(restarted) == sorted(in_flight)
    assert len({pb.Verdict.FromString(row[4]).boot_id for row in rows}) == KILLS + 1
    counts = [sum(row[2] == outcome for row in rows) for outcome in (1, 2, 3)]
    told = f"triggers {len(rows)} = pass {counts[0]} + fail {counts[1]} + not inspected {counts[2]}"
    assert told in station.log()
    journal = sqlite3.connect(tmp_path / "var" / "journal.sqlite")
    assert list(verify_chain(journal)) == []
    journal.close()
