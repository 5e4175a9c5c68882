"""`lineside gauge`: measurement capability, from the first measurement to the report."""

from __future__ import annotations

import random
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lineside.commands.gauge_screen import GaugeScreen, say_gone_through
from lineside.commands.gauge_words import names_of, numbers_of, pair_of, unit_of
from lineside.commands.station_option import DEFAULT_STATION, StationOption, output
from lineside.core.errors import ConfigError
from lineside.gauge.measurand import Measurand, Quantity
from lineside.gauge.measurement import Measurement
from lineside.gauge.plan import make_plan
from lineside.gauge.sitting import Gauge, Sitting
from lineside.gauge.study_file import read_study, write_study

__all__ = ["gauge_app", "report", "run"]

gauge_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Find out how well a station measures: plan, measure, report."
)

_Reference = Annotated[
    list[str] | None, typer.Option(metavar="PART=VALUE", help="The true value of a part; may be given for each.")
]


@gauge_app.command()
def run(
    study: Annotated[Path, typer.Argument(help="The study's CSV file: made when it is not there, else gone on with.")],
    parts: Annotated[str, typer.Option(help="The parts: a number of them, or their names with commas between.")] = "",
    operators: Annotated[str, typer.Option(help="Likewise the operators, or the placements of the part.")] = "",
    repeats: Annotated[int | None, typer.Option(help="How often each measures each part.  [default: 3]")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the same order again; else chance makes one.")] = None,
    reference: _Reference = None,
    measure: Annotated[Quantity | None, typer.Option(help="What is measured.")] = None,
    limit: Annotated[str, typer.Option(help="Of findings that this limit of the recipe looks at.")] = "",
    class_name: Annotated[str, typer.Option("--class", help="Of findings of this class.")] = "",
    region: Annotated[str, typer.Option(help="Of findings in this region.")] = "",
    view: Annotated[str, typer.Option(help="Of this view; needed where the recipe has several.")] = "",
    station: StationOption = DEFAULT_STATION,
    due_ms: Annotated[int | None, typer.Option(min=1, help="Due time of each trigger; else the recipe's.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Measure pictures instead: FOLDER/OPERATOR/PART/one file for each trial.")
    ] = None,
    by: Annotated[
        Path | None, typer.Option(help="Who judges the pictures: a station file, a recipe file or a package's folder.")
    ] = None,
    prompt: Annotated[bool, typer.Option(help="Ask for each part before it is measured.")] = True,
) -> None:
    """Take the measurements of a study, one after the other, in random order.

    Each is written to the file before the next is asked for: stop whenever you like, and go on with the same command.
    A part without a value (not inspected, or nothing found) is named with its reason, and can be measured again.

    $ lineside gauge run bore.csv --parts 10 --operators Ann,Bob,Cleo --measure length_mm --limit bore

    $ lineside gauge run bore.csv

    $ lineside gauge run bore.csv --pictures placements --by calibration/stations/demo.toml --measure length_px

    Exit codes: 0 every measurement has a value; 1 some have none; 2 wrong declaration; 3 the station cannot be reached.
    """
    asked = (
        Measurand(quantity=measure, limit=limit, class_name=class_name, region=region, view=view) if measure else None
    )
    planned = bool(parts or operators or repeats is not None or seed is not None)
    references = dict(pair_of(each) for each in reference or ())
    begun = study.exists()
    if begun:
        rows, measurand = _begun(study, asked, again=planned or bool(references))
    elif asked is None:
        raise ConfigError(f"{study} is not there", expected="--measure for a new study", remedy=", ".join(Quantity))
    else:
        rows, measurand = (), asked
    gauge: Gauge
    if pictures is not None:
        if planned:
            raise ConfigError("--pictures with a plan", expected="parts, operators and trials as the folders have them")
        gauge, found = _of_pictures(pictures, by, measurand, references)
        rows = rows or found
    else:
        from lineside.gauge.station import StationGauge

        gauge = StationGauge(station, measurand, due_ms=due_ms)
        rows = rows or make_plan(
            parts=names_of(parts, "parts"),
            operators=names_of(operators, "operators"),
            repeats=3 if repeats is None else repeats,
            seed=random.SystemRandom().randrange(10**6) if seed is None else seed,
            measured=measurand.words,
            references=references,
        )
    if not begun:
        write_study(study, rows)
    go_on = ["lineside", "gauge", "run", str(study)]
    if pictures is not None:
        go_on += ["--pictures", str(pictures), "--by", str(by)]
    elif station != DEFAULT_STATION:
        go_on += ["--station", station]
    _sit(Sitting(study, rows, gauge), study, prompt=prompt and pictures is None, go_on=go_on)


@gauge_app.command()
def report(
    study: Annotated[Path, typer.Argument(help="The study's CSV file, measured by `gauge run` or elsewhere.")],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page to write; a JSON file goes beside it.")
    ] = None,
    tolerance: Annotated[float | None, typer.Option(help="The tolerance's whole width, in the measured unit.")] = None,
    reference: _Reference = None,
    unit: Annotated[str, typer.Option(help="The unit of the values; `gauge run` has written it down.")] = "",
    attribute: Annotated[
        bool, typer.Option("--attribute", help="The values are ratings, even if they are numbers.")
    ] = False,
    pool_above: Annotated[
        float, typer.Option(help="Pool operator x part where its p is above this; 1 never does, 0 always.")
    ] = 0.25,
    confidence: Annotated[float, typer.Option(help="Of all bounds.")] = 0.95,
    drop_incomplete: Annotated[
        bool, typer.Option("--drop-incomplete", help="Leave out parts that lack a value; they are named.")
    ] = False,
) -> None:
    """Say what a study shows: an HTML page that needs nothing from elsewhere, and JSON.

    A CSV file from elsewhere needs the columns part, operator, trial, value; reference is welcome. Values that are
    words (pass, fail) make an attribute study: agreement within, between and against the reference.

    $ lineside gauge report bore.csv --tolerance 0.5
    """
    _needs_its_libraries()
    from lineside.gauge.analysis import Asked, analyse
    from lineside.gauge.attribute import analyse_attribute
    from lineside.gauge.crossed import is_attribute
    from lineside.gauge.report import write_attribute_report, write_report

    rows = read_study(study)
    place = out or study.with_suffix(".html")
    if place.suffix != ".html":
        raise ConfigError(f"a page called {place.name}", expected="a name that ends in .html: the JSON goes beside it")
    command = shlex.join(["lineside", *sys.argv[1:]])
    if attribute or is_attribute(rows):
        if tolerance is not None or reference:
            raise ConfigError(
                "a tolerance or references for ratings", expected="the standard in the study's column `reference`"
            )
        rated = analyse_attribute(rows, confidence=confidence, drop_incomplete=drop_incomplete)
        write_attribute_report(place, study, rows, rated, command=command)
        answer, more = rated.answer, rated.more
    else:
        asked = Asked(
            tolerance=tolerance,
            references=numbers_of(reference or ()),
            unit=unit or unit_of(rows),
            pool_above=pool_above,
            confidence=confidence,
            drop_incomplete=drop_incomplete,
        )
        analysis = analyse(rows, asked)
        write_report(place, study, rows, analysis, command=command)
        answer, more = analysis.answer, analysis.more
    console = output()
    console.print(answer, style="bold", markup=False)
    for each in more:
        console.print(f"  {each}", markup=False)
    console.print(f"{place}, {place.with_suffix('.json')}", markup=False)


