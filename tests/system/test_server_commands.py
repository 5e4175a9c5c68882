"""The commands that ask a running station, as a shell runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

FAKE_STATION = Path(__file__).with_name("fake_station.py")
NOBODY = "127.0.0.1:1"


@pytest.fixture
def address() -> Iterator[str]:
    """A fake station in a process of its own, at 50 verdicts per second."""
    command = [sys.executable, str(FAKE_STATION), "50"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield process.stderr.readline().strip()
        process.kill()


def lineside(*arguments: str, station: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lineside", *arguments],
        env=os.environ | {"LINESIDE_STATION": station},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def watching(*arguments: str, station: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lineside", "watch", *arguments, "--station", station]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_watch_prints_one_json_object_per_verdict_and_ends_after_the_count(address: str) -> None:
    watch = lineside("watch", "--json", "--after", "0", "--count", "25", station=address)
    verdicts = [json.loads(line) for line in watch.stdout.splitlines()]

    assert (watch.returncode, watch.stderr) == (0, "")
    assert [verdict["sequence"] for verdict in verdicts] == list(range(1, 26))
    assert {verdict["outcome"] for verdict in verdicts} == {"PASS"}
    assert verdicts[0]["encoder_count"] is None
    assert isinstance(verdicts[0]["decided_utc_ns"], int)


def test_watch_as_a_named_reader_goes_on_where_it_ended(address: str) -> None:
    runs = [lineside("watch", "--json", "--reader", "shell", "--count", "5", station=address) for _ in range(2)]

    assert [json.loads(line)["sequence"] for run in runs for line in run.stdout.splitlines()] == list(range(1, 11))


def test_watch_flushes_every_line_and_ends_in_silence_when_the_pipe_is_closed(address: str) -> None:
    with watching("--json", "--after", "0", station=address) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert json.loads(watch.stdout.readline())["sequence"] == 1
        watch.stdout.close()

        assert (watch.wait(timeout=30), watch.stderr.read()) == (0, "")


@pytest.mark.parametrize("arguments", [("--json",), ()], ids=["json", "lines"])
def test_watch_ends_in_order_on_ctrl_c(address: str, arguments: tuple[str, ...]) -> None:
    with watching(*arguments, station=address) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        draining = threading.Thread(target=watch.stdout.read)
        draining.start()
        code, errors = watch.wait(timeout=30), watch.stderr.read()
        draining.join()

    assert (code, errors) == (0, "")


def test_status_says_ready_with_its_exit_code(address: str) -> None:
    panel, data = lineside("status", station=address), lineside("status", "--json", station=address)

    assert (panel.returncode, data.returncode) == (0, 0)
    assert "line-1 / station-1" in panel.stdout
    assert json.loads(data.stdout)["ready"] is True


def test_trigger_waits_for_the_verdict_when_told_to(address: str) -> None:
    accepted = lineside("trigger", "P-1", station=address)
    judged = lineside("trigger", "bad-1", "--wait", "--json", station=address)

    assert accepted.stdout.startswith("trigger ")
    assert json.loads(judged.stdout)["verdict"]["outcome"] == "FAIL"


def test_inspect_judges_the_good_files_and_names_the_damaged_one(address: str, tmp_path: Path) -> None:
    good, damaged = tmp_path / "good.png", tmp_path / "damaged.png"
    good.write_bytes(b"\x89PNG\r\n\x1a\n")
    damaged.write_bytes(b"no image")
    files = (str(good), str(damaged), str(tmp_path / "absent.png"), str(good))
    rows, data = lineside("inspect", *files, station=address), lineside("inspect", "--json", *files, station=address)
    answers = [json.loads(line) for line in data.stdout.splitlines()]

    assert (rows.returncode, data.returncode) == (1, 1)
    assert [line.split()[1] for line in rows.stdout.splitlines()] == ["PASS", "ERROR", "ERROR", "PASS"]
    assert [answer["file"] for answer in answers] == list(files)
    assert [("error" in answer) for answer in answers] == [False, True, True, False]


def test_verdicts_lists_the_newest_first_and_only_those_asked_for(address: str) -> None:
    lineside("trigger", "bad-1", "--wait", station=address)
    newest = lineside("verdicts", "--limit", "3", "--json", station=address)
    failed = lineside("verdicts", "--outcome", "fail", station=address)
    sequences = [json.loads(line)["sequence"] for line in newest.stdout.splitlines()]

    assert sequences == sorted(sequences, reverse=True)
    assert len(sequences) == 3
    assert [line.split()[2:4] for line in failed.stdout.splitlines()[1:]] == [["bad-1", "FAIL"]]


def test_pause_and_resume_say_what_they_did(address: str) -> None:
    paused = lineside("pause", "change of shift", "--by", "Kim", station=address)
    answered = lineside("trigger", "--wait", "--json", station=address)
    resumed = lineside("resume", station=address)

    assert "every part is rejected" in paused.stdout
    assert json.loads(answered.stdout)["verdict"]["reason"] == "OPERATOR_OFFLINE"
    assert (resumed.returncode, resumed.stdout) == (0, "resumed\n")


def test_an_unknown_image_is_one_line_and_ends_with_1(address: str) -> None:
    done = lineside("image", "no-such-image", station=address)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "NotFound no image 'no-such-image'\n")


@pytest.mark.parametrize(
    "command", [("watch",), ("status",), ("trigger",), ("verdicts",), ("image", "x"), ("pause",), ("resume",)]
)
def test_a_station_that_cannot_be_reached_is_told_clearly_and_ends_with_3(command: tuple[str, ...]) -> None:
    done = lineside(*command, station=NOBODY)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"StationUnreachable no answer from the station at {NOBODY}")
    assert "Traceback" not in done.stderr
