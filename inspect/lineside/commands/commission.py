"""`lineside commission`: what a station can do with this machine, camera and model, on one page to hand over."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lineside.core.errors import ConfigError, StationFault

if TYPE_CHECKING:
    from lineside.client.station_client import StationClient
    from lineside.commands.commission_page import Measured
    from lineside.commands.commission_trial import Heard, Trial
    from lineside.config.station_file import StationFile

__all__ = ["commission"]

_START_S = 300.0
"""A large model may be built anew when it is loaded."""

_WARM_PARTS = 20
_PROBE_S = 3.0
_PROBE_PARTS = (60, 300)
_SILENT_S = 10.0


def commission(
    station: Annotated[Path, typer.Argument(help="Station file, such as calibration/stations/demo.toml.")],
    takt: Annotated[float | None, typer.Option(min=1, help="Rated takt in ms; else that of the station file.")] = None,
    parts: Annotated[int, typer.Option(min=100, help="Parts at the rated takt; 1,000 are needed for a p99.9.")] = 500,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to hand over.")] = Path("commissioning.html"),
) -> None:
    """Measure a station on this machine: latency from trigger to verdict at the rated takt, and the shortest takt.

    The station is started in a process of its own, with a journal that is thrown away afterwards, and triggered by
    software at the takt. Where the camera sets the pace, it is measured at that pace, and the takt is not searched.
    A takt holds when every part is inspected and 99 % of the verdicts are heard before their due time.
    """
    from lineside.assemble import read_files
    from lineside.commands.commission_page import page

    files, recipe = read_files(station)
    asked = _is_asked(files)
    rated_ms = takt if takt is not None else files.trigger.takt_ms
    if asked and rated_ms is None:
        raise ConfigError("the rated takt is not known", expected="the time from part to part", remedy="say --takt MS")
    console = Console()
    console.print(f"Starting {files.station_id} ({station}); nothing of it is kept but the page.")
    measured = asyncio.run(_measured(files, rated_ms if asked else None, recipe.due_ms, parts, console))
    output.write_text(page(measured), encoding="utf-8")
    _summary(console, measured)
    console.print(f"The page to hand over: {output}")


def _is_asked(files: StationFile) -> bool:
    """True where a trigger of ours makes the cameras look: the takt can be chosen."""
    backends = {str(camera["backend"]) for camera in files.cameras.values()}
    return files.trigger.source != "camera" or backends == {"simulated"}


async def _measured(files: StationFile, rated_ms: float | None, due_ms: int, parts: int, console: Console) -> Measured:
    from lineside.commands.commission_facts import machine_facts, station_facts
    from lineside.commands.commission_page import Measured
    from lineside.commands.commission_trial import Line, shortest_takt

    machine = machine_facts()
    async with _started(files, asked=rated_ms is not None) as client:
        facts = station_facts(await client.status())
        if rated_ms is None:
            rated = await _at_the_cameras_pace(client, due_ms, parts, console)
            return Measured(machine=machine, station=facts, rated=rated, trials=())
        line = Line(client, due_ms=due_ms)

        async def follow() -> None:
            async with aclosing(client.verdicts()) as verdicts:
                async for verdict in verdicts:
                    line.take(verdict)

        async def probe(takt_ms: float) -> Trial:
            least, most = _PROBE_PARTS
            trial = await line.trial(takt_ms, max(least, min(most, round(_PROBE_S * 1000 / takt_ms))))
            console.print(f"  takt {takt_ms:.2f} ms: {trial.why_not or 'holds'}")
            return trial

        following = asyncio.create_task(follow())
        try:
            await line.trial(rated_ms, _WARM_PARTS)
            console.print(f"{parts} parts at {rated_ms:g} ms: {parts * rated_ms / 1000:.0f} s")
            rated = await line.trial(rated_ms, parts)
            console.print("Searching for the shortest takt that holds")
            trials = await shortest_takt(rated, probe)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    return Measured(machine=machine, station=facts, rated=rated, trials=tuple(trials))


async def _at_the_cameras_pace(client: StationClient, due_ms: int, parts: int, console: Console) -> Trial:
    from lineside.commands.commission_trial import Trial, heard

    console.print(f"The camera sets the pace: {parts} parts at that pace, and no search for a shorter takt")
    told: list[Heard] = []
    try:
        async with aclosing(client.verdicts()) as stream:
            verdicts = aiter(stream)
            while len(told) < parts + _WARM_PARTS:
                async with asyncio.timeout(_SILENT_S):
                    told.append(heard(await anext(verdicts)))
    except TimeoutError:
        console.print(f"The camera delivered nothing for {_SILENT_S:.0f} s: the figures are of what came before")
    told = told[_WARM_PARTS:]
    if len(told) < 2:
        raise StationFault(
            f"the camera delivered {len(told)} parts",
            expected=f"{parts}, after {_WARM_PARTS} to warm up",
            remedy="let the line run while it is commissioned",
        )
    return Trial(takt_ms=None, due_ms=due_ms, parts=tuple(told))


@asynccontextmanager
async def _started(files: StationFile, *, asked: bool) -> AsyncGenerator[StationClient, None]:
    """The station in a process of its own, its data on the disk where its own data would be; all gone afterwards."""
    from lineside.client.station_client import StationClient

    with _scratch_beside(files.data_dir) as data, tempfile.TemporaryDirectory(prefix="lineside-") as short:
        socket, log_path = Path(short) / "s", data / "station.log"  # unix sockets allow 107 bytes
        command = [sys.executable, "-m", "lineside", "run", str(files.path), "--data-dir", str(data / "station")]
        command += ["--tcp", "127.0.0.1:0", "--unix", str(socket), "--count", "0"]
        with log_path.open("wb") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - starts at once
                [*command, *(["--software-triggered"] if asked else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            await _wait_until_serving(process, socket, log_path)
            async with StationClient(f"unix://{socket}") as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait)


@contextmanager
def _scratch_beside(data_dir: Path) -> Iterator[Path]:
    there = next(folder for folder in (data_dir, *data_dir.parents) if folder.is_dir())
    folder = Path(tempfile.mkdtemp(prefix=".commissioning-", dir=there))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def _wait_until_serving(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline_s = time.monotonic() + _START_S
    while not await asyncio.to_thread(socket.exists):
        if process.poll() is not None or time.monotonic() > deadline_s:
            last = await asyncio.to_thread(log.read_text, errors="replace")
            raise StationFault(f"the station did not start:\n{last[-2000:]}", remedy="try `lineside check` on its file")
        await asyncio.sleep(0.05)


def _summary(console: Console, measured: Measured) -> None:
    table = Table(title=measured.title, show_header=False, min_width=76)
    for name, value in measured.summary:
        table.add_row(name, value)
    console.print(table)
