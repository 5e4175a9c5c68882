"""What the commands of `lineside calibrate` have in common: pictures, prints, who and where."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from lineside.core.errors import ConfigError, FrameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lineside.calibrate.target import Target
    from lineside.config.calibration_tables import TargetUsed
    from lineside.core.frame import Pixels
    from lineside.core.pixel_format import PixelFormat

__all__ = [
    "ByOption",
    "HeightOption",
    "ProjectOption",
    "RulerOption",
    "RulersOption",
    "StationNameOption",
    "TargetOption",
    "TemperatureOption",
    "listed",
    "now_utc",
    "print_of",
    "read_grey",
    "read_pixels",
]

StationNameOption = Annotated[str, typer.Option("--station", help="Id of the station, as in its file.")]
ProjectOption = Annotated[Path, typer.Option(help="Folder that holds calibration/.")]
TargetOption = Annotated[Path, typer.Option("--target", help="File of the target that was printed.")]
RulersOption = Annotated[
    str, typer.Option(help="What the print's rulers measure, in mm: ACROSSxDOWN, such as 249.8x149.9.")
]
RulerOption = Annotated[float, typer.Option(min=0, help="Standard uncertainty of measuring them, in mm.")]
HeightOption = Annotated[float, typer.Option(help="How far above the target's face parts are measured, in mm.")]
ByOption = Annotated[str, typer.Option("--by", help="Who calibrates; left out, the user of this computer.")]
TemperatureOption = Annotated[float | None, typer.Option("--temperature", help="In °C, where it was measured.")]

UNMEASURED_PRINT = 0.005
"""Relative standard uncertainty of a print that nobody measured: printers stretch by a few tenths of a per cent."""


def print_of(target: Target, rulers: str, ruler_sd_mm: float) -> TargetUsed:
    """How large the print really is, by its rulers; without them its uncertainty is large. Raises: ConfigError."""
    from lineside.config.calibration_tables import TargetUsed

    scale, uncertainty = (1.0, 1.0), UNMEASURED_PRINT
    if rulers:
        nominal = target.rulers_mm
        try:
            across, down = (float(side) for side in rulers.lower().split("x"))
        except ValueError as error:
            raise ConfigError(f"--rulers {rulers}", expected="ACROSSxDOWN in mm, such as 249.8x149.9") from error
        scale = (across / nominal[0], down / nominal[1])
        uncertainty = ruler_sd_mm / min(across, down)
        if not all(0.9 < each < 1.1 for each in scale):
            raise ConfigError(
                f"--rulers {rulers}: the print is {scale[0]:.1%} by {scale[1]:.1%} of its size",
                expected=f"near {nominal[0]}x{nominal[1]} mm",
                remedy="print it again at 100 %, or correct the figures",
            )
    return TargetUsed(
        id=target.identity.id,
        revision=target.identity.revision,
        sha256=target.identity.sha256,
        scale=scale,
        scale_uncertainty=uncertainty,
    )


def read_grey(path: Path, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """A picture file of the declared format, as grey levels. Raises: ConfigError."""
    from lineside.calibrate.detection import grey_of

    return grey_of(read_pixels(path, pixel_format), pixel_format)


def read_pixels(path: Path, pixel_format: PixelFormat, size_px: tuple[int, int] | None = None) -> Pixels:
    """A picture file of the declared format and size, as the camera took it. Raises: ConfigError."""
    from lineside.imaging.picture_file import decode_picture

    try:
        return decode_picture(np.fromfile(path, np.uint8), pixel_format, size_px=size_px)
    except (OSError, FrameError) as error:
        what = error.what if isinstance(error, FrameError) else str(error)
        raise ConfigError(
            f"{path}: {what}",
            expected=f"a picture in {pixel_format}" + (f" of {size_px[0]} x {size_px[1]} px" if size_px else ""),
            remedy="see --pixel-format",
        ) from error


def listed(places: Sequence[Path]) -> list[Path]:
    """The files named, and the pictures in folders named, in order. Raises: ConfigError."""
    from lineside.train.training_images import listed_images

    return listed_images(places)


def now_utc() -> datetime:
    """Now, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
