"""`lineside verdicts`: the record."""

from __future__ import annotations

import datetime
import enum
from typing import Annotated

import typer

from lineside.client import Outcome, StationClient
from lineside.commands.message_json import json_line
from lineside.commands.station_option import DEFAULT_STATION, JsonOption, StationOption, ends_quietly, output
from lineside.commands.verdict_row import verdict_cells, verdict_table

__all__ = ["verdicts"]


class OutcomeName(enum.StrEnum):
    """Outcomes as they are typed."""

    PASS = "pass"
    FAIL = "fail"
    NOT_INSPECTED = "not_inspected"


def verdicts(
    outcome: Annotated[list[OutcomeName] | None, typer.Option(help="Only these; may be repeated.")] = None,
    part: Annotated[str, typer.Option(help="Only this part id.")] = "",
    since: Annotated[datetime.datetime | None, typer.Option(help="Decided then or later, local time.")] = None,
    until: Annotated[datetime.datetime | None, typer.Option(help="Decided before then, local time.")] = None,
    after: Annotated[int, typer.Option(min=0, help="After this sequence number, oldest first.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Else the newest come first.")] = False,
    station: StationOption = DEFAULT_STATION,
    json: JsonOption = False,
) -> None:
    """List recorded verdicts, the newest first."""

    async def work() -> None:
        table = verdict_table()
        async with StationClient(station) as client:
            async for verdict in client.list_verdicts(
                after_sequence=after,
                limit=limit,
                outcomes=[Outcome[name.name] for name in outcome or ()],
                part_id=part,
                from_utc_ns=_utc_ns(since),
                to_utc_ns=_utc_ns(until),
                newest_first=not (oldest_first or after),
            ):
                if json:
                    typer.echo(json_line(verdict))
                else:
                    table.add_row(*verdict_cells(verdict))
        if not json:
            output().print(table if table.row_count else "no such verdict")

    ends_quietly(work())


def _utc_ns(moment: datetime.datetime | None) -> int:
    return 0 if moment is None else int(moment.timestamp() * 1e6) * 1000
