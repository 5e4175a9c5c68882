"""What a bridge must not forget when it is killed: the answers it owes the PLC, the parts it could not record."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

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


@dataclass(slots=True)
class StateFile:
    """Written whole, to a file beside it that is then renamed over it: a reader finds the old state or the new one.

    Used on one event loop; the disk is waited for in a thread. Writes that come while one is under way are one write.
    """

    path: Path
    state: BridgeState = field(init=False)
    _version: _Version = field(init=False, default_factory=_Version)
    _writing: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Reads the file, where there is one. Raises: ConfigError when it is damaged or of another format."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = self.path.read_bytes()
        except FileNotFoundError:
            self.state = BridgeState()
            return
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read ({error.strerror})", remedy="correct state_file") from error
        try:
            self.state = BridgeState.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(
                f"{self.path}: not the state of a bridge: {error.error_count()} problems",
                expected="what a bridge of this version has written",
                remedy="move it away: parts under way are then forgotten, and the PLC must be restarted too",
            ) from error

    async def write(self, **changes: object) -> None:
        """Makes the changes, and returns when they are on disk. Raises: StationFault when they cannot be."""
        self.state = self.state.model_copy(update=changes)
        self._version.wanted += 1
        mine = self._version.wanted
        async with self._writing:
            if self._version.written >= mine:
                return  # the write before took ours along
            newest = self._version.wanted
            content = self.state.model_dump_json().encode()
            try:
                await asyncio.to_thread(_replace_durably, self.path, content)
            except OSError as error:
                raise StationFault(f"{self.path}: cannot be written ({error.strerror})") from error
            self._version.written = newest


def _replace_durably(path: Path, content: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        os.write(descriptor, content)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
