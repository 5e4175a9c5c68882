"""The command `lineside`: one screen of commands, and what each error means to a shell."""

from __future__ import annotations

import importlib
import sys

import typer
from rich.console import Console

from lineside import __version__
from lineside.core.errors import ConfigError, LinesideError, ReinspectionError, StationFault

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = {
    "demo": ("lineside.commands.demo:demo", "Run a simulated line and watch it."),
    "run": ("lineside.commands.run:run", "Run a station."),
    "check": ("lineside.commands.check:check", "Say all that is wrong with a station's files, without starting it."),
    "commission": ("lineside.commands.commission:commission", "Measure a station on this machine, and report it."),
    "schema": ("lineside.commands.check:schema", "Print the JSON Schema of recipe or station files."),
    "watch": ("lineside.commands.watch:watch", "Follow a running station's verdicts."),
    "status": ("lineside.commands.status:status", "Show how a running station is."),
    "trigger": ("lineside.commands.trigger:trigger", "Trigger a running station by software."),
    "inspect": ("lineside.commands.inspect_image:inspect", "Let a running station judge image files."),
    "verdicts": ("lineside.commands.verdicts:verdicts", "List recorded verdicts."),
    "image": ("lineside.commands.image:image", "Fetch an archived image."),
    "audit": ("lineside.commands.audit:audit", "Check that a station's record is whole and unaltered."),
    "replay": ("lineside.commands.replay:replay", "Judge one recorded part again, and say why it got its verdict."),
    "pause": ("lineside.commands.pause:pause", "Answer every trigger NOT_INSPECTED until resumed."),
    "resume": ("lineside.commands.pause:resume", "End a pause."),
    "recipe": ("lineside.commands.recipe:recipe_app", "Change the recipe of a running station."),
    "self-test": ("lineside.commands.recipe:self_test", "Let a running station judge its golden parts."),
    "bridge": ("lineside.commands.bridge:bridge_app", "Stand between a running station and a PLC."),
    "cameras": ("lineside.commands.cameras:cameras", "List the GenICam cameras that can be found."),
    "sim": ("lineside.commands.sim:sim_app", "Try a station on a laptop: a line in a box."),
    "reinspect": ("lineside.commands.reinspect:reinspect", "Judge an archive of parts again, and report it."),
    "gauge": ("lineside.commands.gauge:gauge_app", "Find out how well a station measures."),
    "qualify": ("lineside.commands.qualify:qualify", "Find out how good a detector is, and report it."),
    "models": (
        "lineside.commands.models:models_app",
        "Pack, verify, set, quantize, measure and release packages.",
    ),
    "locate": ("lineside.commands.locate:locate", "Show what a package's locate step finds in pictures."),
    "calibrate": ("lineside.commands.calibrate:calibrate_app", "Measure a station's lens and scale: pixels to mm."),
    "check-calibration": (
        "lineside.commands.check_calibration:check_calibration",
        "Hold one picture against a station's calibration: the daily check.",
    ),
    "train": ("lineside.commands.train:train_app", "Make a model package from pictures."),
}
"""Each command: where it is, and its line on the screen. A command's module is imported only when it is called."""

_HELP = "Looks at every part on a factory line and tells the line's controller pass or fail in time, every time."


def app(called: str = "") -> typer.Typer:
    """The command line with the command `called` in full and all others as a line of help: start-up stays short.

    With an empty name every command is there in full.
    """
    lineside = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=_HELP)
    lineside.callback(invoke_without_command=True)(_lineside)
    for name, (place, line) in COMMANDS.items():
        if called not in ("", name):
            lineside.command(name, help=line)(_not_called)
            continue
        module, _, attribute = place.partition(":")
        target = getattr(importlib.import_module(module), attribute)
        if isinstance(target, typer.Typer):
            lineside.add_typer(target, name=name, help=line)
        else:
            lineside.command(name)(target)
    return lineside


def _not_called() -> None:
    raise AssertionError("only the command that was called runs")


def _lineside(
    context: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version and end.")
) -> None:
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 an image or a request failed, 2 wrong declaration or usage,
    3 the station cannot judge or cannot be reached, or a re-inspection cannot go on.
    """
    try:
        app(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else "none")()
    except LinesideError as error:
        _explain(error)
        sys.exit(
            2 if isinstance(error, ConfigError) else 3 if isinstance(error, StationFault | ReinspectionError) else 1
        )


def _explain(error: LinesideError) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]{type(error).__name__}[/bold red]", end=" ")
    console.print(error.what, markup=False)
    if error.expected:
        console.print(f"  expected: {error.expected}", markup=False)
    if error.remedy:
        console.print(f"  to do:    {error.remedy}", markup=False)
