"""Images and their records: whatever is on the disk was announced in the journal before, durably."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from disk_and_clock import disk_and_clock
from small_project import child_named, journal_rows, make_project, running, status_when, wait_for

from lineside.client import StationClient

CAMERA = 'backend = "simulated"\nprerendered = 8'
ALL_KEPT = "[images]\npass_share = 1.0"
END_S = 45.0
"""What docs/reliability.md states for the end of a station whose archiver hangs."""


def stored(folder: Path) -> set[str]:
    """The images on the disk, by id."""
    return {path.stem for path in (folder / "var" / "images").rglob("*.png")}


def recorded(folder: Path) -> set[str]:
    """The images of which the journal knows durably, by id."""
    return {image_id.replace("/", "-") for (image_id,) in journal_rows(folder, "SELECT image_id FROM images")}


def test_no_image_is_on_the_disk_before_its_record(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, trigger='source = "takt"\ntakt_ms = 100', camera=CAMERA, recipe=ALL_KEPT)
    with disk_and_clock(tmp_path) as disk, running(station_file):
        disk.slow(200)  # it takes the journal longer to record an image than the archiver to store it
        deadline = time.monotonic() + 60
        while len(seen := stored(tmp_path)) < 15:
            assert seen <= recorded(tmp_path), "an image lay on the disk of which the journal knew nothing"
            assert time.monotonic() < deadline


async def test_an_end_waits_for_an_archiver_that_is_still_starting(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, trigger='source = "software"', camera=CAMERA, recipe=ALL_KEPT)
    with running(station_file) as station:
        async with StationClient(station.address) as client:
            os.kill(child_named(station, "archiver"), signal.SIGKILL)
            wait_for(lambda: "child lost" in station.log(), "the archiver is missed")
            await client.trigger("its image waits", wait=True)
        assert station.terminate() == 0
    assert journal_rows(tmp_path, "SELECT state, detail FROM images") == [("kept", "")]


async def test_an_archiver_that_hangs_delays_the_end_for_no_longer_than_stated(tmp_path: Path) -> None:
    station_file = make_project(tmp_path, trigger='source = "software"', camera=CAMERA, recipe=ALL_KEPT)
    with running(station_file) as station:
        archiver = child_named(station, "archiver")
        async with StationClient(station.address) as client:
            os.kill(archiver, signal.SIGSTOP)
            await client.trigger("its image waits", wait=True)
            await status_when(client, lambda status: status.counters.triggers == 1)
        station.process.send_signal(signal.SIGTERM)
        assert station.wait(END_S) == 0
        wait_for(lambda: not Path(f"/proc/{archiver}").exists(), "the archiver is gone")
    assert journal_rows(tmp_path, "SELECT state, detail FROM images") == [
        ("failed", "archiver: the station is stopping")
    ]
