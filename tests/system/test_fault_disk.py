"""A disk that is full, slow, takes no writes or gives back other bytes: nothing untrue is told, no loss is silent."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from disk_and_clock import disk_and_clock, small_disk
from listener import Listener, listening, payloads_of, violations
from small_project import StationProcess, journal_rows, make_project, running, status_when

from lineside.client import Outcome, StationClient
from lineside.core.errors import FrameError, NotFound, OutOfRange
from lineside.journal.audit import audit
from lineside.wire.v1 import inspection_pb2 as pb

TAKT = 'source = "takt"\ntakt_ms = 50'
CAMERA = 'backend = "simulated"\nprerendered = 8'
RECOVERS_S = 10.0
"""The journal tries again at least every 2 s."""


def fill(path: Path) -> None:
    """Takes all room that there is."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


async def not_ready(station: StationProcess) -> str:
    """Waits until the station says why it is not ready."""
    async with StationClient(station.address) as client:
        status = await status_when(client, lambda status: not status.ready)
        return status.why_not_ready


async def triggered(station: StationProcess, more: int) -> None:
    """Waits until so many more triggers were accepted."""
    async with StationClient(station.address) as client:
        before = (await client.status()).counters.triggers
        await status_when(client, lambda status: status.counters.triggers >= before + more)


def told_in_time(listener: Listener) -> int:
    """How many verdicts were told that the line may still use."""
    return sum(not heard.late for heard in listener.heard())


@pytest.mark.parametrize("trouble", ["full", "read-only"])
async def test_while_the_disk_takes_nothing_nothing_is_told_and_afterwards_everything_in_order_and_as_late(
    tmp_path: Path, trouble: str
) -> None:
    parts = await disk_takes_nothing(tmp_path, trouble)
    assert parts >= 60


async def disk_takes_nothing(folder: Path, trouble: str) -> int:
    """Returns how many parts were judged, all promises held."""
    station_file = make_project(folder, trigger=TAKT, camera=CAMERA, due_ms=400)
    with disk_and_clock(folder) as disk, small_disk(folder / "var", size_mb=8) as data_dir:
        filler = data_dir / "filler"
        with running(station_file) as station, listening(station.address, folder / "heard") as listener:
            listener.wait_for(20)
            if trouble == "full":
                fill(filler)
            else:
                disk.refuse_writes(errno.EROFS)
            why = await not_ready(station)
            heard = listener.count
            await triggered(station, 20)

            assert "cannot be written" in why
            assert "free disk space or repair the disk" in why
            assert heard == len(payloads_of(data_dir)) == listener.count, "what is not durable was told"
            filler.unlink(missing_ok=True)
            disk.refuse_writes(0)
            async with StationClient(station.address) as client:
                await status_when(client, lambda status: status.ready, RECOVERS_S)
            listener.wait_for(heard + 40)
            station.terminate()
            told = listener.wait_for(len(payloads_of(data_dir)))
        late = [heard.verdict.sequence for heard in told if heard.late]
        events = journal_rows(folder, "SELECT kind, detail FROM events WHERE kind LIKE 'journal%' ORDER BY id")

        assert violations(told, data_dir) == []
        assert late, "some waited for longer than their due time"
        assert [kind for kind, _ in events] == ["journal cannot write", "journal recovered"]
        assert "cannot be written" in events[0][1]
        return len(told)


def test_a_station_does_not_start_where_it_cannot_write_and_says_what_to_do(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, trigger=TAKT, camera=CAMERA)
    with small_disk(tmp_path / "var", size_mb=4) as data_dir:
        subprocess.run(["mount", "-o", "remount,ro", str(data_dir)], check=True)
        station = StationProcess(station_file)

        assert station.wait() == 2
        assert "Read-only file system" in station.log()
        assert "to do:    correct data_dir in the station file or its permissions" in station.log()


async def test_on_a_disk_that_takes_two_seconds_no_verdict_is_told_as_if_it_were_in_time(tmp_path: Path) -> None:
    assert await slow_disk(tmp_path) >= 60


