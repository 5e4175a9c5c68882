"""One station per journal: a lock file that names its holder."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from lineside.core.errors import ConfigError

__all__ = ["JournalLock", "holder_of"]

_FLOCK = struct.Struct("hhqqi")
"""struct flock on 64-bit Linux: type, whence, start, length, process id."""


def holder_of(journal_path: Path) -> int:
    """The process that has this journal open for writing; 0 for none. Takes no lock, so that no start is disturbed."""
    path = _lock_path(journal_path)
    if path in JournalLock._held:
        return os.getpid()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, holder = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return 0 if kind == fcntl.F_UNLCK else int(holder)


def _lock_path(journal_path: Path) -> Path:
    return journal_path.absolute().with_name(journal_path.name + ".lock")


class JournalLock:
    """Held from opening to closing; the system releases it when the process dies, however it dies.

    A POSIX record lock, because child processes do not inherit one: a camera process that outlives a killed station
    does not keep the next station out. Such locks do not keep a process from itself, hence `_held`.
    """

    _held: set[Path] = set()  # noqa: RUF012 - of this process, on purpose

    def __init__(self, journal_path: Path) -> None:
        """Takes the lock of that journal. Raises: ConfigError with the holder's process id."""
        self._path = _lock_path(journal_path)
        if self._path in self._held:
            raise self._taken(os.getpid())
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigError(
                f"the journal's lock {self._path} cannot be opened: {error.strerror}",
                expected="a folder that this user may write",
                remedy="correct data_dir in the station file or its permissions",
            ) from error
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise self._taken(holder) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        self._held.add(self._path)

    def release(self) -> None:
        """Gives the lock back; may be called twice. The file stays: removing it would open a race."""
        if self._path in self._held:
            self._held.discard(self._path)
            os.close(self._descriptor)

    def _taken(self, holder: int | str) -> ConfigError:
        return ConfigError(
            f"the journal in {self._path.parent} is in use by process {holder}",
            expected="one station per journal",
            remedy="stop that station, or give this one another data_dir",
        )
