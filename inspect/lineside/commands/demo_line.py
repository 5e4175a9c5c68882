"""`lineside demo --line`: station, bridge and simulated line, in processes of their own, from camera to reject bin."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import tomli_w
import typer
from rich.console import Console

from lineside.commands.line_picture import run_and_show, show_summary
from lineside.commands.program import Program
from lineside.commands.sim import simulated_camera_of
from lineside.core.errors import ConfigError
from lineside.sim.faults import FaultKind, PlannedFault
from lineside.sim.line import Line, LineSettings
from lineside.sim.modbus_link import ModbusLink
from lineside.sim.record import LineRecord

__all__ = ["demo_line"]

_HOST = "127.0.0.1"


def demo_line(*, parts: int, faults: Sequence[str], project: Path, output: Path) -> None:
    """Runs so many parts from the camera to the gate. Exits with 0 only when no bad part was accepted."""
    station = project / "calibration" / "stations" / "demo-line.toml"
    bridge = project / "calibration" / "bridges" / "demo-line.toml"
    for file in (station, bridge):
        if not file.is_file():
            raise ConfigError(
                f"{file} is not there",
                expected="Lineside's own project folder",
                remedy="run it there, or name --project",
            )
    camera, really = simulated_camera_of(station, parts)
    assert camera.belt_file is not None
    console = Console()
    folder = (output / datetime.now(UTC).strftime("line-%Y%m%d-%H%M%S")).resolve()
    folder.mkdir(parents=True)
    console.print(f"Starting station and bridge; their journal, images and logs are left in {folder}")
    with ExitStack() as at_the_end:
        socket_folder = Path(tempfile.mkdtemp(prefix="lineside-demo-"))  # short: unix sockets allow 107 bytes
        at_the_end.callback(shutil.rmtree, socket_folder)
        port = _free_port()
        run_station = ["run", str(station), "--data-dir", str(folder / "station"), "--tcp", f"{_HOST}:0"]
        run_station += ["--unix", str(socket_folder / "s")]
        own_bridge = _bridge_of_this_run(bridge, folder, station_address=f"unix:{socket_folder / 's'}", port=port)
        station_program = Program("station", run_station, folder)
        bridge_program = Program("bridge", ["bridge", "modbus", str(own_bridge)], folder)
        for program in (station_program, bridge_program):
            at_the_end.callback(program.stop)
        for program in (station_program, bridge_program):
            program.start()
        belt = Line(
            LineSettings(),
            ModbusLink(_HOST, port),
            really=really,
            belt_file=camera.belt_file,
            faults=[PlannedFault.parse(text) for text in faults],
            outside={
                FaultKind.STATION_KILLED: lambda after_s: _kill_and_restart(station_program, after_s),
                FaultKind.BRIDGE_KILLED: lambda after_s: _kill_and_restart(bridge_program, after_s),
            },
        )
        record = asyncio.run(_run(belt, console, (station_program, bridge_program)))
    show_summary(console, record, folder)
    raise typer.Exit(1 if record.escapes or not record.complete else 0)


async def _run(belt: Line, console: Console, programs: Sequence[Program]) -> LineRecord:
    running = asyncio.create_task(run_and_show(belt, console))
    watching = asyncio.create_task(_until_one_ends(programs))
    try:
        await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        return await running
    finally:
        for task in (running, watching):
            task.cancel()
        await asyncio.gather(running, watching, return_exceptions=True)


async def _until_one_ends(programs: Sequence[Program]) -> None:
    while True:
        for program in programs:
            program.check()
        await asyncio.sleep(0.1)


def _kill_and_restart(program: Program, after_s: float) -> None:
    """As if it had crashed, and whatever looks after it had started it again."""
    program.kill()
    asyncio.get_running_loop().call_later(after_s, program.start)


def _bridge_of_this_run(bridge: Path, folder: Path, *, station_address: str, port: int) -> Path:
    """The project's bridge file, with the addresses and the state file of this run."""
    values = tomllib.loads(bridge.read_text(encoding="utf-8"))
    values |= {"station": station_address, "listen": f"{_HOST}:{port}", "state_file": "bridge-state.json"}
    own = folder / "bridge.toml"
    own.write_text(tomli_w.dumps(values), encoding="utf-8")
    return own


def _free_port() -> int:
    """A port that is free now: a bridge that is killed must come back on the same one."""
    with socket.create_server((_HOST, 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
