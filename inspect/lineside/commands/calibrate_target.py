"""`lineside calibrate target`: targets to print, to scale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lineside.commands.station_option import output as standard_output
from lineside.core.errors import ConfigError

__all__ = ["target"]


def target(
    *,
    target_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the target, printed on it.")],
    kind: Annotated[
        Literal["charuco", "checkerboard", "dots"], typer.Option(help="charuco may be partly hidden or out of view.")
    ] = "charuco",
    paper: Annotated[Literal["a5", "a4", "a3", "letter"], typer.Option(help="Size of the sheet.")] = "a4",
    pitch: Annotated[
        float | None, typer.Option(min=1, help="Side of a square or distance of dots in mm; else to suit the paper.")
    ] = None,
    revision: Annotated[int, typer.Option(min=1, help="Revision, printed on it.")] = 1,
    dpi: Annotated[int, typer.Option(min=72, max=2400, help="Dots per inch of the PNG.")] = 300,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder for the three files.")] = Path(
        "calibration/targets"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Make a target to print: ID.pdf and ID.png to scale, and ID.toml, which says what it is."""
    from lineside.calibrate.sheet import sheet_of
    from lineside.calibrate.sheet_pdf import pdf_of
    from lineside.calibrate.sheet_png import png_of
    from lineside.calibrate.target import default_target

    made = default_target(id=target_id, kind=kind, paper=paper, revision=revision, pitch_mm=pitch)
    places = {suffix: folder / f"{target_id}.{suffix}" for suffix in ("toml", "pdf", "png")}
    if not overwrite and (there := [place for place in places.values() if place.exists()]):
        raise ConfigError(f"{there[0]} exists", expected="a new id", remedy="choose another, or say --overwrite")
    sheet = sheet_of(made)
    pdf = pdf_of(sheet)
    folder.mkdir(parents=True, exist_ok=True)
    places["toml"].write_text(made.toml(), encoding="utf-8")
    places["pdf"].write_bytes(pdf)
    places["png"].write_bytes(png_of(sheet, dpi))
    console = standard_output()
    for place in places.values():
        console.print(str(place), markup=False)
    across, down = made.rulers_mm
    console.print(f"Print {places['pdf'].name} at 100 %, then measure its rulers: {across} mm and {down} mm.")
