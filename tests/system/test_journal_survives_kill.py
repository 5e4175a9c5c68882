"""What the journal said is durable is there afterwards, whatever happened to the process or the disk."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.core.clock import SystemClock
from lineside.core.errors import ConfigError
from lineside.core.record import VerdictRecord
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome
from lineside.journal.chain import verify_chain
from lineside.journal.journal import Journal

WRITER = """
import asyncio, os, sys, uuid
from pathlib import Path
from lineside.core.clock import SystemClock
from lineside.core.record import VerdictRecord
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome
from lineside.journal.journal import Journal

def answer(journal, number):
    sequence = journal.next_sequence
    record = VerdictRecord(sequence=sequence, trigger_number=number, part_id=f"part-{number}", outcome=Outcome.PASS,
                           reason=0, decided_utc_ns=1, payload=os.urandom(600))
    durable = journal.append(record)
    durable.add_done_callback(lambda done: os.write(1, f"{sequence}\\n".encode()))
    return durable

async def main():
    path, boot_id = Path(sys.argv[1]), uuid.uuid4().hex
    journal = Journal.open(path, boot_id=boot_id, station_id="s", line_id="l", clock=SystemClock())
    for trigger in journal.unfinished:
        answer(journal, trigger.number)
    waiting = []
    while True:
        for _ in range(8):
            number = journal.next_trigger_number
            times = dict(received_utc_ns=1, received_mono_ns=1, due_mono_ns=1)
            journal.open_trigger(Trigger(number=number, part_id="p", **times))
            waiting.append(number)
        await asyncio.sleep(0)
        while len(waiting) > 4:
            durable = answer(journal, waiting.pop(0))
        await durable

asyncio.run(main())
"""


def run_and_kill(path: Path, chance: random.Random, *, after_some: bool) -> list[int]:
    """Starts a writer, kills it at some moment, returns the sequence numbers that it told of."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        told = b""
        if after_some:
            for _ in range(chance.randint(1, 200)):
                told += writer.stdout.readline()
            time.sleep(chance.random() * 0.02)
        else:
            time.sleep(chance.random() * 0.6)  # also while it starts
        writer.kill()
        told += writer.stdout.read()
    return [int(line) for line in told.split(b"\n")[:-1]]


def test_twenty_kills_lose_no_verdict_that_was_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    chance = random.Random(20)
    told: list[int] = []
    for round_number in range(20):
        told += run_and_kill(path, chance, after_some=round_number % 4 != 3)

    connection = sqlite3.connect(path)
    sequences = [row[0] for row in connection.execute("SELECT sequence FROM verdicts ORDER BY sequence")]
    answered = [row[0] for row in connection.execute("SELECT trigger_number FROM verdicts")]
    still_open = [row[0] for row in connection.execute("SELECT trigger_number FROM open_triggers")]
    boots = connection.execute("SELECT count(*) FROM boots").fetchone()[0]
    problems = list(verify_chain(connection))
    connection.close()

    assert boots >= 15
    assert len(told) > 500
    assert sorted(set(told)) == told, "each was told once, in order, over all starts"
    assert set(told) <= set(sequences)
    assert sequences == list(range(1, len(sequences) + 1))
    assert sorted(answered + still_open) == list(range(1, len(answered) + len(still_open) + 1))
    assert problems == []


def test_a_commit_torn_off_by_the_kill_is_forgotten_and_the_rest_stands(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    told = run_and_kill(path, random.Random(1), after_some=True)
    log = path.with_name(path.name + "-wal")
    with log.open("ab") as file:
        file.write(log.read_bytes()[-4120:-100])  # a frame that was never finished

    journal = Journal.open(path, boot_id="after", station_id="s", line_id="l", clock=SystemClock())
    found = journal.last_sequence
    assert asyncio.run(journal.close())

    assert found >= told[-1]
    assert (path.stat().st_mode & 0o777) == 0o644


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "lineside-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"this machine does not let us mount a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_tells_nothing_and_what_waited_is_durable_once_there_is_room(small_disk: Path) -> None:
    journal = Journal.open(small_disk / "journal.sqlite", boot_id="1", station_id="s", line_id="l", clock=SystemClock())
    faulty, well = asyncio.Event(), asyncio.Event()
    journal.watch(on_fault=lambda fault: faulty.set(), on_recovered=well.set)
    filler = small_disk / "filler"
    await asyncio.to_thread(_fill, filler)

    durable = [_answer(journal, number) for number in range(1, 101)]
    await faulty.wait()
    assert "full" in str(journal.fault)
    assert [future for future in durable if future.done()] == []
    assert journal.last_sequence == 0

    await asyncio.to_thread(filler.unlink)
    await asyncio.gather(*durable)
    await well.wait()
    assert journal.fault is None
    assert journal.last_sequence == 100
    assert await journal.close()

    again = Journal.open(small_disk / "journal.sqlite", boot_id="2", station_id="s", line_id="l", clock=SystemClock())
    assert again.counters().failed == 100
    assert await again.close()


async def test_a_station_does_not_start_on_a_full_disk(small_disk: Path) -> None:
    journal = Journal.open(small_disk / "journal.sqlite", boot_id="1", station_id="s", line_id="l", clock=SystemClock())
    await journal.close()
    await asyncio.to_thread(_fill, small_disk / "filler")

    with pytest.raises(ConfigError, match=r"expected a (file on a )?disk with room"):
        Journal.open(small_disk / "journal.sqlite", boot_id="2", station_id="s", line_id="l", clock=SystemClock())


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def _answer(journal: Journal, number: int) -> asyncio.Future[None]:
    journal.open_trigger(
        Trigger(number=number, part_id=f"p{number}", received_utc_ns=1, received_mono_ns=1, due_mono_ns=1)
    )
    return journal.append(
        VerdictRecord(
            sequence=number,
            trigger_number=number,
            part_id=f"p{number}",
            outcome=Outcome.FAIL,
            reason=32,
            decided_utc_ns=1,
            payload=bytes(2000),
        )
    )
