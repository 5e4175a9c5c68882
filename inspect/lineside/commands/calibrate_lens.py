"""`lineside calibrate lens`: focal length, centre and distortion, from pictures or from a live camera."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from lineside.commands.calibrate_words import (
    ByOption,
    ProjectOption,
    RulerOption,
    RulersOption,
    StationNameOption,
    TargetOption,
    TemperatureOption,
    listed,
    now_utc,
    print_of,
    read_grey,
)
from lineside.commands.station_option import by_default
from lineside.commands.station_option import output as standard_output
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lineside.calibrate.detection import Found
    from lineside.calibrate.lens_fit import LensFit
    from lineside.calibrate.target import Target
    from lineside.config.calibration_tables import CameraTable

__all__ = ["lens"]

_LOST_FRAMES = 20


def lens(
    *,
    pictures: Annotated[list[Path] | None, typer.Argument(help="Pictures of the target, or folders of them.")] = None,
    station: StationNameOption = "",
    view: Annotated[str, typer.Option(help="View of the station.")],
    target: TargetOption,
    camera: Annotated[
        Path | None, typer.Option(help="Station file: take pictures with that view's camera instead of reading files.")
    ] = None,
    count: Annotated[int, typer.Option(min=8, max=100, help="Pictures to take, with --camera.")] = 14,
    serial: Annotated[str, typer.Option(help="Serial number of the camera that took the files.")] = "",
    pixel_format: Annotated[PixelFormat, typer.Option(help="What the files hold.")] = PixelFormat.MONO8,
    rulers: RulersOption = "",
    ruler_sd_mm: RulerOption = 0.1,
    temperature_c: TemperatureOption = None,
    made_by: ByOption = "",
    project: ProjectOption = Path(),
) -> None:
    """Measure a lens from pictures of a target, and write calibration/STATION/VIEW.lens.toml and a page about it.

    Bad pictures are left out and named. With --camera, move the target about: a picture is kept whenever it is sharp
    and shows the target from a new place.
    """
    from lineside.calibrate.lens_fit import fit_lens
    from lineside.calibrate.report import lens_page
    from lineside.calibrate.results import Occasion, lens_arrays, lens_table
    from lineside.calibrate.selection import select
    from lineside.calibrate.target import read_target
    from lineside.config.calibration_file import calibration_path, next_revision, write_calibration

    if bool(pictures) == bool(camera):
        raise ConfigError("pictures and --camera" if camera else "no pictures", expected="pictures, or --camera FILE")
    described = read_target(target)
    used = print_of(described, rulers, ruler_sd_mm)
    if camera:
        known, shots, station = _taken(camera, view, described, used.scale, count, station)
    else:
        known, shots = _read(listed(pictures or []), serial, pixel_format, described, used.scale)
    path = calibration_path(project, station, view, "lens")
    revision = next_revision(path)
    fit = fit_lens(select([found for found, _ in shots], known.size_px), known.size_px)
    occasion = Occasion(
        station=station,
        view=view,
        revision=revision,
        made_utc=now_utc(),
        made_by=made_by or by_default(),
        temperature_c=temperature_c,
        camera=known,
        target=used,
    )
    written = write_calibration(project, lens_table(fit, occasion), lens_arrays(fit))
    page = path.with_suffix(".html")
    page.write_text(lens_page(written, fit, {found.name: grey for found, grey in shots}), encoding="utf-8")
    _summary(fit, path, page)


def _read(
    paths: list[Path], serial: str, pixel_format: PixelFormat, target: Target, scale: tuple[float, float]
) -> tuple[CameraTable, list[tuple[Found, NDArray[np.uint8]]]]:
    from lineside.calibrate.detection import find_target
    from lineside.config.calibration_tables import CameraTable

    if not serial:
        raise ConfigError("no --serial", expected="the serial number of the camera that took the pictures")
    shots: list[tuple[Found, NDArray[np.uint8]]] = []
    for path in track(paths, "Looking for the target", console=Console(stderr=True)):
        grey = read_grey(path, pixel_format)
        if shots and grey.shape != shots[0][1].shape:
            raise ConfigError(
                f"{path}: {grey.shape[1]} x {grey.shape[0]} px",
                expected=f"{shots[0][1].shape[1]} x {shots[0][1].shape[0]} px, as the first picture has",
                remedy="give pictures of one camera with one setting",
            )
        shots.append((find_target(path.name, grey, target, scale), grey))
    height, width = shots[0][1].shape
    return CameraTable(serial=serial, size_px=(width, height), pixel_format=pixel_format.value), shots


def _taken(
    file: Path, view: str, target: Target, scale: tuple[float, float], count: int, station: str
) -> tuple[CameraTable, list[tuple[Found, NDArray[np.uint8]]], str]:
    """Takes pictures until there are enough that are sharp and new. Ctrl-C ends it early."""
    from lineside.assemble import camera_config_classes, open_camera
    from lineside.calibrate.detection import find_target, grey_of
    from lineside.calibrate.selection import alike
    from lineside.config.camera_geometry import camera_of
    from lineside.config.station_file import read_station
    from lineside.core.frame import Frame
    from lineside.core.ports import EndOfSource

    files = read_station(file, camera_config_classes=camera_config_classes(), calibrated=False)
    device = open_camera(files, view)
    report = device.connect()
    known = camera_of(report)
    console = Console(stderr=True)
    shots: list[tuple[Found, NDArray[np.uint8]]] = []
    number = lost = 0
    console.print(f"Move the target about before {view}; {count} pictures are taken. Ctrl-C ends it.")
    try:
        while len(shots) < count and lost < _LOST_FRAMES:
            number += 1
            frame = device.capture(number, 2000)
            if not isinstance(frame, Frame):
                lost += 1
                continue
            grey = grey_of(frame.pixels, frame.pixel_format)
            found = find_target(f"picture-{len(shots) + 1:02}", grey, target, scale)
            if not found.trouble and not any(alike(found, other, known.size_px) for other, _ in shots):
                shots.append((found, grey.copy()))
                console.print(f"{len(shots)} of {count}: {len(found.ids)} points; move it")
            else:
                time.sleep(0.2)
    except (KeyboardInterrupt, EndOfSource):  # the operator has enough, or a folder is at its end
        console.print(f"{len(shots)} pictures")
    finally:
        device.close()
    return known, shots, station or files.station_id


def _summary(fit: LensFit, path: Path, page: Path) -> None:
    console = standard_output()
    for left_out in fit.left_out:
        console.print(f"left out: {left_out.name}: {left_out.reason}", markup=False)
    lens = fit.lens
    sd = lens.covariance.diagonal() ** 0.5
    rows = {
        "lens": f"focal length {lens.focal_px:.2f} ± {sd[0]:.2f} px, centre {lens.centre_px[0]:.2f}, "
        f"{lens.centre_px[1]:.2f} ± {max(sd[1:3]):.2f} px; distortion {fit.model}",
        "fit": f"{len(fit.pictures)} pictures, {sum(len(each.found.ids) for each in fit.pictures)} points, "
        f"{fit.rms_px:.3f} px root mean square",
        "file": str(path),
        "page": str(page),
    }
    for name, text in rows.items():
        console.print(f"{name:>10}  {text}", markup=False)
