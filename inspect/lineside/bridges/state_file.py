"""What a bridge must not forget when it is killed: the answers it owes the PLC, the parts it could not record."""

from __future__ import annotations

import asyncio
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lineside.core.errors import ConfigError, StationFault

__all__ = ["BridgeState", "MissedPart", "OwedPart", "StateFile"]

MAX_MISSED = 1000
"""Parts that could not be recorded are kept up to here: days of a dead station are counted, not named."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class OwedPart(_Stored):
    """A part whose trigger was acknowledged, or was about to be, and whose result the PLC has not acknowledged."""

    acquisition_id: int
    part_id: int
    encoder_count: int | None


class MissedPart(_Stored):
    """A part that came while nothing could inspect it, and that the station has not yet recorded as NOT_INSPECTED."""

    request_id: str
    name: str
    encoder_count: int | None


class BridgeState(_Stored):
    """The whole file."""

    format: int = 1
    last_acquisition_id: int = 0
    reader_begun: bool = False
    """Whether the station keeps a cursor for this bridge: a new bridge begins with now, not with all of history."""
    owed: tuple[OwedPart, ...] = ()
    missed: tuple[MissedPart, ...] = ()
    missed_beyond: int = 0
    """How many missed parts could not even be kept here."""


@dataclass(slots=True)
class _Version:
    wanted: int = 0
    written: int = 0
    slot: int = 0
    """Where `written` stands."""


@dataclass(slots=True)
class StateFile:
    """Two slots, written in turn, each with its checksum: a write that is cut off spoils one, the other is whole.

    One sync of a file that never grows: a third of the time of a new file renamed over the old one (3 and 9 ms at p50,
    measured on a busy disk), and it stands between the trigger and its acknowledge. Used on one event loop; the disk is
    waited for in a thread. Writes that come while one is under way are one write.
    """

    path: Path
    state: BridgeState = field(init=False)
    _version: _Version = field(init=False, default_factory=_Version)
    _writing: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Reads the file, or makes it. Raises: ConfigError when it is damaged, of another format, or cannot be made."""
        try:
            if not self.path.exists():
                _make(self.path)
            content = self.path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be used ({error.strerror})", remedy="correct state_file") from error
        slots = (_slot(content[:_SLOT_BYTES]), _slot(content[_SLOT_BYTES:]))
        try:
            number, text, place = max((*slot, place) for place, slot in enumerate(slots) if slot is not None)
            self.state = BridgeState.model_validate_json(text)
        except ValueError as error:
            raise ConfigError(
                f"{self.path}: not the state of a bridge",
                expected="what a bridge of this version has written",
                remedy="move it away: parts under way are then forgotten, and the PLC must be restarted too",
            ) from error
        self._version = _Version(wanted=number, written=number, slot=place)

    async def write(self, **changes: object) -> None:
        """Makes the changes, and returns when they are on disk. Raises: StationFault when they cannot be."""
        self.state = self.state.model_copy(update=changes)
        self._version.wanted += 1
        mine = self._version.wanted
        async with self._writing:
            if self._version.written >= mine:
                return  # the write before took ours along
            number, text = self._version.wanted, self.state.model_dump_json().encode()
            slot = 1 - self._version.slot  # never the one that is whole, also when a write has failed in between
            try:
                await asyncio.to_thread(_write_slot, self.path, number, text, slot)
            except OSError as error:
                raise StationFault(f"{self.path}: cannot be written ({error.strerror})") from error
            self._version.written, self._version.slot = number, slot


_SLOT_BYTES = 1024 * 1024
_HEAD = struct.Struct(">8sQII")
_MAGIC = b"bridge-1"


def _make(path: Path) -> None:
    """An empty state, whole or not there at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(bytes(2 * _SLOT_BYTES))
    _write_slot(beside, 0, BridgeState().model_dump_json().encode(), 0)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_slot(path: Path, number: int, text: bytes, slot: int) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        head = _HEAD.pack(_MAGIC, number, len(text), _checksum(number, text))
        os.pwrite(descriptor, head + text, slot * _SLOT_BYTES)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _slot(content: bytes) -> tuple[int, bytes] | None:
    """Number and text of a slot that is whole."""
    if len(content) < _HEAD.size:
        return None
    magic, number, length, checksum = _HEAD.unpack_from(content)
    text = content[_HEAD.size : _HEAD.size + length]
    is_whole = magic == _MAGIC and len(text) == length and checksum == _checksum(number, text)
    return (number, text) if is_whole else None


def _checksum(number: int, text: bytes) -> int:
    return zlib.crc32(text, zlib.crc32(number.to_bytes(8, "big")))
