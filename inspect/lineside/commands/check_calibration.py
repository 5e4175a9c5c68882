"""`lineside check-calibration`: one picture of the target or of a golden part, held against what was calibrated."""

from __future__ import annotations

import asyncio
import json as json_text
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from lineside.commands.pause import ByOption
from lineside.commands.station_option import JsonOption, by_default, output
from lineside.core.errors import ConfigError, FrameError, StationFault

if TYPE_CHECKING:
    from lineside.calibrate.checking import CheckOrder, DoneCheck
    from lineside.config.calibration_check import CheckRecord
    from lineside.config.station_file import StationFile

__all__ = ["check_calibration"]

_THERE_S = 1.0
_FRAME_MS = 5000


def check_calibration(
    station: Annotated[Path, typer.Argument(help="Station file, calibration/stations/<id>.toml.")],
    picture: Annotated[
        Path | None, typer.Option(help="File with the picture, instead of the camera's; needs --view with several.")
    ] = None,
    view: Annotated[str, typer.Option(help="Only this view; left out, all of the station.")] = "",
    shows: Annotated[
        str, typer.Option(help='What the picture shows, "target" or "part"; left out, as the station file says.')
    ] = "",
    anywhere: Annotated[
        bool,
        typer.Option("--anywhere", help="The target lies elsewhere than when calibrated: its place is told only."),
    ] = False,
    address: Annotated[
        str, typer.Option(help="Address of the running station, where it is not the one in the file.")
    ] = "",
    by: ByOption = "",
    json: JsonOption = False,
) -> None:
    """Say what has changed since the calibration: scale, place, focus and light, each with its limit and what to do.

    Show the target where it lay when the plane was calibrated, or a golden part. A running station that is paused or
    not Ready takes the picture itself; else the camera is opened here. The record and a page about it are kept in the
    station's data_dir. Exit codes: 0 all within limits, 1 something is not, or the station is judging parts, 2 nothing
    to check against, 3 no picture.
    """
    from lineside.assemble import camera_config_classes
    from lineside.config.station_file import read_station

    if shows not in ("", "target", "part"):
        raise ConfigError(f'--shows "{shows}"', expected='"target" or "part"')
    files = read_station(station, camera_config_classes=camera_config_classes(), calibrated=False)
    where = "" if picture else next(filter(_answers, [address] if address else _addresses_of(files)), "")
    if where and (shows or anywhere):
        raise ConfigError(
            f"the station runs at {where}, and checks as its file says",
            expected="neither --shows nor --anywhere",
            remedy="set them in [calibration_check] of the station file, stop the station, or give --picture FILE",
        )
    records = asyncio.run(_asked(where, files.station_id, view, by or by_default())) if where else None
    if records is not None:
        _tell(records, [], json=json)
    else:
        done = [_checked(files, each, picture, shows, by, anywhere=anywhere) for each in _views(files, view, picture)]
        records = [each.record for each in done]
        _tell(records, done, json=json)
    if not all(record.passed for record in records):
        raise typer.Exit(1)


def _views(files: StationFile, view: str, picture: Path | None) -> list[str]:
    known = list(files.cameras)
    if view and view not in known:
        raise ConfigError(f"{files.path}: no view {view!r}", expected=f"one of {', '.join(known)}")
    if picture and not view and len(known) > 1:
        raise ConfigError("--picture without --view", expected=f"one of {', '.join(known)}")
    return [view] if view else known


def _order(files: StationFile, view: str, shows: str, by: str, *, anywhere: bool) -> CheckOrder:
    from lineside.calibrate.checking import CheckOrder
    from lineside.config.calibration_check import checks_folder

    changed: dict[str, object] = {"shows": shows} if shows else {}
    if anywhere:
        changed["same_place"] = False
    return CheckOrder(
        project=files.project,
        station=files.station_id,
        view=view,
        limits=files.calibration_check.model_copy(update=changed),
        folder=checks_folder(files.data_dir),
        made_utc=datetime.now(UTC),
        made_by=by or by_default(),
        own_settings=not changed,
    )


def _checked(files: StationFile, view: str, picture: Path | None, shows: str, by: str, *, anywhere: bool) -> DoneCheck:
    from dataclasses import replace

    from lineside.assemble import open_camera
    from lineside.calibrate.checking import camera_of_view, check_view
    from lineside.commands.calibrate_words import read_pixels
    from lineside.core.frame import Frame
    from lineside.core.ports import EndOfSource

    order = _order(files, view, shows, by, anywhere=anywhere)
    pixel_format, size_px = camera_of_view(order)
    if picture:
        return check_view(order, read_pixels(picture, pixel_format, size_px))
    device = open_camera(files, view)
    try:
        report = device.connect()
        frame = device.capture(1, _FRAME_MS)
        if not isinstance(frame, Frame):
            raise StationFault(f"view {view}: {frame.detail or frame.reason.sentence}", remedy="see camera and cable")
        return check_view(replace(order, report=report), frame.check().pixels.copy())
    except EndOfSource as end:
        raise StationFault(f"view {view}: its camera has no picture", expected="a picture to check") from end
    except FrameError as error:
        raise StationFault(f"view {view}: {error}", remedy="see camera and cable") from error
    finally:
        device.close()


def _addresses_of(files: StationFile) -> list[str]:
    """Where the station is, if it runs: as its file says, all addresses being this machine's own too."""
    addresses = [f"unix:{files.unix_path}"] if files.unix_path is not None else []
    at = files.serve.tcp_address
    if at is not None and at[1] != 0:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(at[0], at[0])
        addresses.append(f"[{host}]:{at[1]}" if ":" in host else f"{host}:{at[1]}")
    return addresses


def _answers(address: str) -> bool:
    """Whether anybody listens there."""
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as end:
                end.settimeout(_THERE_S)
                end.connect(address.removeprefix("unix:").removeprefix("//"))
        else:
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), _THERE_S).close()
    except (OSError, ValueError):
        return False
    return True


async def _asked(address: str, station_id: str, view: str, by: str) -> list[CheckRecord] | None:
    """What the running station says; None where another station runs there."""
    from lineside.client import StationClient
    from lineside.config.calibration_check import CheckRecord

    async with StationClient(address) as client:
        if (await client.status()).station_id != station_id:
            return None
        answer = await client.check_calibration(requested_by=by, view=view)
    records = []
    for text in answer.check_records:
        content = json_text.loads(text)
        content.pop("sha256", None)
        records.append(CheckRecord.model_validate_json(json_text.dumps(content)))
    return records


def _tell(records: list[CheckRecord], done: list[DoneCheck], *, json: bool) -> None:
    if json:
        for record in records:
            typer.echo(record.model_dump_json())
        return
    console = output()
    for record in records:
        table = Table(title=f"{record.view}: {'passed' if record.passed else 'NOT PASSED'}", title_justify="left")
        for column in ("", "change", "limit", "", "in words"):
            table.add_column(column, overflow="fold")
        for item in record.items:
            table.add_row(item.name, *item.told, item.words)
        console.print(table, markup=False)
        for item in record.items:
            if not item.passed:
                console.print(f"to do, {item.name}: {item.todo}", markup=False)
    for each in done:
        console.print(f"    record  {each.path}", markup=False)
        console.print(f"      page  {each.page or 'none: jinja2 is not installed'}", markup=False)
