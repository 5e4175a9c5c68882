"""One process per folder of a run: a lock file that names its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from lineside.core.errors import ConfigError

__all__ = ["LOCK", "lock"]

LOCK: Final = ".lock"
"""Name of the file."""


def lock(folder: Path) -> int:
    """A descriptor that holds the folder's lock until it is closed, or its process ends however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(
            f"{error.filename} cannot be made: {error.strerror}", expected="a folder that this user may write"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "another"
        os.close(descriptor)
        raise ConfigError(
            f"process {holder} works in {folder}", expected="one run per folder", remedy="wait for it, or stop it"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
