"""A real station with a camera that was really calibrated: verdicts in mm on the wire, the same again, and refusals."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from model_graphs import blur, blur_spec, draft, noise
from mounted_camera import Bar, picture_of
from simulated_calibration import pose, random_truth, target_of, texture_of
from small_project import StationProcess, running, status_when

from lineside.assemble import open_inspector
from lineside.client import Outcome, StationClient
from lineside.core.calibration import Plane
from lineside.detectors.manifest import AnomalyMapOutput
from lineside.detectors.package import write_package
from lineside.reinspect.replay import replay as judge_again
from lineside.wire.v1 import inspection_pb2 as pb

LIMIT_MM = 10.0
LENGTHS_MM = (8.0, 9.95, 11.0)
"""Well within the limit; within it by less than is known of it; beyond."""

STATION = """line_id = "line"
station_id = "small"
recipe = "small"
data_dir = "var"
[trigger]
source = "camera"
[serve]
tcp = "127.0.0.1:0"
unix = "s.sock"
[archive]
min_free_bytes = 0
[cameras.face]
backend = "folder"
path = "parts"
pixel_format = "Mono8"
size_px = [640, 480]
[calibrations.face]
use = ["plane"]
"""
RECIPE = """recipe_id = "small"
revision = 1
product_id = "plate"
due_ms = 5000
[views.face]
package = "bright"
pixel_format = "Mono8"
size_px = [640, 480]
[[views.face.regions]]
name = "middle"
include_mm = [[[{left}, {top}], [{right}, {top}], [{right}, {bottom}], [{left}, {bottom}]]]
[[limits]]
name = "long marks"
max_length_mm = 10.0
[images]
pass_share = 1.0
"""


def lineside(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lineside", *words]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=110)


def calibrate_plane(project: Path) -> None:
    at = ("--station", "small", "--view", "face", "--target", "target.toml", "--rulers", "160.0x90.0")
    told = lineside(project, "calibrate", "plane", "plane.png", *at, "--height-mm", "8", "--height-sd-mm", "0.1")
    assert told.returncode == 0, told.stderr


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibrated by its commands from rendered pictures; then the station has judged three parts, and ended."""
    project = tmp_path_factory.mktemp("calibrated")
    for folder in ("lens", "parts", "models/recipes", "calibration/stations"):
        (project / folder).mkdir(parents=True)
    random = np.random.default_rng(5)
    truth = random_truth(random)
    for number in range(10):
        rotation, translation = pose(random, truth.camera.lens, tilt_rad=0.6, fill=random.uniform(0.75, 1.0))
        picture = truth.camera.picture(texture_of(), rotation, translation, number)
        cv2.imwrite(str(project / "lens" / f"{number:02}.png"), picture)
    lying = truth.camera.picture(texture_of(), truth.rotation_rad, truth.translation_mm / truth.print_scale, 99)
    cv2.imwrite(str(project / "plane.png"), lying)
    (project / "target.toml").write_text(target_of().toml())
    at = ("--station", "small", "--view", "face", "--target", "target.toml", "--rulers", "160.0x90.0")
    told = lineside(project, "calibrate", "lens", "lens", *at, "--serial", str(project / "parts"))
    assert told.returncode == 0, told.stderr
    calibrate_plane(project)

    x, y, z = (float(value) for value in truth.translation_mm)
    rx, ry, rz = (float(value) for value in truth.rotation_rad)
    camera = Plane(
        lens=truth.camera.lens,
        rotation_rad=(rx, ry, rz),
        translation_mm=(x, y, z),
        height_mm=truth.height_mm,
        covariance=np.zeros((16, 16)),
    )
    across, down = (side / 2 for side in target_of().size_mm)
    for number, length_mm in enumerate(LENGTHS_MM):
        bars = [
            Bar(middle_mm=(across, down), length_mm=length_mm, turn_rad=0.4 + number),
            Bar(middle_mm=(across - 30, down), length_mm=20.0),  # beyond the region
        ]
        seen = 255 - picture_of(bars, camera, random)
        cv2.imwrite(str(project / "parts" / f"part-{number}.png"), seen)
    write_package(
        project / "models" / "bright",
        graph=blur(480, 640),
        draft=draft(blur_spec(shape=(1, 1, 480, 640)), AnomalyMapOutput(map="map"), threshold=135 / 255),
        reference_inputs=[noise(480, 640)],
    )
    region = {"left": across - 12, "right": across + 12, "top": down - 12, "bottom": down + 12}
    (project / "models" / "recipes" / "small.toml").write_text(RECIPE.format(**region))
    (station := station_of(project)).write_text(STATION)
    with running(station, "--until-end") as process:
        assert process.wait() == 0, process.log()
    return project


def station_of(project: Path) -> Path:
    return project / "calibration" / "stations" / "small.toml"