async def slow_disk(folder: Path) -> int:
    """Returns how many parts were judged, all promises held."""
    station_file = make_project(folder, trigger=TAKT, camera=CAMERA, due_ms=1500)
    with (
        disk_and_clock(folder) as disk,
        running(station_file) as station,
        listening(station.address, folder / "heard") as listener,
    ):
        listener.wait_for(20)
        before_utc_ns = time.time_ns()
        disk.slow(2000)
        slow_from_utc_ns = time.time_ns()
        await triggered(station, 20)
        slow_to_utc_ns = time.time_ns()
        listener.wait_for(listener.count + 20)  # two flushes or more: those triggers are through
        disk.slow(0)
        async with StationClient(station.address) as client:
            await status_when(client, lambda status: status.counters.in_flight <= 1)
            now = listener.count
            listener.wait_for(now + 60)
            counted = (await client.status()).counters.late
        station.terminate()
        told = listener.wait_for(len(payloads_of(folder / "var")))
    slow = [heard for heard in told if slow_from_utc_ns < heard.verdict.triggered_utc_ns < slow_to_utc_ns]
    well = [heard for heard in told if heard.heard_utc_ns < before_utc_ns]
    noted = journal_rows(folder, "SELECT trigger_number, detail FROM late_answers ORDER BY id")

    assert violations(told, folder / "var") == []
    assert len(slow) >= 15
    assert [heard.verdict.sequence for heard in slow if not heard.late] == []
    assert {Outcome(heard.verdict.outcome) for heard in slow} <= {Outcome.PASS, Outcome.FAIL}, "it was judged in time"
    assert any(not heard.late for heard in well)
    assert any(not heard.late for heard in told[-30:]), "it is in time again"
    assert len(noted) >= counted >= len(slow)
    assert all("durable" in detail and "after the due time" in detail for _, detail in noted)
    return len(told)


# Damaged files


