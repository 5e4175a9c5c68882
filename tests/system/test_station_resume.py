"""A reader that dies and comes back goes on where it was: each verdict once, in order."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from small_project import make_project, running, wait_for

CAMERA = """backend = "simulated"
prerendered = 20
takt_ms = {takt_ms}
"""

READER = """
import asyncio, os, sys, time
from lineside.client import StationClient

address, handled, reader, last = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

async def main():
    done = 0
    if os.path.exists(handled) and not reader:
        with open(handled) as lines:
            done = [int(line) for line in lines if line != "start\\n"][-1:]
            done = done[0] if done else 0
    file = os.open(handled, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, b"start\\n")
    start = {"reader": reader} if reader else {"after_sequence": done}
    async with StationClient(address) as station, station.verdicts(**start) as verdicts:
        while done < last:
            async for verdict in verdicts:
                # The effect of this reader is this line; the line is also where it knows from how far it was.
                os.write(file, b"%d\\n" % verdict.sequence)
                time.sleep(0.002)  # it takes its time, so that the kills strike in the midst of much to handle
                done = verdict.sequence
                if done >= last:
                    verdicts.handled(done)
                    break

asyncio.run(main())
"""


def handled_by(file: Path) -> list[list[int]]:
    """The sequence numbers that each life of the reader handled."""
    lives: list[list[int]] = []
    for line in file.read_text().splitlines() if file.exists() else []:
        if line == "start":
            lives.append([])
        else:
            lives[-1].append(int(line))
    return lives


def has_handled(file: Path, life: int, sequence: int) -> bool:
    """True when that life of the reader has begun, and it or an earlier one has come so far."""
    lives = handled_by(file)
    return len(lives) == life and any(each and each[-1] >= sequence for each in lives)


def handle_with_kills(address: str, file: Path, *, reader: str, parts: int, kills: int) -> list[list[int]]:
    """Runs the reader, kills it so many times spread over so many parts, lets its last life finish."""
    command = [sys.executable, "-c", READER, address, str(file), reader, str(parts)]
    for kill in range(1, kills + 1):
        with subprocess.Popen(command) as process:
            enough = kill * parts // (kills + 1)
            wait_for(partial(has_handled, file, kill, enough), f"in life {kill} the reader has handled {enough}")
            process.kill()
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    return handled_by(file)


@pytest.mark.slow
def test_a_reader_killed_twenty_times_handles_each_of_two_thousand_verdicts_once(tmp_path: Path) -> None:
    with running(make_project(tmp_path, camera=CAMERA.format(takt_ms=8)), "--count", "2000") as station:
        lives = handle_with_kills(station.address, tmp_path / "handled", reader="", parts=2000, kills=20)
    assert len(lives) == 21
    assert [sequence for life in lives for sequence in life] == list(range(1, 2001))


def test_a_named_reader_that_is_killed_misses_nothing_and_repeats_only_what_it_had_not_acknowledged(
    tmp_path: Path,
) -> None:
    with running(make_project(tmp_path, camera=CAMERA.format(takt_ms=5)), "--count", "600") as station:
        lives = handle_with_kills(station.address, tmp_path / "handled", reader="bridge", parts=600, kills=5)
    assert len(lives) == 6
    last = 0
    for life in lives:
        assert life == list(range(life[0], life[-1] + 1)), "within one life each comes once, in order"
        assert life[0] <= last + 1, "nothing is left out between two lives"
        last = life[-1]
    assert last == 600
