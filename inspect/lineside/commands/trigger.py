"""`lineside trigger`: a software trigger."""

from __future__ import annotations

from typing import Annotated

import typer

from lineside.client import StationClient
from lineside.commands.message_json import json_line
from lineside.commands.station_option import DEFAULT_STATION, JsonOption, StationOption, ends_quietly, output
from lineside.commands.verdict_row import text_line

__all__ = ["trigger"]


def trigger(
    part_id: Annotated[str, typer.Argument(help="The part's id, as it shall stand in the record.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the verdict and show it.")] = False,
    due_ms: Annotated[int | None, typer.Option(min=1, help="Due time after arrival; else the recipe's.")] = None,
    encoder_count: Annotated[int | None, typer.Option(help="The encoder count at the trigger.")] = None,
    request_id: Annotated[str, typer.Option(help="The same id again is the same trigger, not a second one.")] = "",
    station: StationOption = DEFAULT_STATION,
    json: JsonOption = False,
) -> None:
    """Trigger a running station by software. Ends with 0 when the trigger was accepted, whatever the verdict."""

    async def work() -> None:
        async with StationClient(station) as client:
            answer = await client.trigger(
                part_id, wait=wait, due_ms=due_ms, encoder_count=encoder_count, request_id=request_id
            )
        if json:
            typer.echo(json_line(answer))
        else:
            output().print(text_line(answer.verdict) if wait else f"trigger {answer.trigger_number} accepted")

    ends_quietly(work())