def _begun(
    study: Path, asked: Measurand | None, *, again: bool
) -> tuple[tuple[Measurement, ...], Measurand]:  # fmt: skip
    """A study that goes on: as it was planned, measuring what it measures. `again` says that it is planned anew."""
    if again:
        raise ConfigError(
            f"{study} is there already",
            expected="no parts, operators, repeats, seed or references: it goes on as planned",
            remedy="name another file for a new study",
        )
    rows = read_study(study)
    measured = rows[0].measured
    if not measured or any(row.measured != measured for row in rows):
        raise ConfigError(
            f"{study} does not say what it measures", expected="a study that `lineside gauge run` has made"
        )
    if asked is not None and asked.words != measured:
        raise ConfigError(f"{study} measures {measured!r}, not {asked.words!r}", expected="the same throughout a study")
    return rows, Measurand.of_words(measured)


def _of_pictures(
    folder: Path, by: Path | None, measurand: Measurand, references: Mapping[str, str]
) -> tuple[Gauge, tuple[Measurement, ...]]:
    """The station's own inspector over the folder's files, and the plan that they make."""
    from lineside.assemble import open_inspector
    from lineside.gauge.pictures import PictureGauge, plan_of_folder
    from lineside.reinspect.candidate import candidate_of

    if by is None:
        raise ConfigError("pictures, and nobody to judge them", expected="--by with a station, a recipe or a package")
    found, files = plan_of_folder(folder, measured=measurand.words)
    if strange := sorted(references.keys() - {row.part for row in found}):
        raise ConfigError(f"a reference for part {strange[0]!r}, of which there is no picture")
    candidate = candidate_of(by)
    inspector = open_inspector(
        candidate.recipe, candidate.calibration, candidate.packages, providers=("cpu",), intra_op_threads=1
    )
    gauge = PictureGauge(inspector, candidate.recipe, candidate.calibration.identity, measurand)
    gauge.open(found, files)
    return gauge, tuple(replace(row, reference=references.get(row.part, "")) for row in found)


def _sit(sitting: Sitting, study: Path, *, prompt: bool, go_on: Sequence[str]) -> NoReturn:
    """Measures until all is gone through or somebody stops it, and says how far it came."""
    with GaugeScreen(sitting, prompt=prompt) as screen:
        try:
            finished = sitting.run(screen.asked, screen.told)
        except KeyboardInterrupt:
            finished = False
    say_gone_through(sitting, study, finished=finished, go_on=go_on)
    raise typer.Exit(0 if sitting.done == len(sitting.rows) else 1)


def _needs_its_libraries() -> None:
    try:
        import jinja2  # noqa: F401
        import scipy  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed", remedy="pip install 'lineside[reinspect]'") from error
