"""Pictures are written for training bit for bit as a station with that flat field shows them to its model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from lineside.cli import app
from lineside.config.calibration_file import write_calibration
from lineside.config.calibration_tables import CalibrationTable, CameraTable, FlatTable
from lineside.core.calibration import FlatMaps
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.flat_field import FlatField

WIDTH_PX, HEIGHT_PX = 20, 12
FLAT = FlatTable(
    frames_dark=8, frames_flat=8, dark_mean_dn=3.0, flat_mean_dn=120.0, gain_range=(1.0, 1.4), vignetting=0.3,
    dead_pixels=1, hot_pixels=0,
)  # fmt: skip


def flat_file(project: Path, pixel_format: PixelFormat) -> tuple[Path, FlatField]:
    random = np.random.default_rng(2)
    shape = pixel_format.shape(WIDTH_PX, HEIGHT_PX)
    maps = FlatMaps(
        pixel_format=pixel_format,
        offset=random.uniform(0, 3, shape).astype(np.float32),
        gain=random.uniform(1, 1.4, shape).astype(np.float32),
        bad=random.uniform(0, 1, shape) > 0.97,
    )
    table = CalibrationTable(
        station="press-4",
        view="face",
        kind="flat",
        revision=1,
        made_utc=datetime(2026, 3, 1, tzinfo=UTC),
        made_by="a. worker",
        camera=CameraTable(serial="A7", size_px=(WIDTH_PX, HEIGHT_PX), pixel_format=pixel_format.value),
        flat=FLAT,
    )
    written = write_calibration(project, table, {"offset": maps.offset, "gain": maps.gain, "bad": maps.bad})
    return written.path, FlatField(maps)


def picture(pixel_format: PixelFormat, seed: int) -> NDArray[Any]:
    shape = pixel_format.shape(WIDTH_PX, HEIGHT_PX)
    return np.random.default_rng(seed).integers(0, pixel_format.max_value, shape).astype(pixel_format.dtype)


def stored(pixels: NDArray[Any], pixel_format: PixelFormat) -> NDArray[Any]:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixel_format is PixelFormat.RGB8 else pixels


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app("calibrate"), ["calibrate", *map(str, words)])


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO12, PixelFormat.RGB8])
def test_pictures_are_corrected_as_the_station_does(tmp_path: Path, pixel_format: PixelFormat) -> None:
    path, field = flat_file(tmp_path, pixel_format)
    (tmp_path / "good").mkdir()
    for number in range(3):
        pixels = picture(pixel_format, number)
        cv2.imwrite(str(tmp_path / "good" / f"{number}.png"), stored(pixels, pixel_format))

    told = run("correct", tmp_path / "good", "--flat", path, "-o", tmp_path / "corrected")

    assert told.exit_code == 0, told.output
    assert "3 pictures in" in told.stdout
    assert "press-4/face.flat revision 1" in told.stdout
    for number in range(3):
        written = cv2.imread(str(tmp_path / "corrected" / f"{number}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(written, stored(field.apply(picture(pixel_format, number)), pixel_format))


def test_pictures_as_the_camera_took_them_are_never_written_over(tmp_path: Path) -> None:
    path, _ = flat_file(tmp_path, PixelFormat.MONO8)
    cv2.imwrite(str(tmp_path / "0.png"), picture(PixelFormat.MONO8, 0))
    before = (tmp_path / "0.png").read_bytes()

    told = run("correct", tmp_path / "0.png", "--flat", path, "-o", tmp_path)

    assert isinstance(told.exception, ConfigError)
    assert "would be written over" in str(told.exception)
    assert (tmp_path / "0.png").read_bytes() == before


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    path, _ = flat_file(tmp_path, PixelFormat.MONO8)
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((HEIGHT_PX, WIDTH_PX + 1), np.uint8))

    told = run("correct", tmp_path / "wide.png", "--flat", path, "-o", tmp_path / "out")

    assert isinstance(told.exception, ConfigError)
    assert "wide.png: file of 21 x 12 px; expected a picture in Mono8 of 20 x 12 px" in str(told.exception)
