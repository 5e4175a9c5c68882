"""`lineside check`: everything that can be said about a station without starting it. `lineside schema`: for editors."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lineside.assemble import camera_config_classes
from lineside.config.cross_check import check_machine, check_together
from lineside.config.fingerprint import config_fingerprint
from lineside.config.recipe_file import read_recipe
from lineside.config.schemas import recipe_schema, station_schema
from lineside.config.station_calibration import calibration_status
from lineside.config.station_file import StationFile, read_station
from lineside.core.errors import ConfigError
from lineside.core.recipe import Recipe

if TYPE_CHECKING:
    from lineside.core.identity import Identity
    from lineside.detectors.package import ModelPackage

__all__ = ["check", "schema"]

T = TypeVar("T")


class SchemaOf(enum.StrEnum):
    """Files that have a schema."""

    RECIPE = "recipe"
    STATION = "station"
    SUMMARY = "summary"
    QUALIFICATION = "qualification"


def check(
    station: Annotated[Path, typer.Argument(help="Station file, calibration/stations/<id>.toml.")],
    recipe: Annotated[str, typer.Option(help="Another recipe of the project than the station's own, by id.")] = "",
) -> None:
    """Check a station, its recipe and its packages without starting anything. Ends with 0 when all is well, else 2."""
    report = _Report()
    station_file = report.try_to(read_station, station, camera_config_classes=camera_config_classes())
    if station_file is None:
        raise report.end()
    _say_station(station_file, report)
    wanted = report.try_to(read_recipe, station_file.recipe_path_of(recipe or station_file.recipe_id))
    if wanted is not None:
        _say_recipe(wanted, report)
        _say_ages(station_file, wanted, report)
        _check_packages(wanted, station_file, report)
    report.problems += map(str, check_machine(station_file))
    raise report.end()


class _Report:
    """Facts as they are found, the problems at the end."""

    def __init__(self) -> None:
        self.facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def add(self, what: str, *said: str) -> None:
        """One fact."""
        self.facts.add_row(escape(what), escape("  ".join(said)))

    def try_to(self, read: Callable[..., T], *arguments: Any, **named: Any) -> T | None:
        """What `read` returns; None when it refuses, and then the problem is noted."""
        try:
            return read(*arguments, **named)
        except ConfigError as error:
            self.problems.append(str(error))
            return None

    def end(self) -> typer.Exit:
        """Prints it all; the exit that the command ends with."""
        console = Console(soft_wrap=True, highlight=False)
        console.print(self.facts)
        for warning in self.warnings:
            console.print(f"[bold yellow]![/] {escape(warning)}")
        for problem in self.problems:
            console.print(f"[bold red]✗[/] {escape(problem)}")
        if not self.problems:
            console.print("[bold green]✓[/] everything fits")
        return typer.Exit(2 if self.problems else 0)


def _say_station(station: StationFile, report: _Report) -> None:
    report.add("station", station.station_id, f"on line {station.line_id}", f"sha256 {station.identity.sha256[:12]}")
    for view, camera in station.cameras.items():
        report.add(f"camera {view}", str(camera["backend"]))
    for view, scale in station.calibration.scales.items():
        report.add(f"scale {view}", f"{scale.mm_per_px:g} ± {scale.mm_per_px_uncertainty:g} mm per px")
    for file in station.calibration_files:
        identity = file.identity
        made = f"{file.table.made_utc:%Y-%m-%d} by {file.table.made_by}"
        report.add(f"{file.table.kind} {file.table.view}", f"revision {identity.revision}", made, identity.sha256[:12])
    if station.calibration_files:
        report.add("calibration", f"sha256 {station.calibration.identity.sha256[:12]}")
    takt = f"every {station.trigger.takt_ms:g} ms" if station.trigger.takt_ms else ""
    report.add("trigger", station.trigger.source, takt)
    report.add("inspector", f"{station.inspector.workers} x {', then '.join(station.inspector.provider)}")
    report.add("serves at", station.serve.tcp, str(station.unix_path or ""))
    report.add("data", str(station.data_dir))


def _say_ages(station: StationFile, recipe: Recipe, report: _Report) -> None:
    for each in calibration_status(station.calibration_files, recipe):
        if each.warning:
            report.warnings.append(each.warning)


def _say_recipe(recipe: Recipe, report: _Report) -> None:
    identity = recipe.identity
    report.add("recipe", identity.id, f"revision {identity.revision}", f"sha256 {identity.sha256[:12]}")
    for name, view in recipe.views.items():
        regions = ", ".join(region.name for region in view.regions)
        report.add(f"view {name}", f"{view.pixel_format} {view.width_px}x{view.height_px} px", f"regions: {regions}")
    report.add("limits", ", ".join(limit.name for limit in recipe.limits))


def _check_packages(recipe: Recipe, station: StationFile, report: _Report) -> None:
    from lineside.detectors.package import load_package

    loaded: dict[str, ModelPackage] = {}
    for name in dict.fromkeys(view.package for view in recipe.views.values()):
        if package := report.try_to(load_package, station.package_folder(name)):
            loaded[name] = package
            identity = package.identity
            report.add("package", identity.id, f"revision {identity.revision}", f"sha256 {identity.sha256[:12]}")
            report.add("", f"finds {', '.join(package.class_names)}", f"threshold {package.threshold:g}")
            _say_release(identity, recipe, station, report)
    packages = {name: loaded[view.package] for name, view in recipe.views.items() if view.package in loaded}
    report.problems += map(str, check_together(recipe, station, packages))
    if len(packages) == len(recipe.views):
        fingerprint = config_fingerprint(
            recipe=recipe.identity,
            calibration=station.calibration.identity,
            station=station.identity,
            packages=[package.identity for package in packages.values()],
        )
        report.add("fingerprint", fingerprint)


def _say_release(package: Identity, recipe: Recipe, station: StationFile, report: _Report) -> None:
    """Who let it judge, where that is known; that it must be known is for `check_together` to say."""
    from lineside.detectors.release import release_of

    with contextlib.suppress(ConfigError):
        record = release_of(station.package_folder(package.id).parent, package, recipe.identity)
        report.add("", f"released by {record.released_by}", record.released_utc, f"sha256 {record.sha256[:12]}")


def schema(of: Annotated[SchemaOf, typer.Argument(help="Which file's schema.")]) -> None:
    """Print a JSON Schema: of recipe or station files, so that an editor completes them, or of a report's JSON."""
    match of:
        case SchemaOf.RECIPE:
            text = recipe_schema()
        case SchemaOf.STATION:
            text = station_schema(camera_config_classes())
        case SchemaOf.SUMMARY:
            from lineside.reinspect.summary.document import summary_schema

            text = summary_schema()
        case SchemaOf.QUALIFICATION:
            from lineside.qualify.document import qualification_schema

            text = qualification_schema()
    typer.echo(text, nl=False)
