"""`lineside calibrate correct`: pictures as a station with a flat field shows them to its model, for training on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from lineside.commands.calibrate_words import listed, read_pixels
from lineside.commands.station_option import output as standard_output
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

__all__ = ["correct"]


def correct(
    *,
    pictures: Annotated[list[Path], typer.Argument(help="Pictures as the camera takes them, or folders of them.")],
    flat: Annotated[Path, typer.Option(help="The flat field: calibration/STATION/VIEW.flat.toml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the corrected pictures, as PNG.")],
) -> None:
    """Write pictures as the model of a station with a flat field sees them, bit for bit.

    A model that looks at corrected pixels should be trained on corrected pictures. Masks are not for this command: they
    say where defects are, and have no light in them.
    """
    import cv2

    from lineside.config.calibration_file import flat_of, read_calibration
    from lineside.imaging.flat_field import FlatField

    file = read_calibration(flat)
    maps = flat_of(file)
    field = FlatField(maps)
    paths = listed(pictures)
    names = [f"{path.stem}.png" for path in paths]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"{len(twice)} pictures would be written twice, such as {twice[0]}",
            expected="pictures with names of their own",
            remedy="correct one folder after the other, each into one of its own",
        )
    output.mkdir(parents=True, exist_ok=True)
    if inside := [path for path, name in zip(paths, names, strict=True) if (output / name).resolve() == path.resolve()]:
        raise ConfigError(
            f"{inside[0]} would be written over",
            expected="another folder than that of the pictures",
            remedy="pictures as the camera took them cannot be had back: name another --output",
        )
    colour = cv2.COLOR_RGB2BGR if maps.pixel_format is PixelFormat.RGB8 else None
    height, width = maps.offset.shape[:2]
    for path, name in zip(track(paths, "Correcting", console=Console(stderr=True)), names, strict=True):
        seen = field.apply(read_pixels(path, maps.pixel_format, (width, height)))
        stored = seen if colour is None else cv2.cvtColor(seen, colour)
        (output / name).write_bytes(cv2.imencode(".png", stored)[1].tobytes())
    standard_output().print(
        f"{len(paths)} pictures in {output}, corrected by {file.identity.id} revision {file.identity.revision} "
        f"({file.identity.sha256[:12]})",
        markup=False,
    )