def cut(log: Path, chance: random.Random) -> None:
    with log.open("r+b") as file:
        file.truncate(chance.randrange(log.stat().st_size // 2, log.stat().st_size))


def garble(log: Path, chance: random.Random) -> None:
    with log.open("r+b") as file:
        file.seek(chance.randrange(log.stat().st_size // 2, log.stat().st_size - 600))
        file.write(chance.randbytes(600))


def grow(log: Path, chance: random.Random) -> None:
    with log.open("ab") as file:
        file.write(chance.randbytes(5000))


@pytest.mark.parametrize("damage", [cut, garble, grow])
async def test_a_log_damaged_at_its_tail_costs_what_stood_there_and_readers_who_heard_more_are_told(
    tmp_path: Path, damage: Callable[[Path, random.Random], None]
) -> None:
    assert await damaged_tail(tmp_path, damage, random.Random(4)) > 20


async def damaged_tail(folder: Path, damage: Callable[[Path, random.Random], None], chance: random.Random) -> int:
    """Returns how many parts were told before the kill."""
    station_file = make_project(folder, trigger=TAKT, camera=CAMERA)
    with running(station_file) as station, listening(station.address, folder / "heard") as listener:
        listener.wait_for(25)
        station.kill()
        told = [heard.payload for heard in listener.heard()]
    damage(folder / "var" / "journal.sqlite-wal", chance)
    station_file = make_project(folder, trigger='source = "software"', camera=CAMERA)
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            kept = payloads_of(folder / "var")
            if len(kept) < len(told):
                with pytest.raises(OutOfRange, match="expected a reader of this journal"):
                    async with client.verdicts(after_sequence=len(told)) as reader:
                        await anext(aiter(reader))
            answer = await client.trigger("after", wait=True)
            assert answer.verdict.sequence == len(kept) + 1

    assert audit(folder / "var", images=False).problems == []
    assert len(kept) >= len(told) or damage is not grow, "what follows the last commit is no loss"
    first_start = pb.Verdict.FromString(told[0]).boot_id
    survived = [payload for payload in kept if pb.Verdict.FromString(payload).boot_id == first_start]
    common = min(len(survived), len(told))
    assert survived[:common] == told[:common], "what stood before the damage is as it was"
    return len(told)


def test_a_journal_damaged_in_its_middle_is_refused_at_the_start_with_what_to_do(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, trigger=TAKT + "\ncount = 30", camera=CAMERA)
    with running(station_file, "--until-end") as station:
        assert station.wait() == 0
    journal = tmp_path / "var" / "journal.sqlite"
    whole = journal.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:4096] + bytes(len(whole) - 4096), b"\x80" * 100 + whole[100:]):
        journal.write_bytes(damaged)
        (tmp_path / "station.log").write_text("")
        refused = StationProcess(station_file)

        assert refused.wait() == 2, refused.log()
        assert f"journal {journal} is damaged" in refused.log()
        assert "recover it with `sqlite3 FILE .recover`" in refused.log()
        assert journal.read_bytes() == damaged, "evidence is not touched"


def test_an_altered_verdict_near_the_end_is_refused_at_the_start(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, trigger=TAKT + "\ncount = 10", camera=CAMERA)
    with running(station_file, "--until-end") as station:
        assert station.wait() == 0
    connection = sqlite3.connect(tmp_path / "var" / "journal.sqlite", isolation_level=None)
    connection.execute("DROP TRIGGER verdicts_are_never_changed")
    connection.execute("UPDATE verdicts SET outcome = 1 + outcome % 2 WHERE sequence = 8")
    connection.close()
    refused = StationProcess(station_file)

    assert refused.wait() == 2
    assert "verdict 8 (trigger 8) was altered" in refused.log()


async def test_a_damaged_image_is_never_shown_and_the_line_does_not_notice(tmp_path: Path) -> None:
    station_file = make_project(
        tmp_path, trigger='source = "software"', camera=CAMERA, recipe="[images]\npass_share = 1.0"
    )
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            for number in range(3):
                await client.trigger(f"part {number}", wait=True)
            await status_when(client, lambda status: status.archive.kept == 3)
            flipped, missing, whole = sorted((tmp_path / "var" / "images").rglob("*.png"))
            data = bytearray(flipped.read_bytes())
            data[len(data) // 2] ^= 1
            flipped.write_bytes(data)
            missing.unlink()

            with pytest.raises(FrameError, match="is damaged"):
                await client.image(flipped.stem)
            with pytest.raises(NotFound, match="gone from the archive though the journal has it kept"):
                await client.image(missing.stem)
            assert (await client.image(whole.stem))[1] == whole.read_bytes()
            assert (await client.trigger("next", wait=True)).verdict.outcome == Outcome.PASS
        station.terminate()
    named = [problem.what for problem in audit(tmp_path / "var").problems]

    assert len(named) == 2
    assert f"image {flipped.stem} is damaged" in named[0]
    assert f"image {missing.stem} is missing" in named[1]


# The ladder


async def test_under_pressure_passes_are_given_up_first_and_verdicts_never(tmp_path: Path) -> None:
    assert await pressure(tmp_path) >= 60


async def pressure(folder: Path) -> int:
    """Returns how many parts were judged, all promises held."""
    camera = 'backend = "simulated"\nprerendered = 16\ndefect_rate = 0.5'
    station_file = make_project(folder, trigger=TAKT, camera=camera, recipe="[images]\npass_share = 1.0")
    text = station_file.read_text()
    station_file.write_text(text.replace("min_free_bytes = 0", "min_free_bytes = 8388608\nmax_bytes = 10485760"))
    with small_disk(folder / "var", size_mb=24) as data_dir, running(station_file) as station:
        filler = data_dir / "filler"
        with listening(station.address, folder / "heard") as listener:
            async with StationClient(station.address) as client:
                await status_when(client, lambda status: status.archive.kept >= 20)
                free = os.statvfs(data_dir).f_bavail * os.statvfs(data_dir).f_frsize
                for room_bytes in (800_000, 200_000, -100_000):  # steps of 524,288: no passes, removing passes, none
                    with filler.open("ab") as file:
                        file.write(bytes(max(0, free - 8_388_608 - room_bytes)))
                    await triggered(station, 20)
                    free = os.statvfs(data_dir).f_bavail * os.statvfs(data_dir).f_frsize
                status = await client.status()
                filler.unlink()
                await status_when(client, lambda status: status.archive.step == "normal")
            station.terminate()
            told = listener.wait_for(len(payloads_of(data_dir)))
        steps = [row[0] for row in journal_rows(folder, "SELECT detail FROM events WHERE kind = 'archive_step'")]
        given_up = journal_rows(folder, "SELECT state, outcome, count(*) FROM images GROUP BY 1, 2 ORDER BY 1, 2")
        found = violations(told, data_dir)

    assert found == []
    assert status.ready, "images are not verdicts"
    assert "no pass samples" in steps[0]
    assert [heard.verdict.sequence for heard in told if heard.late] == []
    assert ("shed", int(Outcome.PASS)) in {row[:2] for row in given_up}
    return len(told)
