"""`lineside calibrate light`: what brightness, colour and sharpness of good pictures are, and how much they vary."""

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
    from lineside.calibrate.frames import Shot
    from lineside.calibrate.light_fit import LightFit
    from lineside.config.calibration_tables import CameraTable

__all__ = ["light"]

_LOST_FRAMES = 20


def light(
    *,
    pictures: Annotated[
        list[Path] | None, typer.Argument(help="Pictures of good parts, or folders of them, as the camera takes them.")
    ] = None,
    station: StationNameOption = "",
    view: Annotated[str, typer.Option(help="View of the station.")],
    camera: Annotated[
        Path | None, typer.Option(help="Station file: take pictures with that view's camera instead of reading files.")
    ] = None,
    count: Annotated[int, typer.Option(min=5, max=200, help="Pictures to take, with --camera.")] = 10,
    serial: Annotated[str, typer.Option(help="Serial number of the camera that took the files.")] = "",
    pixel_format: Annotated[PixelFormat, typer.Option(help="What the files hold.")] = PixelFormat.MONO8,
    temperature_c: TemperatureOption = None,
    made_by: ByOption = "",
    project: ProjectOption = Path(),
) -> None:
    """Keep what good pictures look like; writes calibration/STATION/VIEW.light.toml and a page about it.

    Later checks compare with it: `lineside check-calibration`. Show several good parts, as they come: what differs
    between them is natural, and is measured. Pictures unlike the others are left out and named. With --camera a
    picture is taken at each Enter.
    """
    from lineside.calibrate.light_fit import fit_light
    from lineside.calibrate.report import light_page
    from lineside.calibrate.results import Occasion, light_arrays, light_table
    from lineside.config.calibration_file import calibration_path, next_revision, write_calibration

    if bool(pictures) == bool(camera):
        raise ConfigError("pictures and --camera" if camera else "no pictures", expected="pictures, or --camera FILE")
    if camera:
        known, shots, station = _taken(camera, view, count, station)
    else:
        known, shots = _read(listed(pictures or []), serial, pixel_format)
    path = calibration_path(project, station, view, "light")
    revision = next_revision(path)
    fit = fit_light(shots, PixelFormat(known.pixel_format))
    occasion = Occasion(
        station=station,
        view=view,
        revision=revision,
        made_utc=now_utc(),
        made_by=made_by or by_default(),
        temperature_c=temperature_c,
        camera=known,
    )
    written = write_calibration(project, light_table(fit, occasion), light_arrays(fit))
    page = path.with_suffix(".html")
    page.write_text(light_page(written, fit), encoding="utf-8")
    _summary(fit, path, page)


def _read(paths: list[Path], serial: str, pixel_format: PixelFormat) -> tuple[CameraTable, list[Shot]]:
    from lineside.calibrate.frames import Shot
    from lineside.config.calibration_tables import CameraTable

    if not serial:
        raise ConfigError("no --serial", expected="the serial number of the camera that took the pictures")
    height, width = read_pixels(paths[0], pixel_format).shape[:2]
    shots = [
        Shot(name=path.name, pixels=read_pixels(path, pixel_format, (width, height)))
        for path in track(paths, "Reading pictures", console=Console(stderr=True))
    ]
    return CameraTable(serial=serial, size_px=(width, height), pixel_format=pixel_format.value), shots


def _taken(file: Path, view: str, count: int, station: str) -> tuple[CameraTable, list[Shot], str]:
    """A picture at each Enter; when nobody is there to press it, one after the other."""
    from lineside.assemble import camera_config_classes, open_camera
    from lineside.calibrate.frames import Shot
    from lineside.config.camera_geometry import camera_of
    from lineside.config.station_file import read_station
    from lineside.core.frame import Frame
    from lineside.core.ports import EndOfSource

    files = read_station(file, camera_config_classes=camera_config_classes(), calibrated=False)
    device = open_camera(files, view)
    report = device.connect()
    known = camera_of(report)
    console = Console(stderr=True)
    shots: list[Shot] = []
    lost = 0
    try:
        while len(shots) < count and lost < _LOST_FRAMES:
            console.print(f"Show good part {len(shots) + 1} of {count} to {view}, then press Enter.")
            sys.stdin.readline()
            frame = device.capture(len(shots) + lost + 1, 2000)
            if isinstance(frame, Frame):
                shots.append(Shot(name=f"picture-{len(shots) + 1:02}", pixels=frame.pixels.copy()))
            else:
                lost += 1
    except (KeyboardInterrupt, EndOfSource):  # the operator has enough, or a folder is at its end
        console.print(f"{len(shots)} pictures")
    finally:
        device.close()
    return known, shots, station or files.station_id


def _summary(fit: LightFit, path: Path, page: Path) -> None:
    console = standard_output()
    for left_out in fit.left_out:
        console.print(f"left out: {left_out.name}: {left_out.reason}", markup=False)
    for sentence in fit.warnings:
        console.print(f"warning: {sentence}", markup=False)
    brightness, sharpness = fit.mean[0], fit.mean[1]
    rows = {
        "light": f"{brightness.mean():.1%} ± {fit.whole_scatter[0]:.1%} of the largest value; darkest region "
        f"{brightness.min() / brightness.max():.0%} of the brightest",
        "sharpness": f"{sharpness.mean():.4f} ± {fit.whole_scatter[1]:.4f}",
        "pictures": f"{len(fit.names)} used, {len(fit.left_out)} left out",
        "file": str(path),
        "page": str(page),
    }
    for name, text in rows.items():
        console.print(f"{name:>10}  {text}", markup=False)
