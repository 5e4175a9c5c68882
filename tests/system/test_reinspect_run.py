"""`lineside reinspect` under kill -9, Ctrl-C and full disks: what is done stays done, and the rows are the same."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from reinspection import ODD, kill_one, make_archive, reinspect, rows_of
from small_project import is_gone, make_project, running, wait_for

from lineside.core.verdict import Outcome

PICTURES = 700
CHANCE = random.Random(11)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("project"), pictures=PICTURES, layers=4)


@pytest.fixture(scope="module")
def undisturbed(station: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """The rows of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    with reinspect(station, out) as run:
        assert 1 == run.wait(), run.log()
    return rows_of(out)


def test_every_file_of_the_archive_is_a_row_and_those_that_cannot_be_inspected_say_why(undisturbed: pa.Table) -> None:
    unreadable = undisturbed.filter(pc.equal(undisturbed["state"], "unreadable"))

    assert PICTURES + len(ODD) == undisturbed.num_rows == pc.count_distinct(undisturbed["part_key"]).as_py()
    assert sorted(ODD) == sorted(unreadable["part_key"].to_pylist())
    assert all(unreadable["error"].to_pylist())
    assert {Outcome.PASS.name, Outcome.FAIL.name} <= set(undisturbed["outcome"].to_pylist())


