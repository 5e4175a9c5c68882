"""`lineside commission` as a shell runs it: real stations, one page, and nothing else left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from small_project import make_project


def commission(station: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "lineside",
        "commission",
        str(station),
        "-o",
        str(station.parents[2] / "page.html"),
    ]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=110, check=False)


def test_a_takt_station_is_measured_at_its_rated_takt_and_searched(tmp_path: Path) -> None:
    station = make_project(
        tmp_path, trigger='source = "takt"\ntakt_ms = 20', camera='backend = "simulated"\nprerendered = 5'
    )
    before = sorted(path.name for path in tmp_path.iterdir())

    done = commission(station, "--parts", "100")

    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "at the rated takt of 20 ms" in page
    assert "shortest takt that holds" in page
    assert "model small" in page
    assert page.count("<svg") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "page.html"])


def test_a_simulated_camera_that_sets_the_pace_is_asked_instead(tmp_path: Path) -> None:
    station = make_project(tmp_path, camera='backend = "simulated"\nprerendered = 5')

    assert commission(station, "--takt", "50", "--parts", "100").returncode == 0
    assert "at the rated takt of 50 ms" in (tmp_path / "page.html").read_text()


def test_without_a_rated_takt_it_asks_for_one(tmp_path: Path) -> None:
    done = commission(make_project(tmp_path, trigger='source = "software"'))

    assert done.returncode == 2
    assert "say --takt MS" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_a_camera_that_sets_the_pace_is_measured_at_that_pace(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    write_pictures(pictures, 3)
    station = make_project(tmp_path, camera='backend = "folder"\npath = "pictures"\ntakt_ms = 20\nloop = true')

    done = commission(station, "--parts", "100")

    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "the camera's own pace of" in page.replace("&#x27;", "'")
    assert "no other takt could be tried" in page


def test_a_station_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger='source = "takt"\ntakt_ms = 20')
    (tmp_path / "models" / "small" / "model.onnx").write_bytes(b"damaged")
    before = sorted(path.name for path in tmp_path.iterdir())

    done = commission(station, "--parts", "100")

    assert done.returncode == 3
    assert "the station did not start" in done.stderr
    assert "model.onnx" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def write_pictures(folder: Path, count: int) -> None:
    import cv2
    import numpy as np

    rng = np.random.default_rng(1)
    for number in range(count):
        cv2.imwrite(str(folder / f"part-{number:03}.png"), rng.integers(0, 120, (120, 160), dtype=np.uint8))
