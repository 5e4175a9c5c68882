"""`lineside models release`: the gate between a qualified package and the line. `releases`: what has passed it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lineside import __version__
from lineside.commands.package_option import MODELS, Name, Packages, folder_of
from lineside.commands.qualify_words import QUALIFICATIONS, needs_its_libraries, parsed_share
from lineside.commands.station_option import by_default, output
from lineside.core.errors import ConfigError

if TYPE_CHECKING:
    from lineside.core.identity import Identity
    from lineside.detectors.release import ReleasedRate, ReleaseRecord
    from lineside.qualify.document import PartFigure, Qualification
    from lineside.qualify.gate import Asked, Found

__all__ = ["release", "releases"]


def release(
    *,
    name: Name,
    max_escape: Annotated[str, typer.Option(help="Asked for: at most this share of bad parts passes.")],
    max_overkill: Annotated[
        str, typer.Option(help="Asked for as well: at most this share of good parts rejected.")
    ] = "",
    confidence: Annotated[str, typer.Option(help="That it is so.")] = "95%",
    qualification: Annotated[
        Path | None, typer.Option(help="The JSON of a qualification; left out, those beside the package are looked at.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who releases it; left out, the user of this process.")] = "",
    models_dir: Packages = MODELS,
) -> None:
    """Release a package for the line, if a qualification of this very revision shows what is asked for.

    If not, it says what is missing and ends with 1. The record lies in releases/ beside the packages, and stations with
    `released_only = true` run no other packages.

    $ lineside models release gasket --max-escape 1% --confidence 95%
    """
    needs_its_libraries()
    from lineside.detectors.package import load_package
    from lineside.detectors.release import write_release
    from lineside.qualify.gate import Asked, missing, qualifications_in

    asked = Asked(
        max_escape=parsed_share("--max-escape", max_escape),
        max_overkill=parsed_share("--max-overkill", max_overkill) if max_overkill else None,
        confidence=parsed_share("--confidence", confidence),
    )
    package = load_package(folder_of(name, models_dir))
    models = package.folder.resolve().parent
    paths = [qualification] if qualification else sorted((models / QUALIFICATIONS).glob("*.json"))
    found = qualifications_in(paths, package.identity)
    for path, document in found.current:
        if not missing(document, asked):
            record = _record(package.identity, path, document, asked, by or by_default())
            written = write_release(models, record)
            _say(record, written)
            return
    _say_missing(package.identity, models, found, asked)
    raise typer.Exit(1)


def releases(models_dir: Packages = MODELS) -> None:
    """List what is released, and check that no record was altered; ends with 1 where one was."""
    from lineside.detectors.release import read_release, release_files

    table = Table("package", "rev.", "sha256", "recipe", "escapes", "data", "by", "when")
    faults: list[str] = []
    for path in release_files(models_dir):
        try:
            record = read_release(path)
        except ConfigError as error:
            faults.append(str(error))
            continue
        table.add_row(
            escape(record.package_id),
            str(record.package_revision),
            record.package_sha256[:12],
            escape(record.recipe_id or "any"),
            f"{record.escapes.count} of {record.escapes.of}",
            escape(f"{record.data_name}, {record.data_split}"),
            escape(record.released_by),
            record.released_utc,
        )
    console = output()
    console.print(table if table.row_count else f"nothing is released in {models_dir}")
    for fault in faults:
        console.print(fault, style="red", markup=False)
    if faults:
        raise typer.Exit(1)


def _record(package: Identity, path: Path, document: Qualification, asked: Asked, by: str) -> ReleaseRecord:
    from lineside.detectors.release import ReleaseRecord

    return ReleaseRecord(
        package_id=package.id,
        package_revision=package.revision,
        package_sha256=package.sha256,
        recipe_id=document.by.recipe_id,
        recipe_sha256=document.by.recipe_sha256,
        confidence=asked.confidence,
        escapes=_rate(document.escapes, asked.max_escape, asked.confidence),
        overkill=_rate(document.overkill, asked.max_overkill, asked.confidence),
        data_name=document.data.name,
        data_split=document.data.split,
        data_sha256=document.data.sha256,
        qualification_file=path.name,
        qualification_sha256=document.sha256,
        released_by=by,
        released_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        lineside=__version__,
    ).sealed()


def _rate(figure: PartFigure, asked: float | None, confidence: float) -> ReleasedRate:
    from lineside.detectors.release import ReleasedRate
    from lineside.qualify.gate import shown

    bound = shown(figure, confidence)
    return ReleasedRate(count=bound.count, of=bound.of, at_most=bound.high, asked=asked)


def _say(record: ReleaseRecord, path: Path) -> None:
    from lineside.statistics.wording import percent

    console = output()
    console.print(
        f"released: {record.package_id} revision {record.package_revision}, {record.package_sha256}",
        style="bold green",
        markup=False,
    )
    for name, rate in (("escapes", record.escapes), ("overkill", record.overkill)):
        console.print(
            f"  {name}: {rate.count:,} of {rate.of:,}, at most {percent(rate.at_most, up=True)}", markup=False
        )
    if record.recipe_id:
        console.print(f"  for recipe {record.recipe_id} as it is, {record.recipe_sha256}", markup=False)
    console.print(f"  by {record.released_by}; {path}, sha256 {record.sha256}", markup=False)


def _say_missing(package: Identity, models: Path, found: Found, asked: Asked) -> None:
    from lineside.qualify.gate import missing

    console = output()
    console.print(
        f"not released: {package.id} revision {package.revision}, {package.sha256}", style="bold red", markup=False
    )
    for path, document in found.current:
        console.print(f"  {path.name}, data {document.data.sha256[:12]}:", markup=False)
        for each in missing(document, asked):
            console.print(f"    missing: {each}", markup=False)
    if not found.current:
        console.print(
            f"  missing: a qualification of this revision in {models / QUALIFICATIONS}; make one: "
            f"lineside qualify {models / package.id} DATA",
            markup=False,
        )
    for path, document in found.stale:
        console.print(
            f"  {path.name} is of revision {document.by.package_revision} ({document.by.package_sha256[:12]}), "
            "another package: it does not count",
            markup=False,
        )
    for fault in found.broken:
        console.print(f"  {fault}", markup=False)
