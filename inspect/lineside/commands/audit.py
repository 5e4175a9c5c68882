"""`lineside audit`: is the record whole and unaltered?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from lineside.journal.audit import Audit

__all__ = ["audit"]


def audit(
    place: Annotated[Path, typer.Argument(help="A station's data_dir, or its station file.")],
    images: Annotated[bool, typer.Option("--images/--no-images", help="Read every archived image as well.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a journal: numbers, counts, the hash chain, the images. Changes nothing; the station may run meanwhile.

    Exit codes: 0 all is sound, 1 something is wrong and named, 2 there is no journal.
    """
    from lineside.journal.audit import audit as look

    with _bar(hidden=as_json) as bar:
        tasks = {what: bar.add_task(what, total=None) for what in ("verdicts", *(["images"] if images else []))}
        found = look(
            _data_dir(place),
            images=images,
            progress=lambda what, done, total: bar.update(tasks[what], completed=done, total=total),
        )
    if as_json:
        facts = {**asdict(found), "journal": str(found.journal)}
        del facts["last_sequence_of"]
        typer.echo(json.dumps(facts))
    else:
        _say(found, images=images)
    raise typer.Exit(1 if found.problems else 0)


def _data_dir(place: Path) -> Path:
    if place.suffix != ".toml":
        return place
    from lineside.assemble import camera_config_classes
    from lineside.config.station_file import read_station

    return read_station(place, camera_config_classes=camera_config_classes()).data_dir


def _bar(*, hidden: bool) -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal)


def _say(found: Audit, *, images: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    state = "in use by a running station" if found.running else "at rest"
    looked_at = f"{found.verdicts} verdicts, {found.in_flight} in flight"
    if images:
        looked_at += f", {found.images} images"
    console.print(f"{escape(str(found.journal))} ({state}): {looked_at}")
    for problem in found.problems:
        console.print(f"[bold red]✗[/] {problem.check}: {escape(problem.what)}")
    if not found.problems:
        console.print(f"[bold green]✓[/] all is sound; chain head {found.chain_head or '(none)'}")
