"""`kill -9` of the station at random moments under load: no told verdict is lost or changed, no number used again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from listener import Heard, listening, payloads_of, violations
from small_project import StationProcess, make_project, running

from lineside.wire.v1 import inspection_pb2 as pb

TAKT = 'source = "takt"\ntakt_ms = 10'
CAMERA = 'backend = "simulated"\nprerendered = 8\ndefect_rate = 0.3'
LONGEST_WORK_S = 1.0
LONGEST_START_S = 1.5
WHILE_STARTING = 0.25
"""The share of kills that come at some moment from the first instruction on, not only at work."""


def test_ten_kills_at_random_moments_break_no_promise(tmp_path: Path) -> None:
    heard = kills(tmp_path, 10, random.Random(10))

    assert len(heard) >= 50
    assert violations(heard, tmp_path / "var") == []
    assert len({told.verdict.boot_id for told in heard}) >= 4, "it was at work between the kills"
    assert [told.verdict.sequence for told in heard if told.verdict.outcome not in KNOWN] == []


KNOWN = (pb.OUTCOME_PASS, pb.OUTCOME_FAIL, pb.OUTCOME_NOT_INSPECTED)


def kills(
    folder: Path, count: int, chance: random.Random, on_progress: Callable[[int], None] = lambda done: None
) -> list[Heard]:
    """Kills a station that often, one reader listening throughout; then ends it in order. All that was heard."""
    station_file = make_project(folder, trigger=TAKT, camera=CAMERA, recipe="[images]\npass_share = 0.2")
    address = f"unix://{folder / 's.sock'}"
    with listening(address, folder / "heard") as listener:
        for number in range(count):
            with (folder / "station.log").open("w") as log:
                log.write("== start\n")
            station = StationProcess(station_file)
            if chance.random() < WHILE_STARTING:
                time.sleep(chance.random() * LONGEST_START_S)
            else:
                station.wait_until_serving()
                time.sleep(chance.random() * LONGEST_WORK_S)
            assert station.process.poll() is None, station.log()
            station.kill()
            on_progress(number + 1)
        with running(station_file) as station:
            listener.wait_for(listener.count + 5)
            assert station.terminate() == 0
        return listener.wait_for(len(payloads_of(folder / "var")))
