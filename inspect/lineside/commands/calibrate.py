"""`lineside calibrate`: from pixels to millimetres."""

from __future__ import annotations

import typer

from lineside.commands.calibrate_correct import correct
from lineside.commands.calibrate_flat import flat
from lineside.commands.calibrate_lens import lens
from lineside.commands.calibrate_light import light
from lineside.commands.calibrate_plane import plane
from lineside.commands.calibrate_target import target

__all__ = ["calibrate_app"]

calibrate_app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
calibrate_app.command()(target)
calibrate_app.command()(lens)
calibrate_app.command()(plane)
calibrate_app.command()(flat)
calibrate_app.command()(light)
calibrate_app.command()(correct)


@calibrate_app.callback()
def _calibrate() -> None:
    """Calibrate a station.

    With a printed target: the lens, then the plane of the parts. With a white: the flat field. With good parts: the
    light. See docs/calibration.md.
    """
