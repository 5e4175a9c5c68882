"""What good pictures look like, kept by the command that a person types."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from simulated_part import SIZE, part

from lineside.config.calibration_file import read_calibration

STATION = """
line_id = "line"
station_id = "press-4"
recipe = "demo-plate"

[trigger]
source = "software"

[serve]
tcp = "127.0.0.1:0"

[cameras.face]
backend = "folder"
path = "{folder}"
pixel_format = "BGR8"
size_px = [480, 360]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven good pictures in colour and a blurred one."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "good").mkdir()
    for number in range(7):
        grey = part(seed=number, shift=(0.2 * number, 0), light=1 + 0.01 * number)
        cv2.imwrite(
            str(folder / "good" / f"{number}.png"),
            np.rint(grey[..., None] * np.array([0.8, 1.0, 0.9])).astype(np.uint8),
        )
    cv2.imwrite(str(folder / "good" / "8-blurred.png"), np.stack([part(blur=6.0)] * 3, axis=-1))
    (folder / "calibration" / "stations").mkdir(parents=True)
    station = STATION.format(folder=folder / "good")
    (folder / "calibration" / "stations" / "press-4.toml").write_text(station)
    return folder


def calibrate(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lineside")), "calibrate", "light", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100, input=typed)


AT = ("--station", "press-4", "--view", "face", "--serial", "A7", "--pixel-format", "BGR8")


def test_the_light_of_good_pictures_is_kept_and_shown(project: Path) -> None:
    told = calibrate(project, "good", *AT, "--by", "a. worker", "--temperature", "23")

    assert told.returncode == 0, told.stderr
    assert "left out: 8-blurred.png: blurred: " in told.stdout
    file = read_calibration(project / "calibration" / "press-4" / "face.light.toml")
    assert file.table.light is not None and file.table.light.colour is not None
    assert (file.table.light.pictures, file.table.made_by, file.table.temperature_c) == (7, "a. worker", 23.0)
    assert file.table.light.colour == pytest.approx((0.9 / 2.7, 1 / 2.7, 0.8 / 2.7), abs=0.005)
    assert file.arrays["mean"].shape == (5, 6, 8)
    assert file.table.residuals["shift_x_px_sd"] == pytest.approx(0.2 * np.std(range(7), ddof=1), rel=0.15)

    page = file.path.with_suffix(".html").read_text()
    assert "8-blurred.png" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)|url\(|@import', page), "a page needs nothing from elsewhere"


def test_a_live_camera_takes_a_picture_at_each_enter(project: Path, tmp_path: Path) -> None:
    told = calibrate(
        project, "--camera", "calibration/stations/press-4.toml", "--view", "face", "--count", "6",
        "--project", str(tmp_path), typed="\n" * 6,
    )  # fmt: skip

    assert told.returncode == 0, told.stderr
    assert "Show good part 6 of 6" in told.stderr
    file = read_calibration(tmp_path / "calibration" / "press-4" / "face.light.toml")
    assert file.table.camera.size_px == SIZE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("good", *AT[:4]), "no --serial"),
        (("good/0.png", *AT), "1 of 1 pictures are of use"),
        ((*AT,), "no pictures"),
        (("good", *AT[:-1], "Mono8"), "a picture in Mono8"),
    ],
)
def test_what_gives_no_reference_is_refused_in_words(project: Path, words: tuple[str, ...], said: str) -> None:
    told = calibrate(project, *words)

    assert told.returncode == 2
    assert said in told.stderr
    assert "Traceback" not in told.stderr
