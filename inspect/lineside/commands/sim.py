"""`lineside sim`: machines in a box, to try a station on a laptop."""

from __future__ import annotations

import asyncio
import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lineside.core.errors import ConfigError

if TYPE_CHECKING:
    from lineside.cameras.simulated import SimulatedConfig

__all__ = ["need_pymodbus", "sim_app", "simulated_camera_of"]

sim_app = typer.Typer(no_args_is_help=True)


@sim_app.callback()
def _sim() -> None:
    """Try a station on a laptop."""


@sim_app.command()
def line(
    parts: Annotated[int, typer.Option(min=1, help="So many parts, then the belt is empty.")] = 100,
    speed: Annotated[float, typer.Option(min=1, help="Of the belt, in mm/s; parts are 100 mm apart.")] = 400.0,
    fault: Annotated[
        list[str] | None, typer.Option(help="kind@part or kind@part:amount; may be given several times.")
    ] = None,
    bridge: Annotated[str, typer.Option(help="Where the bridge listens: host:port.")] = "127.0.0.1:5020",
    word_order: Annotated[str, typer.Option(help="As in the bridge's file: ABCD, CDAB, BADC or DCBA.")] = "ABCD",
    station: Annotated[
        Path, typer.Option(help="The station's file: its simulated camera says what is true of the parts.")
    ] = Path("calibration/stations/demo-line.toml"),
    output: Annotated[Path, typer.Option(help="Where the record is left.")] = Path("demo-output"),
) -> None:
    """Run parts of known truth past a running station and bridge, to a reject gate, with a simulated PLC.

    Faults: link-cut (s), missed-scans, double-trigger (mm), encoder-slip (mm), plc-restart (s). At the end stands what
    fell where, and why. Exit codes: 0 no bad part was accepted, 1 one was, 3 the bridge was not ready.
    """
    need_pymodbus()
    from lineside.bridges.modbus.register_map import WordOrder
    from lineside.commands.line_picture import run_and_show, show_summary
    from lineside.sim.faults import PlannedFault
    from lineside.sim.line import Line, LineSettings
    from lineside.sim.modbus_link import ModbusLink

    host, _, port = bridge.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"no bridge at {bridge!r}", expected="host:port")
    if word_order not in WordOrder.__members__:
        raise ConfigError(f"no word order {word_order!r}", expected=f"one of {', '.join(WordOrder.__members__)}")
    camera, really = simulated_camera_of(station, parts)
    assert camera.belt_file is not None
    belt = Line(
        LineSettings(speed_mm_s=speed),
        ModbusLink(host, int(port), order=WordOrder(word_order)),
        really=really,
        belt_file=camera.belt_file,
        faults=[PlannedFault.parse(text) for text in fault or ()],
    )
    console = Console()
    record = asyncio.run(run_and_show(belt, console))
    show_summary(console, record, output / datetime.now(UTC).strftime("line-%Y%m%d-%H%M%S"))
    raise typer.Exit(1 if record.escapes or not record.complete else 0)


def need_pymodbus() -> None:
    """Raises: ConfigError where it is not installed."""
    if importlib.util.find_spec("pymodbus") is None:
        raise ConfigError("the simulated PLC needs pymodbus", remedy="pip install 'lineside[modbus]'")


def simulated_camera_of(station: Path, parts: int) -> tuple[SimulatedConfig, list[str]]:
    """The station's simulated camera, and what is true of the first parts that it can see. Raises: ConfigError."""
    from lineside.assemble import read_files
    from lineside.cameras.simulated import SimulatedConfig, truth_of_part

    files, _ = read_files(station)
    configs = [config for config in files.camera_configs.values() if isinstance(config, SimulatedConfig)]
    if len(configs) != 1 or configs[0].belt_file is None:
        raise ConfigError(
            f"{station} has no simulated camera over a belt",
            expected='one camera with backend = "simulated" and a belt_file',
            remedy="begin with calibration/stations/demo-line.toml",
        )
    camera = configs[0].rooted(files.project)
    truths = [truth_of_part(camera, f"{camera.product}-{camera.index_from + index}") for index in range(parts)]
    return camera, ["good" if truth.good else ", ".join(each.class_name for each in truth.defects) for truth in truths]
