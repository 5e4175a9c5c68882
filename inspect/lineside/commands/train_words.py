"""What the commands of `lineside train` have in common: options, progress, the time of a frame."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lineside.core.errors import ConfigError

if TYPE_CHECKING:
    from lineside.cameras.fit import Fit
    from lineside.core.frame import Pixels
    from lineside.detectors.package import ModelPackage
    from lineside.train.locate_fit import LocateBy, LocateOrder

__all__ = [
    "Fitting",
    "fitting_progress",
    "known_fit",
    "locate_order",
    "milliseconds",
    "package_name",
    "parsed_size",
    "progress",
    "refuse_existing",
    "said_of_scale",
    "said_of_use",
]

_TIMED_RUNS = 20

_SMALLER = 1.25
"""Less is not worth a word."""

_POORLY_TOLD = 0.8
_MANY_MISSED = 0.2
"""A model below that area, or with more bad parts below its limit, is made without a fault and of little use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitting:
    """What moves the two bars: `tick` for each picture read, `report` with the steps done and a few words."""

    tick: Callable[[], None]
    report: Callable[[int, str], None]


def parsed_size(text: str) -> tuple[int, int]:
    """Width and height in px of "640x480". Raises: ConfigError."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"--size {text}", expected="WIDTHxHEIGHT in px, such as 640x480")
    return int(width), int(height)


def known_fit(text: str) -> Fit:
    """The word for what becomes of pictures of another size. Raises: ConfigError."""
    match text:
        case "refuse" | "pad" | "crop" | "resize":
            return text
        case _:
            raise ConfigError(f"--fit {text}", expected="refuse, pad, crop or resize")


def locate_order(by: LocateBy, box: str, *, wanted: bool) -> LocateOrder | None:
    """Whether and how parts are found first: asked for by any of the three options. Raises: ConfigError."""
    from lineside.train.locate_fit import LocateOrder

    if not (wanted or box or by != "auto"):
        return None
    if not box:
        return LocateOrder(by=by)
    numbers = box.split(",")
    if len(numbers) != 4 or not all(number.strip().isdecimal() for number in numbers):
        raise ConfigError(f"--locate-box {box}", expected="X,Y,WIDTH,HEIGHT in px, such as 120,80,300,200")
    x, y, width, height = (int(number) for number in numbers)
    return LocateOrder(by=by, region=(x, y, width, height))


def package_name(wanted: str, output: Path) -> str:
    """The id of the package that is to be made: as wanted, else its folder's name. Raises: ConfigError, before the
    work and not after it.
    """
    from lineside.detectors.manifest import PACKAGE_ID

    name = wanted or output.resolve().name
    if not re.fullmatch(PACKAGE_ID, name):
        raise ConfigError(
            f"a package called '{name}'",
            expected="letters from A to Z, digits, '.', '_' and '-', up to 100, no other character first",
            remedy="name it with --id, or choose another folder",
        )
    return name


def said_of_scale(record: Mapping[str, Any], columns: int, *, located: bool) -> str:
    """How much smaller than the frames, as this record has them, a model with so many columns looks at them."""
    times = record["pictures"]["size_px"][0] / columns
    if located or times < _SMALLER:
        return ""
    return f" (1/{times:.1f} of the frame each way: smaller defects want --long-side)"


def said_of_use(record: Mapping[str, Any], alike: float, *, located: bool) -> dict[str, str]:
    """Rows of a summary: how a package with this training record tells bad parts that it has not learned from, and
    where there is a doubt, whether good parts lie alike, as a model that looks place by place needs them to.
    """
    from lineside.train.alike import ALIKE

    rows, in_doubt = {}, True
    bad, missed = record["pictures"]["bad"], record["threshold"]["bad_below"]
    if bad:
        auroc = max(each["auroc"] for each in record["compared"]["candidates"])
        rows["bad parts"] = f"{bad - missed} of {bad}, none learned from, are told at this threshold; AUROC {auroc:.3f}"
        in_doubt = auroc < _POORLY_TOLD or missed > _MANY_MISSED * bad
    if bad and in_doubt:
        rows["beware"] = (
            f"{missed} of {bad} bad parts would pass. --locate where parts move or turn, --long-side for small "
            "defects, `lineside train segment` where there are masks"
        )
    if in_doubt and not located and alike < ALIKE:
        rows["beware of"] = (
            f"good parts that do not lie alike: the median picture explains {max(0.0, alike):.0%} of one. "
            "Where parts move or turn, --locate finds each first"
        )
    return rows


def refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """Before the work, not after it. Raises: ConfigError."""
    if folder.exists() and not overwrite:
        raise ConfigError(f"{folder} exists", expected="a new folder", remedy="choose another, or say --overwrite")


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[], None]]:
    """A bar on stderr; the function that is handed out moves it on by one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
        bar.update(task, completed=total)


@contextmanager
def fitting_progress(pictures: int, steps: int, output: Path) -> Iterator[Fitting]:
    """Two bars on stderr, one for the pictures that are read and one for the fit of a network.

    A fit that is stopped by a signal leaves its checkpoint: what to do is said, and the exit code is 130.
    """
    words = TextColumn("{task.description}")
    columns = (words, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with Progress(*columns, console=console) as bar:
            reading = bar.add_task("Reading pictures", total=pictures)
            fitting = bar.add_task("Training", total=steps, start=False)

            def report(done: int, told: str) -> None:
                bar.start_task(fitting)
                bar.update(fitting, completed=done, description=f"Training, {told}")

            yield Fitting(tick=lambda: bar.advance(reading), report=report)
    except KeyboardInterrupt as stop:
        console.print(f"stopped; the same command with --resume goes on with {output}", markup=False)
        raise typer.Exit(130) from stop


def milliseconds(package: ModelPackage, pixels: Pixels) -> float:
    """How long a frame takes on one core of this machine, from its pixels to the graph's answer; the median."""
    from lineside.detectors.session import open_session

    session = open_session(package.graph_path, providers=("cpu",))
    spec, preparation, took = package.manifest.input, package.preparation(), []
    for _ in range(_TIMED_RUNS + 1):
        started = time.perf_counter()
        tensor, _ = preparation.prepare(pixels)
        session.run(package.manifest.output.names, spec.name, tensor)
        took.append(time.perf_counter() - started)
    return sorted(took[1:])[_TIMED_RUNS // 2] * 1e3
