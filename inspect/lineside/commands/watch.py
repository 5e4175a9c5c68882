"""`lineside watch`: a station's verdicts as they come."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from lineside.client import StationClient, StationUnreachable, VerdictReader
from lineside.commands.message_json import json_line
from lineside.commands.station_option import DEFAULT_STATION, JsonOption, StationOption, ends_quietly, output
from lineside.commands.verdict_row import text_line, verdict_cells, verdict_table
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["watch"]

_HEADER_LINES = 4
_STATUS_EVERY_S = 1.0


def watch(
    station: StationOption = DEFAULT_STATION,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="Begin after this sequence number; 0 for all there are. Else: from now on."),
    ] = None,
    reader: Annotated[str, typer.Option(help="Be this named reader: go on where it last was, and acknowledge.")] = "",
    count: Annotated[int | None, typer.Option(min=1, help="End after so many verdicts.")] = None,
    json: JsonOption = False,
) -> None:
    """Follow a running station's verdicts, across its restarts, until Ctrl-C.

    A live table in a terminal, one line per verdict elsewhere.
    """
    ends_quietly(_watch(station, after, reader, count, json=json))


async def _watch(address: str, after: int | None, reader: str, count: int | None, *, json: bool) -> None:
    async with StationClient(address) as station:
        status = await station.status()  # a station that is not there now is told at once, not waited for
        async with station.verdicts(reader=reader, after_sequence=after) as verdicts:
            console = output()
            if json or not console.is_terminal:
                async for verdict in _first(verdicts, count):
                    if json:
                        sys.stdout.write(json_line(verdict) + "\n")
                        sys.stdout.flush()
                    else:
                        console.print(text_line(verdict))
                return
            page = _Page(verdicts, status, rows=max(5, console.height - _HEADER_LINES))
            with Live(get_renderable=page.render, console=console, refresh_per_second=8):
                following = asyncio.create_task(page.follow_status(station))
                try:
                    async for verdict in _first(verdicts, count):
                        page.rows.append(verdict)
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)


async def _first(verdicts: VerdictReader, count: int | None) -> AsyncGenerator[pb.Verdict, None]:
    seen = 0
    async for verdict in verdicts:
        yield verdict
        seen += 1
        if seen == count:
            verdicts.handled(verdict.sequence)
            return


class _Page:
    """The newest verdicts below a line or two about the station."""

    def __init__(self, verdicts: VerdictReader, status: pb.GetStationStatusResponse, *, rows: int) -> None:
        self.rows: deque[pb.Verdict] = deque(maxlen=rows)
        self._verdicts = verdicts
        self._status = status

    async def follow_status(self, station: StationClient) -> None:
        """Asks for the status every second; while the station is away the old one stands."""
        while True:
            await asyncio.sleep(_STATUS_EVERY_S)
            try:
                self._status = await station.status()
            except StationUnreachable:
                continue

    def render(self) -> Group:
        """The whole page."""
        table = verdict_table()
        for verdict in self.rows:
            table.add_row(*verdict_cells(verdict))
        return Group(self._header(), Text(""), table)

    def _header(self) -> Text:
        status, counters = self._status, self._status.counters
        if not self._verdicts.connected:
            state = "[bold red]no connection, trying again[/]"
        elif status.ready:
            state = "[green]ready[/]" if not status.paused else "[bold yellow]paused[/]"
        else:
            state = f"[bold red]not ready[/]: {escape(status.why_not_ready)}"
        behind = self._verdicts.last_sequence - (self.rows[-1].sequence if self.rows else self._verdicts.last_sequence)
        return Text.from_markup(
            f"[bold]{escape(status.line_id)} / {escape(status.station_id)}[/]  {escape(status.recipe.id)}  {state}\n"
            f"{counters.triggers} triggers = [green]{getattr(counters, 'pass')} pass[/] + [red]{counters.fail} fail[/]"
            f" + [yellow]{counters.not_inspected} not inspected[/] + {counters.in_flight} in flight"
            + (f"   {behind} behind" if behind > 0 else "")
        )
