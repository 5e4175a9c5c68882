"""From frames of the dark and of a white to a flat field, by the command that a person types."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineside.config.calibration_file import flat_of, read_calibration
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.flat_field import FlatField
from lineside.testing.simulated_sensor import SimulatedSensor

SENSOR = SimulatedSensor(size_px=(160, 120), dead=3, hot=2, restless=1, seed=3)
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
pixel_format = "Mono12"
size_px = [160, 120]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of the dark and nine of the white, one of them brighter; pairs at exposures up to a full well."""
    folder = tmp_path_factory.mktemp("project")
    for name, electrons, count in (("dark", 0.0, 8), ("flat", 7_000.0, 8)):
        (folder / name).mkdir()
        for number in range(count):
            cv2.imwrite(str(folder / name / f"{name}-{number:02}.png"), SENSOR.frame(electrons, number + count * 10))
    cv2.imwrite(str(folder / "flat" / "flat-99.png"), SENSOR.frame(7_600.0, 1))
    for exposure_us in (100, 250, 400, 550, 700, 850, 1000, 1150):
        (folder / f"{exposure_us}us").mkdir()
        for number in range(2):
            path = folder / f"{exposure_us}us" / f"{number}.png"
            cv2.imwrite(str(path), SENSOR.frame(14.0 * exposure_us, number + exposure_us))
    (folder / "both").mkdir()
    for number, path in enumerate([*sorted((folder / "dark").iterdir()), *sorted((folder / "flat").iterdir())[:8]]):
        (folder / "both" / f"{number:02}.png").write_bytes(path.read_bytes())
    (folder / "calibration" / "stations").mkdir(parents=True)
    station = STATION.format(folder=folder / "both")
    (folder / "calibration" / "stations" / "press-4.toml").write_text(station)
    return folder


def calibrate(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lineside")), "calibrate", "flat", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100, input=typed)


AT = ("--station", "press-4", "--view", "face", "--serial", "A7", "--pixel-format", "Mono12")
FRAMES = ("--dark", "dark", "--flat", "flat")
SERIES = [word for us in (100, 250, 400, 550, 700, 850, 1000, 1150) for word in ("--series", f"{us}={us}us")]


def test_a_flat_field_is_measured_written_and_shown(project: Path) -> None:
    told = calibrate(project, *FRAMES, *SERIES, *AT, "--exposure-us", "500", "--temperature", "23", "--by", "a. worker")

    assert told.returncode == 0, told.stderr
    assert re.search(r"left out: flat-99.png: \d.\d% brighter than the others", told.stdout)
    file = read_calibration(project / "calibration" / "press-4" / "face.flat.toml")
    table = file.table.flat
    assert table is not None and table.sensor is not None
    assert (file.table.made_by, file.table.temperature_c, file.table.camera.serial) == ("a. worker", 23.0, "A7")
    assert (table.frames_dark, table.frames_flat, table.exposure_us) == (8, 8, 500.0)
    assert (table.dead_pixels, table.hot_pixels) == (3, 3)
    assert abs(table.vignetting / SENSOR.vignetting - 1) < 0.05
    assert abs(table.sensor.system_gain_dn_per_e / SENSOR.gain_dn_per_e - 1) < 0.05
    assert table.sensor.saturation_capacity_e is not None
    assert f"K {table.sensor.system_gain_dn_per_e:.4g} DN/e" in told.stdout

    corrected = FlatField(flat_of(file)).apply(SENSOR.frame(7_000.0, 4711))
    middle, corner = corrected[50:70, 70:90].mean(), corrected[:20, :20].mean()
    assert abs(float(corner / middle) - 1) < 0.01, "before it was 30 % darker"

    page = file.path.with_suffix(".html").read_text()
    assert page.count("data:image/") >= 5
    assert not re.search(r'(?:src|href)="(?!data:|#)|url\(|@import', page), "a page needs nothing from elsewhere"
    for shown in ("Photon transfer", "Linearity", "flat-99.png", "3 dead, 2 hot, 1 restless"):
        assert shown in page


def test_a_live_camera_is_asked_for_the_dark_and_then_for_the_white(project: Path, tmp_path: Path) -> None:
    told = calibrate(
        project, "--camera", "calibration/stations/press-4.toml", "--view", "face", "--count", "8",
        "--project", str(tmp_path), typed="\n\n",
    )  # fmt: skip

    assert told.returncode == 0, told.stderr
    assert told.stderr.index("Cover the lens") < told.stderr.index("evenly lit white")
    file = read_calibration(tmp_path / "calibration" / "press-4" / "face.flat.toml")
    assert flat_of(file).pixel_format is PixelFormat.MONO12
    assert np.count_nonzero(flat_of(file).bad) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*FRAMES, *AT[:4]), "no --serial"),
        (("--dark", "dark", *AT), "--dark and --flat, or --camera FILE"),
        (("--dark", "flat", "--flat", "flat", *AT), "not dark: mean"),
        (("--dark", "dark", "--flat", "dark", *AT), "too dark: mean"),
        ((*FRAMES, *AT[:-1], "Mono8"), "a picture in Mono8"),
        ((*FRAMES, *SERIES[:6], *AT), "3 exposures"),
        ((*FRAMES, "--series", "dark", *AT), "EXPOSURE_US=FOLDER"),
    ],
)
def test_what_gives_no_flat_field_is_refused_in_words(project: Path, words: tuple[str, ...], said: str) -> None:
    told = calibrate(project, *words)

    assert told.returncode == 2
    assert said in told.stderr
    assert "Traceback" not in told.stderr
