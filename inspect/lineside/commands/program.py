"""A `lineside` command that another one has started, in a process of its own: it ends when its parent does."""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lineside.core.errors import StationFault

__all__ = ["Program"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_STOP_S = 20.0


class Program:
    """One command with its log. `check` and `stop` are for the parent; a parent that is killed needs neither."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        self._name = name
        # This module runs the command: see the end.
        self._command = [sys.executable, "-m", "lineside.commands.program", str(os.getpid()), *arguments]
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Called on the main thread, which lives as long as the parent: the kernel ends a child with its thread."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        """As if it had crashed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def check(self) -> None:
        """Raises: StationFault when it has ended by itself."""
        if self._process is not None and self.ended:
            raise StationFault(
                f"the {self._name} ended with code {self._process.returncode}:\n{self.last_words()}",
                remedy=f"see {self.log}",
            )

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """In order; by force when that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _end_in_order_with(parent_pid: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:  # it was gone before the kernel was told
        sys.exit(0)


if __name__ == "__main__":
    _end_in_order_with(int(sys.argv.pop(1)))
    runpy.run_module("lineside", run_name="__main__")
