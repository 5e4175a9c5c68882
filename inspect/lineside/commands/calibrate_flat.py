"""`lineside calibrate flat`: every pixel's own offset and gain, bad pixels, and the camera's noise and linearity."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from lineside.commands.calibrate_words import (
    ByOption,
    ProjectOption,
    StationNameOption,
    TemperatureOption,
    listed,
    now_utc,
    read_pixels,
)
from lineside.commands.station_option import by_default
from lineside.commands.station_option import output as standard_output
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    from lineside.calibrate.flat_fit import FlatFit
    from lineside.calibrate.frames import Shot
    from lineside.calibrate.sensor_fit import SensorFit
    from lineside.config.calibration_tables import CameraTable
    from lineside.core.ports import Camera

__all__ = ["flat"]

_LOST_FRAMES = 20


def flat(
    *,
    station: StationNameOption = "",
    view: Annotated[str, typer.Option(help="View of the station.")],
    dark: Annotated[list[Path] | None, typer.Option(help="Frames with the lens covered, or folders of them.")] = None,
    white: Annotated[
        list[Path] | None, typer.Option("--flat", help="Frames of an evenly lit white, or folders of them.")
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(help="EXPOSURE_US=FOLDER, once for each exposure: also tell noise and linearity (EMVA 1288)."),
    ] = None,
    camera: Annotated[
        Path | None, typer.Option(help="Station file: take frames with that view's camera instead of reading files.")
    ] = None,
    count: Annotated[int, typer.Option(min=8, max=200, help="Frames to take of each, with --camera.")] = 16,
    serial: Annotated[str, typer.Option(help="Serial number of the camera that took the files.")] = "",
    pixel_format: Annotated[PixelFormat, typer.Option(help="What the files hold.")] = PixelFormat.MONO8,
    exposure_us: Annotated[
        float | None, typer.Option(min=0.001, help="Exposure time of dark and flat frames, where it is known.")
    ] = None,
    temperature_c: TemperatureOption = None,
    made_by: ByOption = "",
    project: ProjectOption = Path(),
) -> None:
    """Measure the flat field from dark and flat frames; writes calibration/STATION/VIEW.flat.toml and a page about it.

    Frames that are no good are left out and named. Exposure, gain and aperture must be those of the inspection. With
    --camera you are told when to cover the lens and when to show the white.
    """
    from lineside.calibrate.flat_fit import fit_flat
    from lineside.calibrate.frames import dark_stack, flat_stack
    from lineside.calibrate.report import flat_page
    from lineside.calibrate.results import Occasion, flat_arrays, flat_table
    from lineside.config.calibration_file import calibration_path, next_revision, write_calibration

    if bool(dark and white) == bool(camera) or (camera and (dark or white)):
        raise ConfigError(
            "files and --camera" if camera else "no frames", expected="--dark and --flat, or --camera FILE"
        )
    if camera:
        known, darks, whites, station = _taken(camera, view, count, station)
    else:
        known, darks, whites = _read(listed(dark or []), listed(white or []), serial, pixel_format)
    pixel_format = PixelFormat(known.pixel_format)
    path = calibration_path(project, station, view, "flat")
    revision = next_revision(path)
    fit = fit_flat(dark_stack(darks, pixel_format), flat_stack(whites, pixel_format), pixel_format)
    sensor = _sensor(series, fit, known) if series else None
    occasion = Occasion(
        station=station,
        view=view,
        revision=revision,
        made_utc=now_utc(),
        made_by=made_by or by_default(),
        temperature_c=temperature_c,
        camera=known,
    )
    written = write_calibration(project, flat_table(fit, sensor, exposure_us, occasion), flat_arrays(fit))
    page = path.with_suffix(".html")
    page.write_text(flat_page(written, fit, sensor), encoding="utf-8")
    _summary(fit, sensor, path, page)


def _read(
    darks: list[Path], whites: list[Path], serial: str, pixel_format: PixelFormat
) -> tuple[CameraTable, list[Shot], list[Shot]]:
    from lineside.config.calibration_tables import CameraTable

    if not serial:
        raise ConfigError("no --serial", expected="the serial number of the camera that took the frames")
    height, width = read_pixels(darks[0], pixel_format).shape[:2]
    taken_dark, taken_white = (
        _shots(paths, pixel_format, (width, height), what)
        for paths, what in ((darks, "Reading the dark"), (whites, "Reading the white"))
    )
    known = CameraTable(serial=serial, size_px=(width, height), pixel_format=pixel_format.value)
    return known, taken_dark, taken_white


def _shots(paths: list[Path], pixel_format: PixelFormat, size_px: tuple[int, int], what: str) -> list[Shot]:
    from lineside.calibrate.frames import Shot

    return [
        Shot(name=path.name, pixels=read_pixels(path, pixel_format, size_px))
        for path in track(paths, what, console=Console(stderr=True))
    ]


def _sensor(series: list[str], fit: FlatFit, known: CameraTable) -> SensorFit:
    from lineside.calibrate.frames import level_stack
    from lineside.calibrate.sensor_fit import Level, fit_sensor

    pixel_format = PixelFormat(known.pixel_format)
    if pixel_format.channels != 1:
        raise ConfigError(
            f"--series with {pixel_format}",
            expected="Mono8/10/12/16",
            remedy="take the series in a raw format: colours made of neighbouring pixels share their noise",
        )
    levels = []
    for each in series:
        exposure, _, folder = each.partition("=")
        try:
            exposure_us = float(exposure)
        except ValueError as error:
            raise ConfigError(f"--series {each}", expected="EXPOSURE_US=FOLDER, such as 500=frames/500us") from error
        shots = _shots(listed([Path(folder)]), pixel_format, known.size_px, f"Reading {exposure} µs")
        levels.append(Level(exposure_us=exposure_us, stack=level_stack(shots)))
    return fit_sensor(fit.dark, levels, fit.bad == 0, fit.response_sd)


def _taken(file: Path, view: str, count: int, station: str) -> tuple[CameraTable, list[Shot], list[Shot], str]:
    """Asks for the dark and for the white, and takes frames of each."""
    from lineside.assemble import camera_config_classes, open_camera
    from lineside.config.camera_geometry import camera_of
    from lineside.config.station_file import read_station

    files = read_station(file, camera_config_classes=camera_config_classes(), calibrated=False)
    device = open_camera(files, view)
    report = device.connect()
    known = camera_of(report)
    try:
        darks = _frames(device, count, "dark", f"Cover the lens of {view}, then press Enter.")
        whites = _frames(device, count, "flat", "Show it an even, evenly lit white over the whole frame; press Enter.")
    finally:
        device.close()
    return known, darks, whites, station or files.station_id


def _frames(device: Camera, count: int, name: str, asked: str) -> list[Shot]:
    from lineside.calibrate.frames import Shot
    from lineside.core.frame import Frame
    from lineside.core.ports import EndOfSource

    console = Console(stderr=True)
    console.print(asked)
    sys.stdin.readline()  # at its end: nobody is there to wait for
    shots: list[Shot] = []
    lost = 0
    with console.status(f"taking {count} frames"):
        while len(shots) < count and lost < _LOST_FRAMES:
            try:
                frame = device.capture(len(shots) + lost + 1, 2000)
            except EndOfSource:
                break
            if isinstance(frame, Frame):
                shots.append(Shot(name=f"{name}-{len(shots) + 1:02}", pixels=frame.pixels.copy()))
            else:
                lost += 1
    if not shots:
        raise ConfigError(f"the camera gave no {name} frame", remedy="see `lineside check`, and its cable")
    return shots


def _summary(fit: FlatFit, sensor: SensorFit | None, path: Path, page: Path) -> None:
    console = standard_output()
    for left_out in (*fit.dark.left_out, *fit.flat.left_out):
        console.print(f"left out: {left_out.name}: {left_out.reason}", markup=False)
    for sentence in fit.warnings:
        console.print(f"warning: {sentence}", markup=False)
    bad = int((fit.bad > 0).sum())
    rows = {
        "shading": f"{fit.vignetting:.1%} darker in the darkest part of the frame; responses differ by "
        f"{fit.response_sd:.2%}, noise leaves {fit.gain_sd:.2%} in a gain",
        "pixels": f"{bad} bad of {fit.bad.size}: taken from their neighbours",
    }
    if sensor:
        full = "not reached" if sensor.saturation_e is None else f"{sensor.saturation_e:,.0f} e"
        line = "unknown" if sensor.linearity_error is None else f"{sensor.linearity_error:.2%}"
        limit = "below " if sensor.dark_noise_is_limit else ""
        rows["sensor"] = (
            f"K {sensor.gain_dn_per_e:.4g} DN/e, dark noise {limit}{sensor.dark_noise_e:.3g} e, saturation {full}, "
            f"linearity error {line}, DSNU {sensor.dsnu_e:.3g} e, PRNU {sensor.prnu:.2%}"
        )
    for name, text in (rows | {"file": str(path), "page": str(page)}).items():
        console.print(f"{name:>10}  {text}", markup=False)
