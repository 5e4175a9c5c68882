"""`lineside demo --line`: station, bridge and simulated line, in processes of their own, from camera to reject bin."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
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
from lineside.commands.sim import simulated_camera_of
from lineside.core.errors import ConfigError, StationFault
from lineside.sim.faults import FaultKind, PlannedFault
from lineside.sim.line import Line, LineSettings
from lineside.sim.modbus_link import ModbusLink
from lineside.sim.record import LineRecord

__all__ = ["demo_line"]

_STOP_S = 20.0
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
        station_program = _Program("station", run_station, folder)
        bridge_program = _Program("bridge", ["bridge", "modbus", str(own_bridge)], folder)
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
                FaultKind.STATION_KILLED: station_program.kill_and_restart,
                FaultKind.BRIDGE_KILLED: bridge_program.kill_and_restart,
            },
        )
        record = asyncio.run(_run(belt, console, (station_program, bridge_program)))
    show_summary(console, record, folder)
    raise typer.Exit(1 if record.escapes or not record.complete else 0)


async def _run(belt: Line, console: Console, programs: Sequence[_Program]) -> LineRecord:
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


async def _until_one_ends(programs: Sequence[_Program]) -> None:
    while True:
        for program in programs:
            program.check()
        await asyncio.sleep(0.1)


class _Program:
    """A lineside command in a process of its own, with its log."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        self._name = name
        self._command = [sys.executable, "-m", "lineside", *arguments]
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_and_restart(self, after_s: float) -> None:
        """As if it had crashed, and whatever looks after it had started it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        asyncio.get_running_loop().call_later(after_s, self.start)

    def check(self) -> None:
        """Raises: StationFault when it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            last = self._log.read_text(errors="replace")[-2000:]
            raise StationFault(
                f"the {self._name} ended with code {self._process.returncode}:\n{last}", remedy=f"see {self._log}"
            )

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


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
