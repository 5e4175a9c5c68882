"""The daily check on a station that is stopped, and on one that runs and is not Ready before it has passed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from calibrated_project import Setting, calibrate_project
from simulated_calibration import SIZE_PX
from small_project import child_named, is_gone, journal_rows, make_project, running, status_when

from lineside.client import Outcome, Reason, StationClient
from lineside.core.errors import InvalidRequest, LinesideError, NotReady

REQUIRED = "[calibration_check]\nrequired = true\nmax_age_h = 9\n"
UNTOUCHED, KNOCKED = Setting(), Setting(focal=1.006)


def calibrated(folder: Path, *pictures: Setting, trigger: str = 'source = "software"', tables: str = "") -> Path:
    """A station whose camera shows those pictures of the target, again and again."""
    shown = folder / "shown"
    shown.mkdir(exist_ok=True)
    for number, setting in enumerate(pictures):
        cv2.imwrite(str(shown / f"{number}.png"), setting.target())
    station = make_project(
        folder, trigger=trigger, size_px=SIZE_PX, due_ms=5000,
        camera=f'backend = "folder"\npath = "{shown}"\nloop = true\n{tables}',
    )  # fmt: skip
    calibrate_project(folder, station="small", view="top", serial=str(shown), light=False)
    return station


def check(station: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return lineside("check-calibration", str(station), "--by", "b. worker", *words)


def lineside(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lineside", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def records(project: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted((project / "var" / "calibration-checks").glob("*.json"))]


def test_a_stopped_station_is_checked_by_its_own_camera(tmp_path: Path) -> None:
    station = calibrated(tmp_path, UNTOUCHED)
    told = check(station)

    assert told.returncode == 0, told.stdout + told.stderr
    assert "top: passed" in told.stdout
    assert records(tmp_path)[0]["passed"] and records(tmp_path)[0]["counts"]
    page = next((tmp_path / "var" / "calibration-checks").glob("*.html")).read_text()
    assert "Passed: nothing has changed" in page


def test_what_has_changed_is_told_with_what_to_do_and_an_exit_code(tmp_path: Path) -> None:
    station = calibrated(tmp_path, KNOCKED)
    told = check(station)
    as_json = check(station, "--json")

    assert (told.returncode, as_json.returncode) == (1, 1)
    assert "to do, scale: see whether camera, lens or mount was touched" in told.stdout
    record = json.loads(as_json.stdout)
    assert (record["passed"], record["made_by"]) == (False, "b. worker")
    scale = next(item for item in record["items"] if item["name"] == "scale")
    assert scale["change"] == pytest.approx(0.6, abs=0.05)


def test_a_file_can_be_checked_and_what_cannot_is_refused_in_words(tmp_path: Path) -> None:
    station = calibrated(tmp_path, UNTOUCHED)
    picture = tmp_path / "shown" / "0.png"
    passed, other, nothing = (
        check(station, "--picture", str(picture), "--anywhere"),
        check(station, "--view", "side"),
        check(station, "--shows", "part"),
    )

    assert passed.returncode == 0, passed.stderr
    assert [each["counts"] for each in records(tmp_path)] == [False]
    assert (other.returncode, nothing.returncode) == (2, 2)
    assert "no view 'side'" in other.stderr
    assert "lineside calibrate light" in nothing.stderr


async def test_a_station_that_requires_it_is_not_ready_until_a_check_has_passed(tmp_path: Path) -> None:
    """The first picture is of a camera that was knocked, the second and all others of one that was put right."""
    station = calibrated(tmp_path, KNOCKED, *[UNTOUCHED] * 5, tables=REQUIRED)
    with running(station) as process:
        async with StationClient(process.address) as client:
            begun = await client.status()
            refused = (await client.trigger("a", wait=True)).verdict
            failed = check(station)
            still = await client.status()
            refused_again = (await client.trigger("b", wait=True)).verdict
            passed = check(station, "--view", "top")
            ready = await client.status()
            judged = (await client.trigger("c", wait=True)).verdict
            with pytest.raises(NotReady, match="is judging parts"):
                await client.check_calibration(requested_by="b. worker")

            with pytest.raises(InvalidRequest, match="view 'side'"):
                await client.check_calibration(requested_by="b. worker", view="side")

    assert not begun.ready and "view top was never checked" in begun.why_not_ready
    assert (refused.outcome, refused.reason) == (Outcome.NOT_INSPECTED, Reason.NOT_READY)
    assert "was never checked" in refused.detail
    assert failed.returncode == 1, failed.stderr
    assert "NOT PASSED" in failed.stdout
    assert not still.ready and "view top failed its last" in still.why_not_ready
    assert refused_again.outcome == Outcome.NOT_INSPECTED
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert ready.ready, ready.why_not_ready
    assert judged.outcome in (Outcome.PASS, Outcome.FAIL)
    assert [each["passed"] for each in records(tmp_path)] == [False, True]
    events = [kind for (kind,) in journal_rows(tmp_path, "SELECT kind FROM events ORDER BY rowid")]
    assert [kind for kind in events if kind.startswith("calibration check")] == [
        "calibration check failed",
        "calibration check passed",
    ]


async def test_the_last_check_counts_after_a_restart_unless_it_was_altered(tmp_path: Path) -> None:
    station = calibrated(tmp_path, UNTOUCHED, tables=REQUIRED)
    assert check(station).returncode == 0
    with running(station) as process:
        async with StationClient(process.address) as client:
            restarted = await client.status()
    path = next((tmp_path / "var" / "calibration-checks").glob("*.json"))
    path.write_text(path.read_text().replace("b. worker", "c. worker"))
    with running(station) as process:
        async with StationClient(process.address) as client:
            altered = await client.status()

    assert restarted.ready, restarted.why_not_ready
    assert not altered.ready and "was never checked" in altered.why_not_ready
    assert any(event.kind == "calibration check ignored" for event in altered.events)


async def test_a_station_at_work_is_checked_in_a_pause_and_no_part_is_missed(tmp_path: Path) -> None:
    """A camera that sets the pace brings the picture with its next frame, which is no judged part."""
    station = calibrated(tmp_path, UNTOUCHED, trigger='source = "camera"', tables="takt_ms = 100\n")
    with running(station) as process:
        async with StationClient(process.address) as client:
            await status_when(client, lambda status: status.counters.triggers > 3)
            await client.pause(requested_by="b. worker", why="check")
            told = check(station)
            await client.resume(requested_by="b. worker")
            at_resume = (await client.status()).counters.triggers
            await status_when(client, lambda status: status.counters.triggers > at_resume + 3)
            status = await client.status()

    assert told.returncode == 0, told.stdout + told.stderr
    assert status.ready
    assert records(tmp_path)[0]["passed"]


async def test_a_station_that_is_stopped_in_the_middle_of_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    station = calibrated(tmp_path, UNTOUCHED, tables=REQUIRED)
    with running(station) as process:
        async with StationClient(process.address) as client:
            asked = asyncio.create_task(client.check_calibration(requested_by="b. worker"))
            checker = await asyncio.to_thread(child_named, process, "calibration check")
            code = await asyncio.to_thread(process.terminate)
            answers = await asyncio.gather(asked, return_exceptions=True)

    assert code == 0
    assert is_gone(checker)
    assert isinstance(answers[0], LinesideError)


async def test_a_check_without_anything_to_check_against_says_what_to_do(tmp_path: Path) -> None:
    """A station that requires it does not start; one that does not is told at the check."""
    station = calibrated(tmp_path, UNTOUCHED, tables='[calibration_check]\nshows = "part"\n')
    with running(station) as process:
        async with StationClient(process.address) as client:
            await client.pause(requested_by="b. worker", why="check")
        told = check(station)
    station.write_text(station.read_text().replace("[calibration_check]", "[calibration_check]\nrequired = true"))
    refused = lineside("run", str(station))

    assert told.returncode == 2
    assert "no calibration of kind light" in told.stderr
    assert "lineside calibrate light" in told.stderr
    assert "Traceback" not in told.stderr
    assert refused.returncode == 2
    assert "required = true, and there is no " in refused.stderr
