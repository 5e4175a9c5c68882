"""`lineside run`: a station, from its files until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

if TYPE_CHECKING:
    from lineside.config.station_file import StationFile
    from lineside.core.recipe import Recipe

__all__ = ["run", "with_overrides"]


def run(
    station: Annotated[Path, typer.Argument(help="Station file, such as calibration/stations/demo.toml.")],
    recipe: Annotated[str, typer.Option(help="Another recipe of the project than the station file names.")] = "",
    data_dir: Annotated[Path | None, typer.Option(help="Another folder for journal and images.")] = None,
    tcp: Annotated[str | None, typer.Option(help='Another TCP address; "" for none.')] = None,
    unix: Annotated[Path | None, typer.Option(help="Another unix socket path.")] = None,
    count: Annotated[int | None, typer.Option(min=0, help="So many triggers, then the source has ended.")] = None,
    software_triggered: Annotated[
        bool, typer.Option("--software-triggered", help="Clients trigger it, whatever the station file says.")
    ] = False,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End when the source has ended: a folder, a file, --count.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every detail.")] = False,
) -> None:
    """Run a station: cameras, inspectors, journal and gRPC server.

    It runs until SIGTERM or Ctrl-C; parts in flight are answered first. Exit codes: 0 ended in order, 2 something is
    not as declared, 3 the station could not go on.
    """
    from lineside.assemble import read_files
    from lineside.config.cross_check import check_recipe

    _log_to_stderr(verbose=verbose)
    files, chosen = read_files(station, recipe)
    files = with_overrides(files, data_dir=data_dir, tcp=tcp, unix=unix, count=count)
    if software_triggered:
        trigger = files.trigger.model_copy(update={"source": "software", "takt_ms": None})
        files = replace(files, trigger=trigger)
    check_recipe(files, chosen)
    asyncio.run(_run(files, chosen, until_end=until_end))


def with_overrides(
    files: StationFile, *, data_dir: Path | None, tcp: str | None, unix: Path | None, count: int | None
) -> StationFile:
    """The station file with what the command line says instead."""
    if data_dir is not None:
        files = replace(files, data_dir=data_dir.resolve())
    if unix is not None:
        files = replace(files, unix_path=unix.resolve())
    if tcp is not None:
        files = replace(files, serve=files.serve.model_copy(update={"tcp": tcp}))
    if count is not None:
        files = replace(files, trigger=files.trigger.model_copy(update={"count": count}))
    return files


async def _run(files: StationFile, recipe: Recipe, *, until_end: bool) -> None:
    from lineside.running import RunningStation

    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    running = RunningStation(files, recipe)
    starting = asyncio.create_task(running.start())
    stopping = asyncio.create_task(told_to_stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    try:
        starting.result()
        gc.freeze()  # what start-up made stays: later collections need not look at it
        print(f"{files.station_id} serves on {', '.join(running.server.addresses)}", file=sys.stderr, flush=True)
        ended = asyncio.create_task(running.finished.wait())
        await asyncio.wait({stopping, *([ended] if until_end else [])}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        await running.stop()
        counters = running.station.ledger.counters()
        print(
            f"triggers {counters.triggers} = pass {counters.passed} + fail {counters.failed}"
            f" + not inspected {counters.not_inspected}",
            file=sys.stderr,
            flush=True,
        )
    finally:
        stopping.cancel()


def _log_to_stderr(*, verbose: bool) -> None:
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
