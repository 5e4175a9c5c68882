"""A station loads the calibration that its file names, refuses another camera's, and says when one is old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from lineside.config.calibration_file import calibration_path, write_calibration
from lineside.config.calibration_tables import CalibrationTable, CameraTable, LensTable, PlaneTable
from lineside.config.camera_geometry import camera_of, geometry_of
from lineside.config.recipe_file import read_recipe
from lineside.config.station_calibration import calibration_status, check_calibrated, kept_calibration
from lineside.config.station_file import StationFile, read_station
from lineside.core.errors import ConfigError
from lineside.core.identity import sha256_of_value
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport

STATION = """line_id = "line-1"
station_id = "press"
recipe = "plate"
[trigger]
source = "software"
[cameras.face]
backend = "simulated"
pixel_format = "Mono8"
size_px = [640, 480]
[cameras.back]
backend = "simulated"
pixel_format = "Mono8"
size_px = [640, 480]
[calibrations.face]
use = ["plane"]
"""
RECIPE = """recipe_id = "plate"
revision = 1
product_id = "plate"
due_ms = 200
[views.face]
package = "model"
pixel_format = "Mono8"
size_px = [640, 480]
calibration_max_age_days = 90
[[limits]]
name = "any"
"""
MADE = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
CAMERA = CameraTable(serial="A7", size_px=(640, 480), pixel_format="Mono8", geometry={"OffsetX": "64"})
REPORT = CameraReport(
    serial="A7",
    model="",
    pixel_format=PixelFormat.MONO8,
    width_px=640,
    height_px=480,
    settings={"OffsetX": "64", "ExposureTime": "500"},
)


def calibrate(project: Path, *, revision: int = 1, camera: CameraTable = CAMERA, station: str = "press") -> None:
    """Writes a lens and a plane of view face, as the next revision."""
    common = {
        "station": station,
        "view": "face",
        "revision": revision,
        "made_utc": MADE + timedelta(days=revision),
        "made_by": "a. worker",
        "camera": camera,
    }
    lens = LensTable(model="k1", focal_px=900.0, centre_px=(320.0, 240.0), distortion=(-0.1, 0.0, 0.0, 0.0, 0.0))
    written = write_calibration(
        project,
        CalibrationTable(kind="lens", lens=lens, **common),
        {"covariance": np.diag(np.full(8, 1e-8 * revision))},
    )
    plane = PlaneTable(
        lens_sha256=written.identity.sha256,
        rotation_rad=(0.01, 0.02, 0.0),
        translation_mm=(-50.0, -40.0, 300.0),
        height_mm=2.0,
        tilt_deg=1.0,
        mm_per_px=0.33,
        mm_per_px_range=(0.32, 0.34),
    )
    write_calibration(
        project, CalibrationTable(kind="plane", plane=plane, **common), {"covariance": np.diag(np.full(16, 1e-8))}
    )


@pytest.fixture
def station(tmp_path: Path) -> Callable[..., StationFile]:
    def station(text: str = STATION) -> StationFile:
        path = tmp_path / "calibration" / "stations" / "press.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return read_station(path)

    return station


def refused(station: Callable[..., StationFile], text: str = STATION) -> str:
    with pytest.raises(ConfigError) as caught:
        station(text)
    return str(caught.value)


def test_the_files_that_a_station_names_are_its_calibration(
    tmp_path: Path, station: Callable[..., StationFile]
) -> None:
    calibrate(tmp_path)

    calibration = station().calibration

    assert calibration.planes["face"].lens.focal_px == 900.0
    assert calibration.ruler("face") is calibration.planes["face"]
    assert calibration.ruler("back") is None
    assert calibration.serials == {"face": "A7"}
    assert [(file.id, file.revision) for file in calibration.files] == [("press/face.lens", 1), ("press/face.plane", 1)]


def test_the_hash_follows_every_file_and_is_that_of_the_scales_where_there_are_none(
    tmp_path: Path, station: Callable[..., StationFile]
) -> None:
    calibrate(tmp_path)
    first = station().calibration.identity
    calibrate(tmp_path, revision=2)
    second = station().calibration.identity
    without = station(STATION.partition("[calibrations")[0])

    assert first.sha256 != second.sha256
    assert without.calibration.identity.sha256 not in (first.sha256, second.sha256)
    assert without.calibration_files == ()
    # What stations without measured files have always had: their verdicts go on to name the same calibration.
    assert without.calibration.identity.sha256 == sha256_of_value({"scales": {}})


def test_a_file_that_is_missing_refuses_to_start_and_names_the_command(station: Callable[..., StationFile]) -> None:
    said = refused(station)

    assert "press.toml:15: " in said
    assert "face.lens.toml is not there" in said
    assert "run `lineside calibrate lens`" in said
    assert "run `lineside calibrate plane`" in said


def test_who_is_about_to_calibrate_needs_no_calibration(tmp_path: Path, station: Callable[..., StationFile]) -> None:
    refused(station)

    read = read_station(tmp_path / "calibration" / "stations" / "press.toml", calibrated=False)

    assert read.calibration.planes == {}


def test_a_view_has_a_scale_or_a_plane_never_both(tmp_path: Path, station: Callable[..., StationFile]) -> None:
    calibrate(tmp_path)
    scale = "[scales.face]\nmm_per_px = 0.1\nmm_per_px_uncertainty = 0.0\n"

    assert 'view "face" has both a scale and a calibrated plane' in refused(station, STATION + scale)
    assert station(STATION + scale.replace("face", "back")).calibration.ruler("back") is not None


@pytest.mark.parametrize(
    ("key", "declared", "said"),
    [
        ("serial", '"B9"', "calibrated with serial A7, the camera is declared with B9"),
        ("size_px", "[320, 240]", "calibrated with size_px [640, 480], the camera is declared with [320, 240]"),
        ("pixel_format", '"Mono12"', "calibrated with pixel_format Mono8, the camera is declared with Mono12"),
    ],
)
def test_another_camera_than_the_calibrated_one_is_refused_where_it_is_declared(
    tmp_path: Path, station: Callable[..., StationFile], key: str, declared: str, said: str
) -> None:
    calibrate(tmp_path)
    head, face, rest = STATION.partition("[cameras.face]\n")
    own, after, others = rest.partition("[cameras.back]\n")
    kept = "".join(line for line in own.splitlines(keepends=True) if not line.startswith(key))

    assert said in refused(station, f"{head}{face}{kept}{key} = {declared}\n{after}{others}")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"serial": "B9"}, "calibrated with serial A7, the camera has B9"),
        ({"width_px": 320}, "calibrated with size 640x480, the camera has 320x480"),
        ({"pixel_format": PixelFormat.MONO16}, "calibrated with pixel format Mono8, the camera has Mono16"),
        ({"settings": {"OffsetX": "128"}}, "calibrated with OffsetX 64, the camera has OffsetX 128"),
        ({"settings": {"OffsetX": "64", "BinningVertical": "2"}}, "the camera has BinningVertical 2, OffsetX 64"),
        ({"settings": {}}, "the camera has no region, binning or mirroring set"),
    ],
)
def test_another_camera_than_the_calibrated_one_is_refused_when_it_connects(
    tmp_path: Path, station: Callable[..., StationFile], other: dict[str, object], said: str
) -> None:
    calibrate(tmp_path)
    files = station().calibration_files
    check_calibrated(files, "face", REPORT)
    check_calibrated(files, "back", replace(REPORT, serial="C1"))  # nothing was calibrated there

    with pytest.raises(ConfigError, match=said):
        check_calibrated(files, "face", replace(REPORT, **other))  # type: ignore[arg-type]


def test_a_camera_that_was_calibrated_live_is_known_by_its_settings() -> None:
    assert camera_of(REPORT).geometry == {"OffsetX": "64"}
    assert geometry_of(replace(REPORT, settings={"fit": "crop", "loop": "false"})) == {"fit": "crop"}


def test_calibrated_from_files_the_region_of_interest_is_not_known_and_not_asked(
    tmp_path: Path, station: Callable[..., StationFile]
) -> None:
    calibrate(tmp_path, camera=CAMERA.model_copy(update={"geometry": None}))

    check_calibrated(station().calibration_files, "face", replace(REPORT, settings={"OffsetX": "128"}))


def test_a_calibration_of_another_station_is_refused(tmp_path: Path, station: Callable[..., StationFile]) -> None:
    calibrate(tmp_path, station="mill")
    (tmp_path / "calibration" / "mill").rename(tmp_path / "calibration" / "press")

    assert "face.lens.toml: calibrated at station mill; expected a calibration of press" in refused(station)


def test_a_plane_with_another_lens_than_its_own_is_refused(tmp_path: Path, station: Callable[..., StationFile]) -> None:
    calibrate(tmp_path)
    plane = calibration_path(tmp_path, "press", "face", "plane")
    kept = plane.read_bytes(), plane.with_suffix(".npz").read_bytes()
    calibrate(tmp_path, revision=2)
    plane.write_bytes(kept[0])
    plane.with_suffix(".npz").write_bytes(kept[1])

    assert "measured with the lens calibration" in refused(station)


def test_a_calibration_is_warned_of_from_the_day_on_that_the_recipe_says(
    tmp_path: Path, station: Callable[..., StationFile]
) -> None:
    calibrate(tmp_path)
    (tmp_path / "plate.toml").write_text(RECIPE)
    recipe = read_recipe(tmp_path / "plate.toml")
    files = station().calibration_files

    def warnings(now: datetime) -> list[str]:
        return [each.warning for each in calibration_status(files, recipe, now)]

    assert warnings(MADE + timedelta(days=91)) == ["", ""]
    assert warnings(MADE + timedelta(days=92, hours=1)) == [
        "press/face.lens is 91 d old, 90 d are allowed: calibrate anew",
        "press/face.plane is 91 d old, 90 d are allowed: calibrate anew",
    ]
    patient = replace(recipe, views={"face": replace(recipe.views["face"], calibration_max_age_days=None)})
    assert not any(each.warning for each in calibration_status(files, patient, MADE + timedelta(days=5000)))


def test_what_a_verdict_names_is_found_among_the_earlier_revisions(
    tmp_path: Path, station: Callable[..., StationFile]
) -> None:
    calibrate(tmp_path)
    first = station().calibration.files
    calibrate(tmp_path, revision=2)

    assert [file.identity for file in kept_calibration(tmp_path, first)] == list(first)
    assert [file.identity.revision for file in kept_calibration(tmp_path, station().calibration.files)] == [2, 2]
    with pytest.raises(ConfigError, match=r"press/face.lens revision 7 \(.*\) is not kept"):
        kept_calibration(tmp_path, [replace(first[0], revision=7)])
