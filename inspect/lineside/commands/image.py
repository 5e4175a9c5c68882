"""`lineside image`: an archived image."""

from __future__ import annotations

import mimetypes
import sys
from pathlib import Path
from typing import Annotated

import typer

from lineside.client import StationClient
from lineside.commands.station_option import DEFAULT_STATION, StationOption, ends_quietly, output

__all__ = ["image"]


def image(
    image_id: Annotated[str, typer.Argument(help="As a verdict names it: see `lineside verdicts --json`.")],
    to: Annotated[
        Path | None,
        typer.Option("--output", "-o", help='File to write; "-" for standard output. Else named by the id.'),
    ] = None,
    station: StationOption = DEFAULT_STATION,
) -> None:
    """Fetch an archived image, its checksum verified."""

    async def work() -> None:
        async with StationClient(station) as client:
            description, content = await client.image(image_id)
        if to == Path("-"):
            sys.stdout.buffer.write(content)
            return
        suffix = mimetypes.guess_extension(description.media_type) or ""
        file = to or Path(Path(image_id).name).with_suffix(suffix)
        file.write_bytes(content)
        size = f"{description.width_px}x{description.height_px} px"
        output().print(f"{file}: {description.media_type}, {size}, {len(content)} bytes", markup=False)

    ends_quietly(work())
