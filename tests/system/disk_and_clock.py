"""A disk that is slow or takes no writes, and a wall clock that steps, for a station that runs as a real process."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["DiskAndClock", "disk_and_clock", "small_disk"]

_SOURCE = Path(__file__).with_name("disk_and_clock.c")


class DiskAndClock:
    """What the preloaded library reads, while the station runs. Everything is well until it is told otherwise."""

    def __init__(self, folder: Path) -> None:
        self._control = folder / "faults.control"
        self._library = folder / "disk_and_clock.so"
        self._numbers = [0, 0, 0]
        self._write()
        command = ["gcc", "-shared", "-fPIC", "-O1", "-w", "-o", str(self._library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """For the station's process."""
        return {"LD_PRELOAD": str(self._library), "FAULTS_CONTROL": str(self._control)}

    def slow(self, fsync_ms: int) -> None:
        """Each flush to the disk takes so long from now on."""
        self._set(0, fsync_ms)

    def refuse_writes(self, error: int) -> None:
        """Each write to the journal fails with this error number; 0: no longer."""
        self._set(1, error)

    def step_clock(self, ahead_s: float) -> None:
        """The wall clock is ahead of the true time by so much (behind where negative)."""
        self._set(2, round(ahead_s * 1e9))

    def _set(self, which: int, number: int) -> None:
        self._numbers[which] = number
        self._write()

    def _write(self) -> None:
        # In place: the file is mapped.
        descriptor = os.open(self._control, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(descriptor, struct.pack("3q", *self._numbers), 0)
        os.close(descriptor)


@contextmanager
def disk_and_clock(folder: Path) -> Iterator[DiskAndClock]:
    """Stations that are started inside have such a disk and clock. Skips the test where there is no C compiler."""
    if shutil.which("gcc") is None:
        pytest.skip("a library must be compiled, and this machine has no gcc")
    faults = DiskAndClock(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in faults.environment.items():
            patch.setenv(name, value)
        yield faults


@contextmanager
def small_disk(folder: Path, *, size_mb: int) -> Iterator[Path]:
    """A file system of its own of that size, mounted at `folder`. Skips the test where it may not be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "lineside-test", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this machine does not let us mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
