"""`lineside pause` and `lineside resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from lineside.client import StationClient
from lineside.commands.station_option import DEFAULT_STATION, StationOption, by_default, ends_quietly, output

__all__ = ["pause", "resume"]

ByOption = Annotated[str, typer.Option("--by", help="Who asks, for the record; else the user of this process.")]


def pause(
    why: Annotated[str, typer.Argument(help="Why, for the record.")] = "",
    by: ByOption = "",
    station: StationOption = DEFAULT_STATION,
) -> None:
    """Answer every trigger NOT_INSPECTED(OPERATOR_OFFLINE) until resumed; nothing is torn down."""

    async def work() -> None:
        async with StationClient(station) as client:
            await client.pause(requested_by=by or by_default(), why=why)
        output().print("paused: every part is rejected until `lineside resume`", markup=False)

    ends_quietly(work())


def resume(by: ByOption = "", station: StationOption = DEFAULT_STATION) -> None:
    """End a pause."""

    async def work() -> None:
        async with StationClient(station) as client:
            await client.resume(requested_by=by or by_default())
        output().print("resumed")

    ends_quietly(work())