def test_what_is_no_part_is_told_and_a_decoders_own_words_are_not(station: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in ("cut-short.png", "P00000.png", "P00001.png"):
        (archive / name).write_bytes((station.parents[2] / "archive" / name).read_bytes())
    (archive / "note.txt").write_text("not a picture")

    with reinspect(station, tmp_path / "out", "--first-part", "P00001.png", source=str(archive)) as run:
        assert 1 == run.wait(), run.log()
    assert "The selection leaves out 1 part: part id (1)." in run.log()
    assert "Not looked at: files ending in .txt (1)." in run.log()
    assert "unreadable: 1, such as cut-short.png: " in run.log()
    assert "libpng" not in run.log()


def test_files_that_vanish_while_it_runs_are_rows_that_say_so(
    station: Path, undisturbed: pa.Table, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    shutil.copytree(station.parents[2] / "archive", archive)
    names = sorted(path.name for path in archive.glob("P*.png"))[-3:]

    with reinspect(station, tmp_path / "out", source=str(archive)) as run:
        run.wait_until_done(chunks=1)
        for name in names:
            (archive / name).unlink()
        assert 1 == run.wait(), run.log()

    errors = {row["part_key"]: row["error"] for row in rows_of(tmp_path / "out").to_pylist() if row["error"]}
    assert sorted([*ODD, *names]) == sorted(errors)
    assert all("is not there, or no longer" in errors[name] for name in names)
    assert undisturbed.num_rows == rows_of(tmp_path / "out").num_rows


def test_where_there_is_nothing_to_inspect_it_says_what_there_is(station: Path, tmp_path: Path) -> None:
    with reinspect(station, tmp_path / "out", "--part", "Q*") as run:
        assert 2 == run.wait(), run.log()
    assert f"of which is not wanted: part id ({PICTURES + len(ODD)})" in run.log()


def test_rows_are_the_same_with_any_number_of_workers(station: Path, undisturbed: pa.Table, tmp_path: Path) -> None:
    with reinspect(station, tmp_path / "out", "--workers", "1") as run:
        assert 1 == run.wait(), run.log()

    assert undisturbed.equals(rows_of(tmp_path / "out"))


def test_killed_workers_are_replaced_and_nothing_is_lost_or_doubled(
    station: Path, undisturbed: pa.Table, tmp_path: Path
) -> None:
    killed = 0
    with reinspect(station, tmp_path / "out") as run:
        while run.process.poll() is None and killed < 6:
            done = run.chunks_done()
            time.sleep(CHANCE.uniform(0.0, 0.5))
            if run.chunks_done() > done:  # at work, not loading its models: three deaths at that end a run
                killed += kill_one(sorted(run.workers()))  # the oldest: the youngest may be loading them still
        assert 1 == run.wait(), run.log()

    assert killed > 0
    assert undisturbed.equals(rows_of(tmp_path / "out"))


def test_a_run_that_is_killed_again_and_again_is_finished_by_resume(
    station: Path, undisturbed: pa.Table, tmp_path: Path
) -> None:
    done = []
    for _ in range(4):
        with reinspect(station, tmp_path / "out", "--resume") as run:
            time.sleep(CHANCE.uniform(0.1, 3.0))
            if run.process.poll() is not None:
                break
            run.kill()
            done.append(run.chunks_done())
    with reinspect(station, tmp_path / "out", "--resume") as run:
        assert 1 == run.wait(), run.log()

    assert done == sorted(done), "a chunk that was done is not done any more"
    assert undisturbed.equals(rows_of(tmp_path / "out"))


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(station: Path, undisturbed: pa.Table, tmp_path: Path) -> None:
    with reinspect(station, tmp_path / "out") as run:
        run.wait_until_done(chunks=3)
        workers = run.workers()
        run.process.send_signal(signal.SIGINT)
        assert 130 == run.wait(), run.log()
        wait_for(lambda: all(map(is_gone, workers)), "the workers end")
        done = run.chunks_done()
        assert " parts are done. Go on with" in run.log()
        assert run.log().rstrip().endswith("--resume")
        assert "Traceback" not in run.log()

    with reinspect(station, tmp_path / "out", "--resume") as run:
        assert 1 == run.wait(), run.log()
    assert 3 <= done < PICTURES // 16
    assert undisturbed.equals(rows_of(tmp_path / "out"))


def test_a_second_run_in_the_same_folder_is_refused(station: Path, tmp_path: Path) -> None:
    with reinspect(station, tmp_path / "out") as first:
        first.wait_until_done(chunks=1)
        with reinspect(station, tmp_path / "out", "--resume") as second:
            assert 2 == second.wait()
        assert f"process {first.process.pid} works in" in second.log()
        assert 1 == first.wait(), first.log()


def test_resume_with_another_recipe_is_refused_by_name(station: Path, tmp_path: Path) -> None:
    with reinspect(station, tmp_path / "out") as run:
        run.wait_until_done(chunks=1)
        run.kill()
    other = make_project(tmp_path / "other", layers=4, recipe='[[limits]]\nname = "none"\n')

    with reinspect(other, tmp_path / "out", "--resume", source=str(station.parents[2] / "archive")) as again:
        assert 2 == again.wait(), again.log()
    assert "candidates.0.recipe.sha256 is " in again.log()


def test_on_a_full_disk_the_run_ends_by_name_and_goes_on_when_there_is_room(
    station: Path, undisturbed: pa.Table, tmp_path: Path
) -> None:
    with reinspect(station, tmp_path / "out", file_kib=30) as run:
        assert 3 == run.wait(), run.log()
    assert re.search("out cannot be written: .*File too large", run.log())
    assert not (tmp_path / "out" / "rows.parquet").exists()

    with reinspect(station, tmp_path / "out", "--resume") as run:
        assert 1 == run.wait(), run.log()
    assert undisturbed.equals(rows_of(tmp_path / "out"))


def test_a_damaged_chunk_is_done_again(station: Path, undisturbed: pa.Table, tmp_path: Path) -> None:
    with reinspect(station, tmp_path / "out") as run:
        run.wait_until_done(chunks=4)
        run.kill()
    victim = next((tmp_path / "out" / "chunks").glob("*.arrow"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 16
    victim.write_bytes(content)

    with reinspect(station, tmp_path / "out", "--resume") as run:
        assert 1 == run.wait(), run.log()
    assert "done again" in run.log()
    assert undisturbed.equals(rows_of(tmp_path / "out"))


def test_a_stations_own_archive_is_reproduced_byte_for_byte(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger='source = "takt"\ntakt_ms = 10', recipe="[images]\npass_share = 1.0\n")
    with running(station) as process:
        images = tmp_path / "var" / "images"
        wait_for(lambda: len(list(images.rglob("*.png"))) >= 60, "60 images are archived", timeout_s=60)
        process.terminate()

    with reinspect(station, tmp_path / "out", "--expect-reproduced", source=str(tmp_path / "var")) as run:
        assert 0 == run.wait(), run.log()

    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    (candidate,) = summary["candidates"]
    assert 60 <= candidate["reproduction"]["identical"]
    assert 0 == candidate["reproduction"]["different"]
    assert (tmp_path / "out" / "report.html").exists()
