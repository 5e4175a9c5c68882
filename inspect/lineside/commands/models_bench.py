"""`lineside models bench`: a package on every provider that this machine has, side by side."""

from __future__ import annotations

import dataclasses
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lineside.commands.package_option import MODELS, Name, Packages, folder_of
from lineside.core.errors import ConfigError

if TYPE_CHECKING:
    from lineside.detectors.package import ModelPackage
    from lineside.detectors.provider_bench import Measured

__all__ = ["bench"]

_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "openvino")


def bench(
    name: Name,
    provider: Annotated[
        list[str] | None, typer.Option(help="cpu, cuda, tensorrt or openvino; repeatable; left out, all of them.")
    ] = None,
    threads: Annotated[str, typer.Option(help="Of the processor, one row for each: 1,2.")] = "1,2",
    seconds: Annotated[float, typer.Option(min=0.0, help="How long each row runs; at least 20 images.")] = 3.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the same as JSON.")] = None,
    models_dir: Packages = MODELS,
) -> None:
    """Measure a package on every provider that this machine has, side by side.

    The graph alone, on the package's reference frames: median, 99th percentile, images a second, the time to load and
    that of the first image, and how far the answers are from the reference answers. All take turns in one process. A
    provider that is not there is named with the reason.
    """
    from lineside.commands.train_words import progress
    from lineside.detectors.package import load_package
    from lineside.detectors.provider_bench import bench as measure
    from lineside.detectors.session import KNOWN_PROVIDERS

    asked = tuple(dict.fromkeys(provider or KNOWN_PROVIDERS))
    if unknown := [each for each in asked if each not in KNOWN_PROVIDERS]:
        raise ConfigError(f"--provider {unknown[0]}", expected=f"one of {', '.join(KNOWN_PROVIDERS)}")
    counts = _counts(threads)
    package = load_package(folder_of(name, models_dir))
    total = sum(len(counts) if each in ("cpu", "openvino") else 1 for each in asked)
    with progress(total, "Loading, then measuring") as tick:
        rows = measure(package, asked, threads=counts, seconds=seconds, tick=tick)
    _print(package, rows)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(_document(package, rows), indent=2) + "\n")


def _counts(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ConfigError(f"--threads {text}", expected="whole numbers from 1 on, like 1,2")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _print(package: ModelPackage, rows: tuple[Measured, ...]) -> None:
    table = Table("ran on", "cores", "median", "p99", "images/s", "load", "first", "difference")
    for column in table.columns[1:]:
        column.justify = "right"
        column.no_wrap = True
    table.columns[0].overflow = "fold"  # half a name is no name
    console = Console()
    for row in rows:
        if row.absent:
            continue
        values = (row.median_ms, row.p99_ms, row.images_per_s, row.load_ms, row.first_ms)
        agrees = f"{row.difference:.2g}" if not row.refused else f"[red]{row.difference:.2g}, refused"
        table.add_row(escape(row.ran), str(row.threads), *(f"{value:.2f}" for value in values), agrees)
    named = f"{package.identity.id} revision {package.identity.revision}"
    console.print(f"{named}, {_machine()}; times in ms", markup=False, highlight=False, soft_wrap=True)
    console.print(table if table.row_count else "nothing ran")
    for words in dict.fromkeys(words for row in rows for words in (row.absent, row.refused) if words):
        console.print(f"  {words}", markup=False, highlight=False, soft_wrap=True)


def _machine() -> str:
    """The processor and the runtimes that are installed."""
    runtimes = []
    for each in _RUNTIMES:
        try:
            runtimes.append(f"{each} {version(each)}")
        except PackageNotFoundError:
            continue
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return ", ".join([names[0] if names else platform.machine(), *runtimes])


def _document(package: ModelPackage, rows: tuple[Measured, ...]) -> dict[str, Any]:
    identity = package.identity
    return {
        "package": {"id": identity.id, "revision": identity.revision, "sha256": identity.sha256},
        "machine": _machine(),
        "rows": [_finite(dataclasses.asdict(row)) for row in rows],
    }


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity; an absent provider has no figures."""
    if row["absent"]:
        return {key: row[key] for key in ("provider", "threads", "absent")}
    return {key: None if value == float("inf") else value for key, value in row.items() if key != "absent"}
