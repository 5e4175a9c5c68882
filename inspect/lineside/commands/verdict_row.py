"""A verdict as one row for people."""

from __future__ import annotations

import datetime

from rich.markup import escape
from rich.table import Table

from lineside.core.reason import Reason
from lineside.core.verdict import Outcome
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["coloured", "text_line", "verdict_cells", "verdict_table", "why"]

_COLOURS = {int(Outcome.PASS): "green", int(Outcome.FAIL): "bold red", int(Outcome.NOT_INSPECTED): "bold yellow"}
_OUTCOME_NAMES = {int(outcome): outcome.name for outcome in Outcome if outcome is not Outcome.UNSPECIFIED}
_REASON_NAMES = {int(reason): reason.name for reason in Reason}


def verdict_table() -> Table:
    """An empty table with the columns of `verdict_cells`."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("sequence", justify="right")
    table.add_column("time")
    table.add_column("part", overflow="fold")
    table.add_column("outcome")
    table.add_column("why", ratio=1)
    table.add_column("ms", justify="right")
    table.add_column("slack ms", justify="right")
    return table


def verdict_cells(verdict: pb.Verdict) -> tuple[str, ...]:
    """Sequence, time (local), part, outcome (coloured), why, milliseconds from trigger to verdict, and to spare."""
    decided = datetime.datetime.fromtimestamp(verdict.decided_utc_ns / 1e9).astimezone()
    return (
        str(verdict.sequence),
        f"{decided:%H:%M:%S}.{decided.microsecond // 1000:03d}",
        escape(verdict.part_id or f"trigger {verdict.trigger_number}"),
        coloured(verdict.outcome),
        escape(why(verdict)),
        f"{verdict.latency.decide_ns / 1e6:.1f}",
        f"{verdict.slack_ns / 1e6:.1f}",
    )


def text_line(verdict: pb.Verdict) -> str:
    """The same as one line of markup, for output that is no terminal."""
    sequence, time, part, outcome, reason, latency_ms, slack_ms = verdict_cells(verdict)
    return f"{sequence}  {time}  {part}  {outcome}  {reason or '-'}  {latency_ms} ms, slack {slack_ms} ms"


def coloured(outcome: int) -> str:
    """The outcome by name, as markup. One that this version does not know is shown as a number: it means reject."""
    if outcome not in _OUTCOME_NAMES:
        return f"[magenta]outcome {outcome}[/]"
    return f"[{_COLOURS[outcome]}]{_OUTCOME_NAMES[outcome]}[/]"


def why(verdict: pb.Verdict | pb.InspectImageResponse) -> str:
    """Why it is no PASS, or a PASS for review, in a few words."""
    number = int(verdict.reason)
    words = []
    if number not in (Reason.NONE, Reason.DEFECTS):
        words.append(_REASON_NAMES.get(number, f"reason {number}"))
    if verdict.detail:
        words.append(verdict.detail)
    elif verdict.defects:
        words.append(", ".join(sorted({defect.class_name for defect in verdict.defects})))
    if verdict.review:
        words.append("for review")
    return ": ".join(words)