@pytest.fixture
def project(inspected: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy that a test may spoil. Its camera shows the same folder: a folder's serial number is its path."""
    copy = Path(shutil.copytree(inspected, tmp_path / "project"))
    station = station_of(copy)
    station.write_text(station.read_text().replace('path = "parts"', f'path = "{inspected / "parts"}"'))
    yield copy


def replace_in(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


async def heard(process: StationProcess) -> tuple[list[pb.Verdict], pb.GetStationStatusResponse]:
    async with StationClient(process.address) as client:
        status = await status_when(client, lambda status: status.last_sequence >= len(LENGTHS_MM))
        records = [await client.verdict(sequence=number + 1) for number in range(len(LENGTHS_MM))]
    return [record.verdict for record in records], status


async def test_verdicts_tell_sizes_in_mm_that_cover_the_truth_and_err_towards_reject(inspected: Path) -> None:
    with running(station_of(inspected)) as process:
        verdicts, status = await heard(process)

    assert [verdict.outcome for verdict in verdicts] == [Outcome.PASS, Outcome.FAIL, Outcome.FAIL]
    for verdict, true_mm in list(zip(verdicts, LENGTHS_MM, strict=True))[1:]:
        (defect,) = verdict.defects
        assert abs(defect.length_mm - true_mm) < 2.5 * defect.length_uncertainty_mm
        assert abs(defect.width_mm - 3.0) < 2.5 * defect.width_uncertainty_mm
        assert abs(defect.area_mm2 - 3.0 * true_mm) < 2.5 * defect.area_uncertainty_mm2
        assert abs(defect.diameter_mm - np.sqrt(12 * true_mm / np.pi)) < 2.5 * defect.diameter_uncertainty_mm
        assert 0 < defect.length_uncertainty_mm < 0.3
        assert f"{defect.length_mm:.3g} ± {1.96 * defect.length_uncertainty_mm:.2g} mm in face/middle" in verdict.detail
    files = [(file.id, file.revision) for file in verdicts[0].calibration_files]
    assert files == [("small/face.lens", 1), ("small/face.plane", 1)]
    assert [each.file for each in status.calibrations] == list(verdicts[0].calibration_files)
    assert not any(each.warning for each in status.calibrations)
    assert len({verdict.calibration.sha256 for verdict in verdicts} | {status.calibration.sha256}) == 1


def test_a_verdict_is_reproduced_byte_for_byte_also_after_the_camera_was_calibrated_anew(project: Path) -> None:
    for sequence in (1, 2, 3):
        again = judge_again(sequence, station=station_of(project), open_inspector=open_inspector)
        assert again.reproduced, (again.row.error, again.row.difference)

    calibrate_plane(project)
    kept = project / "calibration" / "small" / "earlier" / "face.plane.r1.toml"
    assert kept.exists()
    told = lineside(project, "replay", "2", "--station", str(station_of(project)))
    assert told.returncode == 0, told.stdout + told.stderr
    assert "reproduced, byte for byte" in told.stdout
    assert "± " in told.stdout

    kept.unlink()
    told = lineside(project, "replay", "2", "--station", str(station_of(project)))
    assert told.returncode == 1
    assert "calibration small" in told.stdout, "what differs is named"
    assert "small/face.plane revision 1" in told.stdout + told.stderr


def test_another_camera_than_the_calibrated_one_does_not_start(project: Path) -> None:
    other = project / "parts"
    station_of(project).write_text(STATION)  # whose camera shows the copy's folder

    told = lineside(project, "run", str(station_of(project)))

    assert told.returncode == 2, told.stderr
    assert "calibrated with serial " in told.stderr
    assert f"the camera has {other}" in told.stderr


async def test_an_old_calibration_is_warned_of_everywhere_and_still_judged_with(project: Path) -> None:
    recipe = project / "models" / "recipes" / "small.toml"
    replace_in(recipe, "size_px = [640, 480]\n", "size_px = [640, 480]\ncalibration_max_age_days = 0.000001\n")
    checked = lineside(project, "check", str(station_of(project)))
    assert checked.returncode == 0, checked.stdout
    assert re.search(r"! small/face.plane is \S+ d old, 1e-06 d are allowed: calibrate anew", checked.stdout)
    assert "plane face" in checked.stdout

    shutil.rmtree(project / "var")
    (project / "station.log").unlink()
    with running(station_of(project)) as process:
        verdicts, status = await heard(process)
        shown = lineside(project, "status", "--station", process.address)
        log = process.log()

    assert [verdict.outcome for verdict in verdicts] == [Outcome.PASS, Outcome.FAIL, Outcome.FAIL]
    assert all("calibrate anew" in each.warning for each in status.calibrations)
    assert "calibrate anew" in shown.stdout
    assert "calibration old" in log
    assert any(event.kind == "calibration old" for event in status.events)


def test_a_limit_in_mm_without_any_calibration_does_not_start(project: Path) -> None:
    replace_in(station_of(project), '[calibrations.face]\nuse = ["plane"]\n', "")

    told = lineside(project, "run", str(station_of(project)))

    assert told.returncode == 2
    assert 'limit "long marks" is in mm, and view face has no scale at station small' in told.stderr
    assert "region middle of view face is in mm, and the view has no plane at this station" in told.stderr
