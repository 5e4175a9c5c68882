"""The file of a calibration: what it holds, what it refuses, and that none is lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from lineside.config.calibration_file import (
    age_warning,
    calibration_path,
    check_camera,
    flat_of,
    lens_of,
    plane_of,
    read_calibration,
    write_calibration,
)
from lineside.config.calibration_tables import CalibrationTable, CameraTable, FlatTable, LensTable
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport

MADE = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
TABLE = CalibrationTable(
    station="press-4",
    view="face",
    kind="lens",
    revision=1,
    made_utc=MADE,
    made_by="a. worker",
    temperature_c=21.5,
    camera=CameraTable(serial="A7", model="acA1300", size_px=(1280, 1024), pixel_format="Mono8"),
    residuals={"rms_px": 0.05},
    lens=LensTable(model="k1", focal_px=1800.0, centre_px=(640.0, 512.0), distortion=(-0.1, 0.0, 0.0, 0.0, 0.0)),
)
ARRAYS = {"covariance": np.diag(np.arange(8.0))}
CAMERA = CameraReport(serial="A7", model="acA1300", pixel_format=PixelFormat.MONO8, width_px=1280, height_px=1024)


def test_what_was_measured_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    written = write_calibration(tmp_path, TABLE, ARRAYS)

    read = read_calibration(calibration_path(tmp_path, "press-4", "face", "lens"))
    assert read.identity == written.identity
    assert (read.identity.id, read.identity.revision) == ("press-4/face.lens", 1)
    assert read.table.made_utc == MADE
    lens = lens_of(read)
    assert (lens.focal_px, lens.size_px) == (1800.0, (1280, 1024))
    assert np.array_equal(lens.covariance, ARRAYS["covariance"])


def test_the_hash_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    one = write_calibration(tmp_path / "a", TABLE, ARRAYS).identity
    two = write_calibration(tmp_path / "b", TABLE, ARRAYS).identity
    warmer = write_calibration(tmp_path / "c", TABLE.model_copy(update={"temperature_c": 30.0}), ARRAYS).identity
    wider = write_calibration(tmp_path / "d", TABLE, {"covariance": np.eye(8)}).identity

    assert one == two
    assert len({one.sha256, warmer.sha256, wider.sha256}) == 3


@pytest.mark.parametrize(
    "change", [("1800.0", "1801.0"), ("a. worker", "b. worker"), ('kind = "lens"', 'kind = "plane"')]
)
def test_a_file_changed_by_hand_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    path = write_calibration(tmp_path, TABLE, ARRAYS).path
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))

    with pytest.raises(ConfigError):
        read_calibration(path)


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_arrays_that_are_not_those_that_were_measured_are_refused(tmp_path: Path, damage: str) -> None:
    path = write_calibration(tmp_path, TABLE, ARRAYS).path
    place = path.with_suffix(".npz")
    if damage == "missing":
        place.unlink()
    else:
        data = bytearray(place.read_bytes())
        data[len(data) // 2] ^= 1
        place.write_bytes(data)

    with pytest.raises(ConfigError, match=r"npz is (not what was measured|missing)"):
        read_calibration(path)


def test_a_new_revision_keeps_the_one_before(tmp_path: Path) -> None:
    first = write_calibration(tmp_path, TABLE, ARRAYS)
    first.path.with_suffix(".html").write_text("the page of revision 1")
    second = write_calibration(tmp_path, TABLE.model_copy(update={"revision": 2, "made_by": "b. worker"}), ARRAYS)

    kept = read_calibration(first.path.parent / "earlier" / "face.lens.r1.toml")
    assert kept.identity == first.identity
    assert (kept.path.with_suffix(".html")).read_text() == "the page of revision 1"
    assert second.identity.revision == 2
    assert sorted(path.name for path in first.path.parent.iterdir()) == ["earlier", "face.lens.npz", "face.lens.toml"]


def test_a_revision_is_never_written_twice(tmp_path: Path) -> None:
    write_calibration(tmp_path, TABLE, ARRAYS)

    with pytest.raises(ConfigError, match="expected revision 2"):
        write_calibration(tmp_path, TABLE, ARRAYS)


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"serial": "B8"}, "serial A7"),
        ({"width_px": 640}, "size 1280x1024"),
        ({"pixel_format": PixelFormat.MONO12}, "pixel format Mono8"),
    ],
)
def test_a_calibration_of_another_camera_is_refused(tmp_path: Path, other: dict[str, object], word: str) -> None:
    file = write_calibration(tmp_path, TABLE, ARRAYS)
    check_camera(file, CAMERA)

    with pytest.raises(ConfigError, match=word):
        check_camera(file, replace(CAMERA, **other))  # type: ignore[arg-type]


def test_an_old_calibration_and_one_from_the_future_are_warned_of(tmp_path: Path) -> None:
    file = write_calibration(tmp_path, TABLE, ARRAYS)

    assert not age_warning(file, MADE + timedelta(days=90), timedelta(days=90))
    assert "91 d old, 90 d are allowed" in age_warning(file, MADE + timedelta(days=91), timedelta(days=90))
    assert "in the future" in age_warning(file, MADE - timedelta(hours=1), timedelta(days=90))


def test_a_lens_is_no_plane_and_folders_with_a_meaning_are_no_stations(tmp_path: Path) -> None:
    file = write_calibration(tmp_path, TABLE, ARRAYS)

    with pytest.raises(ConfigError, match='expected a calibration of kind "plane"'):
        plane_of(file, file)
    with pytest.raises(ConfigError, match="station 'targets'"):
        calibration_path(tmp_path, "targets", "face", "lens")


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='kind "flat" with the tables'):
        CalibrationTable.model_validate(TABLE.model_dump() | {"kind": "flat"})


def flat_table() -> CalibrationTable:
    flat = FlatTable(
        frames_dark=8, frames_flat=8, dark_mean_dn=3.0, flat_mean_dn=120.0, gain_range=(0.9, 1.4), vignetting=0.3,
        dead_pixels=1, hot_pixels=0,
    )  # fmt: skip
    camera = TABLE.camera.model_copy(update={"size_px": (7, 5)})
    return TABLE.model_copy(update={"kind": "flat", "lens": None, "flat": flat, "camera": camera})


def test_a_flat_field_comes_back_as_maps_for_frames(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    arrays = {
        "offset": random.uniform(0, 4, (5, 7)).astype(np.float32),
        "gain": random.uniform(0.9, 1.4, (5, 7)).astype(np.float32),
        "bad": np.eye(5, 7, dtype=np.uint8),
    }
    file = write_calibration(tmp_path, flat_table(), arrays)
    maps = flat_of(file)

    assert file.identity.id == "press-4/face.flat"
    assert maps.pixel_format is PixelFormat.MONO8
    assert np.array_equal(maps.gain, arrays["gain"])
    assert maps.bad.sum() == 5


@pytest.mark.parametrize("change", ["bad", "size", "kind"])
def test_a_flat_field_that_fits_no_frame_is_refused(tmp_path: Path, change: str) -> None:
    arrays = {name: np.ones((5, 7), np.float32) for name in ("offset", "gain")} | {"bad": np.zeros((5, 7), np.uint8)}
    if change == "bad":
        del arrays["bad"]
    if change == "size":
        arrays = {name: array[:, :6] for name, array in arrays.items()}
    file = write_calibration(tmp_path, flat_table(), arrays) if change != "kind" else None

    with pytest.raises(ConfigError, match={"bad": "no array bad", "size": "6x5 px", "kind": "of kind lens"}[change]):
        flat_of(file or write_calibration(tmp_path, TABLE, ARRAYS))
