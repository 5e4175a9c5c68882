"""`lineside bridge`: programs that stand between a station and a PLC."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import structlog
import typer

from lineside.core.errors import ConfigError

if TYPE_CHECKING:
    from lineside.bridges.modbus.bridge_file import ModbusBridgeFile

__all__ = ["bridge_app"]

bridge_app = typer.Typer(no_args_is_help=True)

_LOG_EVERY_S = 10.0


@bridge_app.callback()
def _bridges() -> None:
    """Stand between a running station and a PLC."""


@bridge_app.command()
def modbus(
    file: Annotated[Path | None, typer.Argument(help="The bridge's TOML file; see docs/plc.md.")] = None,
    print_map: Annotated[bool, typer.Option("--map", help="Print the register map and end.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="With --map: as CSV for PLC tools, not Markdown.")] = False,
    profile: Annotated[
        Literal["neutral", "minimal", "cognex"], typer.Option(help="With --map: which layout.")
    ] = "neutral",
) -> None:
    """Serve a station's verdicts to a PLC by Modbus TCP.

    It runs until SIGTERM or Ctrl-C. Exit codes: 0 ended in order, 2 something is not as declared, 3 it could not go on.
    """
    try:
        import pymodbus  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError("the Modbus bridge needs pymodbus", remedy="pip install 'lineside[modbus]'") from error
    from lineside.bridges.modbus.bridge_file import read_modbus_bridge
    from lineside.bridges.modbus.map_document import as_csv, as_markdown
    from lineside.bridges.modbus.profiles import PROFILES

    if print_map:
        registers = PROFILES[profile].map
        print(as_csv(registers) if csv else as_markdown(registers), end="")
        return
    if file is None:
        raise ConfigError("no bridge file given", expected="lineside bridge modbus FILE", remedy="see docs/plc.md")
    _log_json()
    declared = read_modbus_bridge(file)
    asyncio.run(_serve(declared))


async def _serve(declared: ModbusBridgeFile) -> None:
    from lineside.bridges.modbus.modbus_bridge import open_modbus_bridge

    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    async with open_modbus_bridge(declared) as bridge:
        health = f", health on port {bridge.health_port}" if bridge.health_port else ""
        print(f"bridge serves Modbus on port {bridge.port}{health}", file=sys.stderr, flush=True)
        stopping = asyncio.create_task(told_to_stop.wait())
        log = structlog.get_logger("bridge")
        try:
            while not stopping.done() and not bridge.side.failure.done():
                ends: set[asyncio.Future[Any]] = {stopping, bridge.side.failure}
                await asyncio.wait(ends, timeout=_LOG_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                log.info("bridge", trouble=bridge.trouble(), **bridge.metrics())
            if bridge.side.failure.done():
                bridge.side.failure.result()
        finally:
            stopping.cancel()


def _log_json() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
