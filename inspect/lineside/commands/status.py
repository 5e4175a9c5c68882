"""`lineside status`: how a running station is."""

from __future__ import annotations

import datetime
import time

import typer
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from lineside.client import StationClient
from lineside.commands.message_json import json_line
from lineside.commands.station_option import DEFAULT_STATION, JsonOption, StationOption, ends_quietly, output
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["status"]

_NOT_READY = 3
_EVENTS = 5


def status(station: StationOption = DEFAULT_STATION, json: JsonOption = False) -> None:
    """Show how a running station is. Ends with 0 when it is ready, with 3 when it is not or cannot be reached."""
    ends_quietly(_status(station, json=json))


async def _status(address: str, *, json: bool) -> None:
    async with StationClient(address) as station:
        answer = await station.status()
    if json:
        typer.echo(json_line(answer))
    else:
        output().print(_panel(answer))
    if not answer.ready:
        raise typer.Exit(_NOT_READY)


def _panel(answer: pb.GetStationStatusResponse) -> Panel:
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    state = "[bold green]ready[/]" if answer.ready else f"[bold red]not ready[/]: {escape(answer.why_not_ready)}"
    facts.add_row("state", state + ("  [bold yellow]paused[/]" if answer.paused else ""))
    counters, archive = answer.counters, answer.archive
    facts.add_row(
        "parts",
        f"{counters.triggers} triggers = {getattr(counters, 'pass')} pass + {counters.fail} fail + "
        f"{counters.not_inspected} not inspected + {counters.in_flight} in flight; {counters.late} late",
    )
    facts.add_row("recipe", _named(answer.recipe))
    facts.add_row("calibration", _named(answer.calibration))
    for measured in answer.calibrations:
        days = (time.time_ns() - measured.made_utc_ns) // 86_400_000_000_000
        warning = f" [bold yellow]{escape(measured.warning)}[/]" if measured.warning else ""
        facts.add_row("", f"{_named(measured.file)}, {days} d old{warning}")
    for model in answer.models:
        facts.add_row("model", f"{_named(model)} on {answer.provider}")
    for camera in answer.cameras:
        lost = "" if camera.connected else f" [bold red]not connected[/] {escape(camera.detail)}"
        device = " ".join(filter(None, (camera.backend, camera.model, camera.serial)))
        facts.add_row(
            f"camera {escape(camera.view)}",
            f"{escape(device)}{lost}: {camera.frames} frames, {camera.missed} missed, {camera.restarts} restarts"
            f"{_triggers(camera)}",
        )
    for inspector in answer.inspectors:
        busy = "ready" if inspector.ready else f"[bold red]not ready[/] {escape(inspector.detail)}"
        facts.add_row(
            f"inspector {inspector.number}",
            f"{busy} on {inspector.provider}: {inspector.judged} judged, {inspector.restarts} restarts",
        )
    for reader in answer.readers:
        gone = "" if reader.connected else " [yellow]not connected[/]"
        name = escape(reader.reader or "(unnamed)")
        facts.add_row("reader", f"{name} {escape(reader.peer)}{gone}: {reader.lag} behind")
    facts.add_row(
        "archive",
        f"{escape(archive.step)}: {archive.kept} kept, {archive.shed} shed, {archive.failed} failed, "
        f"{archive.free_bytes / 1e9:.1f} GB free",
    )
    for event in answer.events[-_EVENTS:]:
        when = datetime.datetime.fromtimestamp(event.utc_ns / 1e9).astimezone()
        facts.add_row(f"{when:%d %b %H:%M:%S}", escape(f"{event.kind}: {event.detail}"))
    title = f"{escape(answer.line_id)} / {escape(answer.station_id)}"
    return Panel(facts, title=title, subtitle=f"lineside {answer.version}", expand=False)


def _triggers(camera: pb.CameraStatus) -> str:
    ignored = f", {camera.triggers_ignored} triggers ignored" if camera.HasField("triggers_ignored") else ""
    unexplained = camera.triggers_unexplained
    return ignored + (f", [bold red]{unexplained} triggers do not add up[/]" if unexplained else "")


def _named(identity: pb.Identity) -> str:
    return f"{escape(identity.id)} revision {identity.revision} ({identity.sha256[:12]})"
