"""Reads the file of a Modbus bridge. Every key is explained in docs/plc.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from lineside.bridges.handshake import HandshakeOptions
from lineside.bridges.modbus.profiles import ProfileName
from lineside.bridges.modbus.register_map import WordOrder
from lineside.bridges.numbering import Numbering
from lineside.bridges.station_side import StationSideOptions
from lineside.config.table import Id, Table, read_table
from lineside.config.toml_file import TomlFile, refuse

__all__ = ["ModbusBridgeFile", "TimesTable", "read_modbus_bridge"]


def _host_and_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 0xFFFF:
        raise ValueError(f'"{text}" is no address; expected host:port')
    return text


def _order(value: object) -> object:
    return WordOrder(value) if value in [order.value for order in WordOrder] else value


def _numbered(recipes: dict[str, str]) -> dict[str, str]:
    for number in recipes:
        if not re.fullmatch("[1-9][0-9]{0,4}", number) or int(number) > 0xFFFF:
            raise ValueError(f'recipe number "{number}"; expected 1 to 65535')
    return recipes


Address = Annotated[str, AfterValidator(_host_and_port)]


class TimesTable(Table):
    """`[times]`."""

    ack_timeout_ms: int = Field(default=2000, ge=10)
    """How long the PLC may take to acknowledge a result before WARNING is shown."""
    plc_silent_ms: int = Field(default=1500, ge=30)
    """How long the PLC's heartbeat may stand still; three of its periods."""
    heartbeat_ms: int = Field(default=100, ge=10)
    """How often our heartbeat counts up."""
    answer_timeout_ms: int = Field(default=5000, ge=10)
    """How long a verdict is waited for where the PLC gives no deadline."""
    accept_timeout_ms: int = Field(default=1000, ge=10)
    """How long the station may take to accept a trigger, and to answer any question."""


class _File(Table):
    station: str
    """The station's address: "host:port" or "unix:PATH"."""
    reader: Id = "modbus"
    """This bridge's name at the station; no other bridge may have it."""
    listen: Address = "0.0.0.0:502"
    """Where the PLC finds us; port 0 lets the system choose."""
    unit_id: int = Field(default=1, ge=1, le=247)
    """The Modbus unit that answers; 0 and 255 always do."""
    triggered_by: Literal["plc", "station"] = "plc"
    """Who triggers the station: the PLC through us, or the station's own camera or takt."""
    profile: ProfileName = "neutral"
    """How registers are laid out."""
    word_order: Annotated[WordOrder, BeforeValidator(_order)] = WordOrder.ABCD
    """How 32-bit values lie in two registers."""
    state_file: str
    """What must survive a restart; a path relative to this file."""
    health: Address | None = None
    """Where /health and /metrics are served by HTTP; nowhere if absent."""
    max_connections: int = Field(default=8, ge=1, le=64)
    """Modbus connections at the same time."""
    writers: tuple[str, ...] = Field(default=(), strict=False)
    """IP addresses that may write; empty: all."""
    defect_classes: tuple[str, ...] = Field(default=(), strict=False)
    """Classes of defects, numbered from 1 in this order."""
    recipes: Annotated[dict[str, str], AfterValidator(_numbered)] = Field(default_factory=dict)
    """`[recipes]`: the number that the PLC uses = the recipe's id."""
    times: TimesTable = TimesTable()


@dataclass(frozen=True, kw_only=True, slots=True)
class ModbusBridgeFile:
    """One bridge as declared."""

    station: StationSideOptions
    handshake: HandshakeOptions
    numbering: Numbering
    host: str
    port: int
    unit_id: int
    profile: ProfileName
    word_order: WordOrder
    state_file: Path
    health: str | None
    max_connections: int
    writers: tuple[str, ...]


def read_modbus_bridge(path: Path) -> ModbusBridgeFile:
    """The file at `path`. Raises: ConfigError with all that is wrong in it."""
    file = TomlFile(path)
    table, problems = read_table(_File, file.value, file)
    if table is None:
        raise refuse(problems)
    host, _, port = table.listen.rpartition(":")
    times = table.times
    return ModbusBridgeFile(
        station=StationSideOptions(
            station=table.station, reader=table.reader, accept_timeout_s=times.accept_timeout_ms / 1000
        ),
        handshake=HandshakeOptions(
            ack_timeout_ns=times.ack_timeout_ms * 1_000_000,
            plc_silent_ns=times.plc_silent_ms * 1_000_000,
            heartbeat_ns=times.heartbeat_ms * 1_000_000,
            answer_timeout_ns=times.answer_timeout_ms * 1_000_000,
            exposure_stays=table.profile == "cognex",
            plc_triggers=table.triggered_by == "plc",
        ),
        numbering=Numbering(
            recipes={int(number): recipe_id for number, recipe_id in table.recipes.items()},
            defect_classes=table.defect_classes,
        ),
        host=host.strip("[]"),
        port=int(port),
        unit_id=table.unit_id,
        profile=table.profile,
        word_order=table.word_order,
        state_file=path.parent / table.state_file,
        health=table.health,
        max_connections=table.max_connections,
        writers=table.writers,
    )
