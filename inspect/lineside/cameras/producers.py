"""GenTL producers (`.cti`) and the devices that they offer.

Vendor packages are imported when a device is looked for, never before; their exceptions stay in here.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineside.core.errors import CameraLost, ConfigError

__all__ = [
    "FoundDevice",
    "find_producers",
    "found_device",
    "list_devices",
    "searched_harvester",
    "vendor_errors",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundDevice:
    """One device that a producer offers."""

    producer: Path
    serial: str
    model: str
    vendor: str
    user_name: str
    free: bool
    """False when another program holds it."""
    simulated: bool
    """True for the cameras of the producer that the genicam wheel ships."""


def find_producers(names: Sequence[str]) -> list[Path]:
    """Producer files for names: a path, a bare file name that is looked for in the folders of GENICAM_GENTL64_PATH and
    in the genicam wheel (which ships the simulator `viky.cti`); nothing named is all files in those folders, the
    wheel's not among them. Raises: ConfigError.
    """
    folders = [Path(folder) for folder in os.environ.get("GENICAM_GENTL64_PATH", "").split(os.pathsep) if folder]
    if not names:
        files = [file for folder in folders for file in sorted(folder.glob("*.cti"))]
        if not files:
            raise ConfigError(
                "no GenTL producer is installed",
                expected="*.cti files in a folder that GENICAM_GENTL64_PATH names",
                remedy='install the camera vendor\'s one, or name it in producers; "viky.cti" is the simulator',
            )
        return files
    return [_find_producer(name, [*folders, _wheel_folder()]) for name in names]


def _find_producer(name: str, folders: Sequence[Path]) -> Path:
    candidates = [Path(name)] if Path(name).name != name else [folder / name for folder in folders]
    for file in candidates:
        if file.is_file():
            return file.resolve()
    raise ConfigError(
        f"there is no GenTL producer {name}",
        expected=f"one of {', '.join(map(str, candidates))}",
        remedy="correct producers, or install the camera vendor's producer",
    )


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec("genicam")
    if spec is None or spec.origin is None or importlib.util.find_spec("harvesters") is None:
        raise ConfigError(
            "GenICam cameras need the packages harvesters and genicam", remedy="pip install 'lineside[genicam]'"
        )
    return Path(spec.origin).parent


def list_devices(producers: Sequence[str] = ()) -> list[FoundDevice]:
    """Every device that the producers offer, in their order. Raises: ConfigError."""
    with vendor_errors("the producers cannot be asked"):
        harvester = searched_harvester(find_producers(producers))
        try:
            return [found_device(info) for info in harvester.device_info_list]
        finally:
            harvester.reset()


@contextlib.contextmanager
def vendor_errors(what: str, remedy: str = "see cable, power and network") -> Iterator[None]:
    """Turns the vendors' exceptions into CameraLost."""
    _wheel_folder()
    from genicam import genapi, gentl  # noqa: PLC0415 - optional packages

    try:
        yield
    except (genapi.GenericException, gentl.GenericException) as error:
        raise CameraLost(f"{what}: {error}", remedy=remedy) from error


def searched_harvester(producers: Sequence[Path]) -> Any:
    """A Harvester that has looked for the devices of these producers; reset it in the end. Raises: ConfigError."""
    from harvesters.core import Harvester  # noqa: PLC0415 - optional package

    harvester = Harvester(logger=logging.getLogger("harvesters"))
    for file in producers:
        try:
            ctypes.CDLL(str(file))
        except OSError as error:  # Harvesters would go on without it
            raise ConfigError(f"{file} is no GenTL producer for this machine: {error}") from error
        harvester.add_file(str(file))
    harvester.update()
    return harvester


def found_device(info: Any) -> FoundDevice:
    """What Harvesters knows of one device. Optional facts that the producer does not tell are empty."""

    def told(name: str) -> str:
        from genicam import gentl  # noqa: PLC0415 - optional package

        try:
            return str(getattr(info, name))
        except gentl.GenericException:  # fields of a device are optional
            return ""

    producer = Path(info.parent.parent.parent.path_name)
    return FoundDevice(
        producer=producer,
        serial=told("serial_number"),
        model=told("model"),
        vendor=told("vendor"),
        user_name=told("user_defined_name"),
        free=told("access_status") in ("", "0", "1"),  # unknown, read and write
        simulated=producer.parent == _wheel_folder().resolve(),
    )
