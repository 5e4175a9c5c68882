"""From a printed target to a calibrated station, by the commands that a person types."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from simulated_calibration import Truth, pose, random_truth, target_of, texture_of

from lineside.config.calibration_file import lens_of, plane_of, read_calibration
from lineside.core.errors import ConfigError
from lineside.imaging.lens import mm_per_px

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
pixel_format = "Mono8"
size_px = [640, 480]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """A project with pictures of a target: 11 that are good, one blurred, one twice, one of nothing; and the plane."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "calibration" / "stations").mkdir(parents=True)
    (folder / "pictures").mkdir()
    random = np.random.default_rng(5)
    truth = random_truth(random)
    for number in range(12):
        rotation, translation = pose(random, truth.camera.lens, tilt_rad=0.6, fill=random.uniform(0.75, 1.0))
        picture = truth.camera.picture(texture_of(), rotation, translation, number)
        if number == 3:
            picture = cv2.GaussianBlur(picture, (0, 0), 2.8).astype(np.uint8)
        cv2.imwrite(str(folder / "pictures" / f"{number:02}.png"), picture)
    cv2.imwrite(str(folder / "pictures" / "12-again.png"), picture)
    cv2.imwrite(str(folder / "pictures" / "13-nothing.png"), np.full((480, 640), 120, np.uint8))
    lying = truth.camera.picture(texture_of(), truth.rotation_rad, truth.translation_mm, 99)
    cv2.imwrite(str(folder / "plane.png"), lying)
    (folder / "target.toml").write_text(target_of().toml())
    station = STATION.format(folder=folder / "pictures")
    (folder / "calibration" / "stations" / "press-4.toml").write_text(station)
    return folder, truth


def calibrate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lineside")), "calibrate", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)


AT = ("--station", "press-4", "--view", "face", "--target", "target.toml", "--rulers", "160.0x90.0")


def test_lens_and_plane_are_measured_written_and_shown(project: tuple[Path, Truth]) -> None:
    folder, truth = project
    told = calibrate(folder, "lens", "pictures", *AT, "--serial", "A7", "--by", "a. worker", "--temperature", "22")

    assert told.returncode == 0, told.stderr
    assert "left out: 03.png: " in told.stdout
    assert "left out: 12-again.png: too similar to 11.png" in told.stdout
    assert "left out: 13-nothing.png: 0 of 120 points found" in told.stdout

    told = calibrate(folder, "plane", "plane.png", *AT, "--height-mm", "8", "--height-sd-mm", "0.05")
    assert told.returncode == 0, told.stderr
    place = folder / "calibration" / "press-4"
    lens_file, plane_file = (read_calibration(place / f"face.{kind}.toml") for kind in ("lens", "plane"))
    assert (lens_file.table.made_by, lens_file.table.temperature_c) == ("a. worker", 22.0)
    assert plane_file.table.camera == lens_file.table.camera
    lens, plane = lens_of(lens_file), plane_of(plane_file, lens_file)
    assert abs(lens.focal_px / truth.camera.lens.focal_px - 1) < 2e-3
    # The printer's error is known to nobody here, so the pose is that of a sheet of nominal size.
    expected = (truth.translation_mm[2] - 8) / truth.camera.lens.focal_px
    assert np.isclose(mm_per_px(np.array([lens.centre_px]), plane)[0], expected, rtol=0.02)
    for kind in ("lens", "plane"):
        page = (place / f"face.{kind}.html").read_text()
        assert "data:image/jpeg;base64," in page
        assert not re.search(r'(?:src|href)="(?!data:|#)|url\(|@import', page), "a page needs nothing from elsewhere"

    again = calibrate(folder, "lens", "pictures", *AT, "--serial", "A7")
    assert again.returncode == 0, again.stderr
    assert read_calibration(place / "face.lens.toml").identity.revision == 2
    assert read_calibration(place / "earlier" / "face.lens.r1.toml").identity == lens_file.identity
    with pytest.raises(ConfigError, match="measured with the lens calibration"):
        plane_of(plane_file, read_calibration(place / "face.lens.toml"))


def test_a_live_camera_is_asked_until_there_is_enough(project: tuple[Path, Truth], tmp_path: Path) -> None:
    folder, _ = project
    told = calibrate(
        folder, "lens", "--camera", "calibration/stations/press-4.toml", "--view", "face", "--target", "target.toml",
        "--count", "9", "--project", str(tmp_path),
    )  # fmt: skip

    assert told.returncode == 0, told.stderr
    assert "9 of 9: " in told.stderr
    table = read_calibration(tmp_path / "calibration" / "press-4" / "face.lens.toml").table
    assert (table.camera.model, table.settings["pictures"]) == ("folder of 14 pictures", 9)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lens", "pictures", *AT), "no --serial"),
        (("lens", "pictures/00.png", *AT, "--serial", "A7"), "1 of 1 pictures are of use"),
        (("lens", "pictures", *AT[:-1], "16x9", "--serial", "A7"), "of its size"),
        (("lens", "pictures", *AT, "--serial", "A7", "--pixel-format", "RGB8"), "RGB8"),
        (("plane", "plane.png", "--station", "x", *AT[2:]), "cannot be read"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_in_words(
    project: tuple[Path, Truth], words: tuple[str, ...], said: str
) -> None:
    told = calibrate(project[0], *words)

    assert told.returncode == 2
    assert said in told.stderr
    assert "Traceback" not in told.stderr
