"""`kill -9` of the demo leaves no station and no bridge running."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from small_project import descendants_of, is_gone, wait_for

REPOSITORY = Path(__file__).parents[2]


def family_of(pid: int) -> list[int]:
    """Its children, their children and so on."""
    return [one for child in descendants_of(pid) for one in (child, *family_of(child))]


@pytest.mark.parametrize(("options", "programs"), [(["--forever"], 1), (["--line", "--count", "500"], 2)])
def test_what_a_killed_demo_has_started_ends_in_order(tmp_path: Path, options: list[str], programs: int) -> None:
    for name in ("calibration", "models"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    before = set(Path(tempfile.gettempdir()).glob("lineside-demo-*"))
    demo = subprocess.Popen(
        [sys.executable, "-m", "lineside", "demo", *options, "--project", tmp_path, "--output", tmp_path / "out"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: any("serves on" in log.read_text() for log in tmp_path.glob("out/*/station.log")), "a station")
        wait_for(lambda: len(descendants_of(demo.pid)) == programs, "all programs")
        family = family_of(demo.pid)
        demo.send_signal(signal.SIGKILL)
        demo.wait()
        wait_for(lambda: all(is_gone(pid) for pid in family), "the end of what it had started")
    finally:
        demo.kill()
        demo.wait()
        for folder in set(Path(tempfile.gettempdir()).glob("lineside-demo-*")) - before:
            shutil.rmtree(folder)

    assert len(family) > programs, "the station had processes of its own"
    [log] = tmp_path.glob("out/*/station.log")
    assert "triggers " in log.read_text(), "it was ended in order, and counted"
