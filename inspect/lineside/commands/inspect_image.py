"""`lineside inspect`: a running station judges image files."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lineside.client import StationClient, image_of_file
from lineside.commands.message_json import json_line
from lineside.commands.station_option import DEFAULT_STATION, JsonOption, StationOption, ends_quietly, output
from lineside.commands.verdict_row import coloured, why
from lineside.core.errors import FrameError, RequestError
from lineside.core.pixel_format import PixelFormat

__all__ = ["inspect"]


def inspect(
    files: Annotated[list[Path], typer.Argument(help="PNG, JPEG, TIFF or BMP files.")],
    pixel_format: Annotated[
        PixelFormat, typer.Option(help="What the files must decode to; checked, never converted.")
    ] = PixelFormat.MONO8,
    view: Annotated[str, typer.Option(help="The view they show, where the recipe has several.")] = "",
    station: StationOption = DEFAULT_STATION,
    json: JsonOption = False,
) -> None:
    """Let a running station judge image files with its recipe. They are no parts of the line and are not recorded.

    A file that cannot be judged is told and the others go on; the command then ends with 1.
    """
    ends_quietly(_inspect(station, files, pixel_format, view, json=json))


async def _inspect(address: str, files: list[Path], pixel_format: PixelFormat, view: str, *, json: bool) -> None:
    console, refused = output(), 0
    async with StationClient(address) as station:
        for file in files:
            try:
                answer = await station.inspect([image_of_file(file, pixel_format, view=view)])
            except (FrameError, RequestError) as error:  # this file; a station that is gone ends the command
                refused += 1
                _say_refused(console, file, str(error), json=json)
                continue
            if json:
                typer.echo(f'{{"file": {json_text.dumps(str(file))}, ' + json_line(answer).removeprefix("{"))
            else:
                score = ", ".join(f"{each.score:.3f} of {each.threshold:.3f}" for each in answer.view_scores)
                console.print(f"{escape(str(file))}  {coloured(answer.outcome)}  {score}  {escape(why(answer))}")
    if refused:
        raise typer.Exit(1)


def _say_refused(console: Console, file: Path, why_not: str, *, json: bool) -> None:
    if json:
        typer.echo(json_text.dumps({"file": str(file), "error": why_not}))
    else:
        console.print(f"{escape(str(file))}  [bold magenta]ERROR[/]  {escape(why_not)}")
