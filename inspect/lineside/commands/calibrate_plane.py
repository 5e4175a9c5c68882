"""`lineside calibrate plane`: where the parts lie before the camera, and how large a pixel is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineside.commands.calibrate_words import (
    ByOption,
    HeightOption,
    ProjectOption,
    RulerOption,
    RulersOption,
    StationNameOption,
    TargetOption,
    TemperatureOption,
    now_utc,
    print_of,
    read_pixels,
)
from lineside.commands.station_option import by_default
from lineside.commands.station_option import output as standard_output
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

__all__ = ["plane"]


def plane(
    *,
    picture: Annotated[Path, typer.Argument(help="Picture of the target, lying where parts lie.")],
    station: StationNameOption,
    view: Annotated[str, typer.Option(help="View of the station.")],
    target: TargetOption,
    lens: Annotated[
        Path | None, typer.Option(help="The lens calibration; else calibration/STATION/VIEW.lens.toml.")
    ] = None,
    height_mm: HeightOption = 0.0,
    height_sd_mm: Annotated[
        float, typer.Option(min=0, help="Standard uncertainty of that height, part to part included, in mm.")
    ] = 0.1,
    rulers: RulersOption = "",
    ruler_sd_mm: RulerOption = 0.1,
    temperature_c: TemperatureOption = None,
    made_by: ByOption = "",
    project: ProjectOption = Path(),
) -> None:
    """Measure the plane of the parts from one picture; writes calibration/STATION/VIEW.plane.toml and a page about it.

    The scale is a field over the frame, each value with its uncertainty: from the picture, the lens, the print and the
    height of the parts.
    """
    from lineside.calibrate.detection import find_target, grey_of, white_beside
    from lineside.calibrate.plane_fit import Declared, fit_plane, warnings_of
    from lineside.calibrate.report import plane_page
    from lineside.calibrate.results import Occasion, plane_arrays, plane_table
    from lineside.calibrate.target import read_target
    from lineside.config.calibration_file import (
        calibration_path,
        lens_of,
        next_revision,
        read_calibration,
        write_calibration,
    )

    path = calibration_path(project, station, view, "plane")
    lens_file = read_calibration(lens or calibration_path(project, station, view, "lens"))
    camera = lens_file.table.camera
    described = read_target(target)
    used = print_of(described, rulers, ruler_sd_mm)
    pixel_format = PixelFormat(camera.pixel_format)
    pixels = read_pixels(picture, pixel_format)
    grey = grey_of(pixels, pixel_format)
    if grey.shape[::-1] != camera.size_px:
        raise ConfigError(
            f"{picture}: {grey.shape[1]} x {grey.shape[0]} px",
            expected=f"{camera.size_px[0]} x {camera.size_px[1]} px, as the lens calibration has",
            remedy="take it with the same camera and setting",
        )
    declared = Declared(
        print_uncertainty=used.scale_uncertainty, height_mm=height_mm, height_uncertainty_mm=height_sd_mm
    )
    fit = fit_plane(find_target(picture.name, grey, described, used.scale), lens_of(lens_file), declared)
    told = warnings_of(fit, lens_file.table.residuals["sd_px"])
    occasion = Occasion(
        station=station,
        view=view,
        revision=next_revision(path),
        made_utc=now_utc(),
        made_by=made_by or by_default(),
        temperature_c=temperature_c,
        camera=camera,
        target=used,
    )
    white = white_beside(pixels, pixel_format, fit.picture.found.points_px)
    table = plane_table(fit, declared, lens_file.identity, occasion)
    written = write_calibration(project, table, plane_arrays(fit, white))
    page = path.with_suffix(".html")
    page.write_text(plane_page(written, fit, grey, told), encoding="utf-8")
    found = written.table.plane
    assert found is not None
    console = standard_output()
    for sentence in told:
        console.print(f"warning: {sentence}", markup=False)
    low, high = found.mm_per_px_range
    rows = {
        "scale": f"{found.mm_per_px:.5f} mm per px in the middle, {low:.5f} to {high:.5f} over the frame, "
        f"± {written.table.uncertainty['relative_scale_95']:.3%} (95 %)",
        "tilt": f"{found.tilt_deg:.2f}°",
        "fit": f"{len(fit.picture.found.ids)} points, {fit.picture.rms_px:.3f} px root mean square",
        "file": str(path),
        "page": str(page),
    }
    for name, text in rows.items():
        console.print(f"{name:>10}  {text}", markup=False)
