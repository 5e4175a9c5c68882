"""A line in a box, in real processes: whatever goes wrong, no bad part gets past the gate, and every part is counted.

How many good parts are lost depends on how busy the machine is; which of them must be lost does not, and is asserted.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_bridge import running_bridge
from small_project import running

REPOSITORY = Path(__file__).parents[2]


def copied_project(folder: Path) -> Path:
    for name in ("calibration", "models"):
        shutil.copytree(REPOSITORY / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def line_against(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A station and a bridge that run for all tests of the line's own faults: the project, and the bridge's port."""
    project = copied_project(tmp_path_factory.mktemp("line"))
    station = project / "calibration" / "stations" / "demo-line.toml"
    options = ("--data-dir", str(project / "var" / "data"), "--tcp", "127.0.0.1:0", "--unix", str(project / "s.sock"))
    with (
        running(station, *options) as running_station,
        running_bridge(
            project, running_station.address.replace("unix://", "unix:"), recipes='[recipes]\n1 = "demo-plate"'
        ) as bridge,
    ):
        yield project, bridge.port


def carried_out(folder: Path, *command: str) -> dict[str, Any]:
    """Runs a line and returns its summary, with its parts by index."""
    output = folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "lineside", *command, "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
        timeout=80,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = output.glob("line-*")
    summary: dict[str, Any] = json.loads((record / "summary.json").read_text())
    assert_safe(summary)
    assert "At the gate" in done.stdout
    return summary


def assert_safe(summary: dict[str, Any]) -> None:
    """No bad part was accepted, every part is in a bin, each rejected good part is named with the reason."""
    assert [] == summary["bad_accepted"]
    assert summary["bad"] >= 4
    assert summary["parts"] == summary["accepted"] + summary["rejected"]
    assert summary["complete"]
    assert [] == [row for row in summary["good_rejected"] if not row["why"]]


def lost(summary: dict[str, Any]) -> dict[int, str]:
    """Why each good part that was rejected was rejected."""
    return {row["index"]: row["why"] for row in summary["good_rejected"]}


def run_line(line_against: tuple[Path, int], fault: str) -> dict[str, Any]:
    """16 parts, of which 1, 4, 10, 12 and 13 are bad."""
    project, port = line_against
    station = str(project / "calibration" / "stations" / "demo-line.toml")
    summary = carried_out(
        project,
        *("sim", "line", "--station", station, "--bridge", f"127.0.0.1:{port}", "--parts", "16", "--fault", fault),
    )
    assert [fault] == [each.rpartition(":")[0] if fault.count(":") == 0 else each for each in summary["faults"]]
    return summary


def test_the_demo_line_counts_every_part_at_the_gate_and_accepts_no_bad_one(tmp_path: Path) -> None:
    project = copied_project(tmp_path)

    summary = carried_out(tmp_path, "demo", "--line", "--count", "30", "--project", str(project))

    assert 30 == summary["parts"]
    assert summary["accepted"] > 0


def test_parts_of_a_cut_link_are_rejected(line_against: tuple[Path, int]) -> None:
    summary = run_line(line_against, "link-cut@9")

    assert 11 in lost(summary), "it passed the camera while there was no connection"


def test_missed_scans_let_no_bad_part_through(line_against: tuple[Path, int]) -> None:
    run_line(line_against, "missed-scans@9")


def test_a_part_that_was_triggered_twice_is_rejected(line_against: tuple[Path, int]) -> None:
    summary = run_line(line_against, "double-trigger@9")

    assert "a second trigger for the same part" == lost(summary)[9]


@pytest.mark.parametrize("way_mm", [100, -100])
def test_an_encoder_that_slips_by_a_whole_part_costs_parts_and_passes_none_for_another(
    line_against: tuple[Path, int], way_mm: int
) -> None:
    summary = run_line(line_against, f"encoder-slip@9:{way_mm}")

    assert "triggered while parts of unknown place were on the belt" == lost(summary)[11]


def test_a_restarted_plc_rejects_what_it_no_longer_knows(line_against: tuple[Path, int]) -> None:
    summary = run_line(line_against, "plc-restart@9")

    assert "the PLC no longer knew it at the gate" == lost(summary)[8]


def test_a_killed_bridge_costs_parts_and_passes_none_for_another(tmp_path: Path) -> None:
    project = copied_project(tmp_path)

    summary = carried_out(
        tmp_path, "demo", "--line", "--count", "15", "--project", str(project), "--fault", "bridge-killed@5"
    )

    assert ["bridge-killed@5:0"] == summary["faults"]


def test_a_killed_station_costs_parts_and_passes_none_for_another(tmp_path: Path) -> None:
    project = copied_project(tmp_path)

    summary = carried_out(
        tmp_path, "demo", "--line", "--count", "15", "--project", str(project), "--fault", "station-killed@5"
    )

    assert 6 in lost(summary), "it passed the camera while the station was starting"


def test_a_line_that_cannot_kill_a_process_refuses_to(line_against: tuple[Path, int]) -> None:
    project, port = line_against
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lineside",
            "sim",
            "line",
            "--bridge",
            f"127.0.0.1:{port}",
            "--fault",
            "bridge-killed@5",
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 2 == done.returncode
    assert "demo --line" in done.stderr
