"""A simulated line on the screen: the belt while it runs, and what fell where at the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lineside.sim.line import Line
    from lineside.sim.record import LineRecord, PartRow

__all__ = ["run_and_show", "show_summary"]

_COLUMNS = 66
_ROWS = 10
_REFRESH_S = 0.125
_NAMED = 8


async def run_and_show(line: Line, console: Console) -> LineRecord:
    """Runs the line to its end under a live picture. Raises: StationFault."""
    running = asyncio.create_task(line.run())
    try:
        with Live(_picture(line), console=console, auto_refresh=False) as live:
            while not running.done():
                await asyncio.wait({running}, timeout=_REFRESH_S)
                live.update(_picture(line), refresh=True)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return running.result()


def _picture(line: Line) -> Group:
    rows, record = Table(expand=True), line.record
    for heading in ("part", "truth", "verdict", "bin"):
        rows.add_column(heading)
    rows.add_column("why", ratio=1, no_wrap=True, overflow="ellipsis")
    for row in [row for row in record.rows if row.bin][-_ROWS:]:
        rows.add_row(str(row.index), row.really, row.verdict or "-", _coloured(row), row.why)
    accepted, rejected = record.binned("accept"), record.binned("reject")
    counts = Text(
        f"accept bin {len(accepted)} ({len(record.escapes)} bad)   reject bin {len(rejected)} "
        f"({len(record.overkill)} good)   of {len(record.rows)}   "
        f"{'ready' if line.ready else 'NOT READY'}   {record.faults[-1] if record.faults else ''}"
    )
    return Group(rows, _belt(line), counts)


def _belt(line: Line) -> Text:
    """The belt from its start to the gate: green parts are good, red ones bad; below it sensor, eye and gate."""
    settings = line.settings
    per_column = (settings.gate_mm + settings.run_in_mm) / (_COLUMNS - 1)
    belt = ["─"] * _COLUMNS
    marks = [" "] * _COLUMNS
    for place, mark in ((0.0, "S"), (settings.eye_mm, "E"), (settings.gate_mm, "G")):
        marks[round((place + settings.run_in_mm) / per_column)] = mark
    styled = Text()
    parts = {round((place + settings.run_in_mm) / per_column): index for index, place in line.places_mm().items()}
    for column, plain in enumerate(belt):
        if column in parts:
            styled.append("■", "green" if line.record.rows[parts[column]].good else "bold red")
        else:
            styled.append(plain, "dim")
    styled.append(" ↗ accept" if line.gate_accepts else " ↘ reject", "green" if line.gate_accepts else "red")
    return styled.append("\n" + "".join(marks), "dim")


def _coloured(row: PartRow) -> str:
    style = "green" if row.as_it_should else "bold yellow" if row.good else "bold white on red"
    return f"[{style}]{row.bin}[/{style}]"


def show_summary(console: Console, record: LineRecord, folder: Path) -> None:
    """The counts at the gate, and every part that fell where it should not, with the reason."""
    record.write(folder)
    good = sum(row.good for row in record.rows)
    accepted, rejected = record.binned("accept"), record.binned("reject")
    table = Table(title="At the gate", show_header=False, min_width=76)
    holds = "holds" if record.complete else "IS BROKEN"
    table.add_row("count", f"parts {len(record.rows)} = accept {len(accepted)} + reject {len(rejected)}  {holds}")
    table.add_row("truth", f"{good} good, {len(record.rows) - good} bad")
    table.add_row("faults", ", ".join(record.faults) or "none")
    table.add_row("bad parts accepted", str(len(record.escapes)))
    for row in record.escapes:
        table.add_row("", f"part {row.index} ({row.really}): {row.verdict or 'no verdict'}; {row.why}")
    table.add_row("good parts rejected", str(len(record.overkill)))
    for (why, after), count in Counter((row.why, row.after) for row in record.overkill).items():
        names = [str(row.index) for row in record.overkill if (row.why, row.after) == (why, after)]
        more = " …" if count > _NAMED else ""
        table.add_row("", f"{', '.join(names[:_NAMED])}{more}: {why}{f'; after {after}' if after else ''}")
    table.add_row("each part", str(folder / "parts.csv"))
    console.print()
    console.print(table)
