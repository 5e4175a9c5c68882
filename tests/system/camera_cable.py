"""GenICam cameras whose cables can be pulled: the simulator's producer behind one of our own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lineside.cameras.producers import find_producers

__all__ = ["Cables", "cables"]

_SOURCE = Path(__file__).with_name("camera_cable.c")
_DEVICES = {"0": "VikyTL_DEV_red", "1": "VikyTL_DEV_green", "2": "VikyTL_DEV_blue"}
"""The simulator's device ids by serial number."""


class Cables:
    """The cables of the cameras that `producer` offers; all are plugged in at first."""

    def __init__(self, folder: Path) -> None:
        self.producer = folder / "cable.cti"
        self._pulled = folder / "pulled"
        self._pulled.mkdir()
        command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(self.producer), str(_SOURCE)]
        subprocess.run([*command, "-ldl", "-lpthread"], check=True)

    def pull(self, serial: str) -> None:
        """From now on that camera is gone."""
        (self._pulled / _DEVICES[serial]).touch()

    def plug_in(self, serial: str) -> None:
        """It is back."""
        (self._pulled / _DEVICES[serial]).unlink()

    @property
    def environment(self) -> dict[str, str]:
        """For the station's process."""
        (simulator,) = find_producers(["viky.cti"])
        return {"CABLE_PRODUCER": str(simulator), "CABLE_FOLDER": str(self._pulled)}


@contextmanager
def cables(folder: Path) -> Iterator[Cables]:
    """Stations that are started inside can use such a producer. Skips the test where there is no C compiler."""
    if shutil.which("gcc") is None:
        pytest.skip("a library must be compiled, and this machine has no gcc")
    made = Cables(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        yield made
