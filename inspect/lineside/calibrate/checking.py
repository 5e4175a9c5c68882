"""One check from end to end: a view's picture and the project's files to a record, and a page about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from lineside.calibrate.check import Checked, check_part, check_target
from lineside.calibrate.detection import grey_of
from lineside.calibrate.report import check_page
from lineside.calibrate.target import Target, read_target
from lineside.config.calibration_check import CheckRecord, CheckTable, checks_folder, kinds_of, write_check
from lineside.config.calibration_file import (
    CalibrationFile,
    calibration_path,
    check_camera,
    plane_of,
    read_calibration,
)
from lineside.core.errors import ConfigError, FrameError, StationFault
from lineside.core.frame import MissedFrame, Pixels, check_pixels
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport
from lineside.supervise.calibration_checks import CheckArgument, CheckedView
from lineside.supervise.frame_pool import SlotMemory
from lineside.supervise.inspector_worker import Decode, frame_of

__all__ = ["CheckOrder", "DoneCheck", "camera_of_view", "check_captures", "check_view"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOrder:
    """What to check, and who asked. `report` is the camera that took the picture; None for a file.

    `own_settings` is False where limits or what the picture shows are not those of the station file.
    """

    project: Path
    station: str
    view: str
    limits: CheckTable
    folder: Path
    made_utc: datetime
    made_by: str
    report: CameraReport | None = None
    own_settings: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class DoneCheck:
    """The record, and where it and its page lie; `page` is None where jinja2 is not installed."""

    record: CheckRecord
    path: Path
    page: Path | None


def check_view(order: CheckOrder, pixels: Pixels) -> DoneCheck:
    """Checks, and writes the record and its page. Raises: ConfigError when there is nothing to check against."""
    files = _files(order)
    first = files[kinds_of(order.limits)[-1]]
    camera = first.table.camera
    pixel_format = PixelFormat(camera.pixel_format)
    if order.report is not None:
        for file in files.values():
            check_camera(file, order.report)
    _check_size(pixels, camera.size_px, pixel_format, first)
    if order.limits.shows == "target":
        checked = check_target(pixels, files["plane"], files["lens"], _target(order, files["plane"]), order.limits)
    else:
        plane = plane_of(files["plane"], files["lens"]) if "plane" in files else None
        checked = check_part(pixels, files["light"], order.limits, plane)
    record = _record(order, pixels, checked, files)
    path = write_check(order.folder, record)
    if find_spec("jinja2") is None:  # a station needs no pages to check itself
        return DoneCheck(record=record, path=path, page=None)
    page = path.with_suffix(".html")
    page.write_text(check_page(record, grey_of(pixels, pixel_format), checked.points_px), encoding="utf-8")
    return DoneCheck(record=record, path=path, page=page)


def check_captures(
    argument: CheckArgument, memories: Mapping[str, SlotMemory], decode: Decode
) -> tuple[CheckedView, ...]:
    """Checks the views that were asked for, from shared memory. Raises: ConfigError, FrameError, StationFault."""
    plan = argument.plan
    checked = []
    for view in argument.views:
        look = argument.captures.get(view)
        if look is None or isinstance(look, MissedFrame):
            why = "no frame came" if look is None else look.detail or look.reason.sentence
            raise StationFault(f"view {view}: {why}", expected="a picture to check", remedy="see `lineside status`")
        order = CheckOrder(
            project=plan.project,
            station=plan.station_id,
            view=view,
            limits=plan.table,
            folder=checks_folder(plan.data_dir),
            made_utc=argument.made_utc,
            made_by=argument.made_by,
            report=argument.reports.get(view),
        )
        try:
            done = check_view(order, frame_of(look, memories, decode).pixels)
        except OSError as error:
            raise StationFault(f"the check of view {view} cannot be recorded: {error}") from error
        checked.append(
            CheckedView(
                passed=done.record.passed, summary=done.record.summary, record=done.path.read_text(encoding="utf-8")
            )
        )
    return tuple(checked)


def camera_of_view(order: CheckOrder) -> tuple[PixelFormat, tuple[int, int]]:
    """Pixel format and size of the pictures that can be checked. Raises: ConfigError."""
    camera = _files(order)[kinds_of(order.limits)[-1]].table.camera
    return PixelFormat(camera.pixel_format), camera.size_px


def _files(order: CheckOrder) -> dict[str, CalibrationFile]:
    """The calibrations that the check needs, and plane and lens for mm where they are there. Raises: ConfigError."""
    files = {}
    for kind in ("lens", "plane", "light"):
        if order.limits.shows == "target" and kind == "light":
            continue
        path = calibration_path(order.project, order.station, order.view, kind)
        if path.exists():
            files[kind] = read_calibration(path)
    if missing := [kind for kind in kinds_of(order.limits) if kind not in files]:
        other = "the target's lens and plane" if order.limits.shows == "target" else "the light of good parts"
        raise ConfigError(
            f"view {order.view} of {order.station} has no calibration of kind {' and '.join(missing)}",
            expected=f"{other}, to check against",
            remedy=f"run `lineside calibrate {missing[-1]}`, or set what the picture shows: "
            'shows = "target" or "part" in [calibration_check]',
        )
    if not {"lens", "plane"} <= files.keys():
        files.pop("plane", None)  # no use without its lens
    return files


def _target(order: CheckOrder, plane: CalibrationFile) -> Target:
    if order.limits.target:
        return read_target(order.project / order.limits.target)
    used = plane.table.target
    if used is None:
        raise ConfigError(f"{plane.path} names no target", remedy="calibrate the plane anew")
    return read_target(order.project / "calibration" / "targets" / f"{used.id}.toml")


def _check_size(pixels: Pixels, size_px: tuple[int, int], pixel_format: PixelFormat, file: CalibrationFile) -> None:
    try:
        check_pixels(pixels, pixel_format)
    except FrameError as error:
        raise ConfigError(error.what, expected=f"{pixel_format}, as {file.path.name} was made with") from error
    if pixels.shape[1::-1] != size_px:
        raise ConfigError(
            f"picture of {pixels.shape[1]} x {pixels.shape[0]} px",
            expected=f"{size_px[0]} x {size_px[1]} px, as {file.path.name} was made with",
            remedy="take it with the same camera and setting",
        )


def _record(order: CheckOrder, pixels: Pixels, checked: Checked, files: dict[str, CalibrationFile]) -> CheckRecord:
    return CheckRecord(
        station=order.station,
        view=order.view,
        shows=order.limits.shows,
        made_utc=order.made_utc,
        made_by=order.made_by,
        camera_serial=order.report.serial if order.report else "",
        picture_sha256=hashlib.sha256(pixels.tobytes()).hexdigest(),
        counts=order.report is not None and order.own_settings,
        calibrations={kind: file.identity.sha256 for kind, file in files.items()},
        passed=all(item.passed for item in checked.items),
        items=checked.items,
    )
