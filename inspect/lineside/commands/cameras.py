"""`lineside cameras`: which GenICam cameras are there."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lineside.cameras.producers import list_devices

__all__ = ["cameras"]


def cameras(
    producer: Annotated[
        list[str] | None,
        typer.Option(help='A GenTL producer: a path, or a file name to look for, such as "viky.cti", the simulator.'),
    ] = None,
) -> None:
    """List the GenICam cameras that the GenTL producers of this machine find.

    Without --producer, those in the folders of GENICAM_GENTL64_PATH.
    """
    table = Table("serial", "model", "vendor", "name", "free", "producer")
    for device in list_devices(producer or ()):
        free = "yes" if device.free else "no"
        table.add_row(device.serial, device.model, device.vendor, device.user_name, free, device.producer.name)
    console = Console()
    if table.row_count:
        console.print(table)
    else:
        console.print("No camera found: see cable, power and network, and that no other program holds it.")
