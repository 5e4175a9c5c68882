"""Reads and writes `calibration/<station>/<view>.<kind>.toml`: what one calibration found, and all that it rests on.

Large figures lie beside it in `<view>.<kind>.npz`, under the same hash. The files are measured, not written: one that
was changed by hand is refused. A new revision moves the one before to `earlier/`, so that every hash that a verdict
names can be looked up.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from lineside.config.calibration_tables import CalibrationTable, Kind
from lineside.config.camera_geometry import geometry_of
from lineside.config.table import ID_PATTERN, read_table
from lineside.config.toml_file import TomlFile, refuse
from lineside.core.calibration import LENS_FIGURES, PLANE_FIGURES, FlatMaps, Lens, Plane
from lineside.core.errors import ConfigError
from lineside.core.identity import Identity, sha256_of_file, sha256_of_value
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport

__all__ = [
    "CalibrationFile",
    "age_warning",
    "calibration_path",
    "check_camera",
    "flat_of",
    "lens_of",
    "next_revision",
    "plane_of",
    "read_calibration",
    "write_calibration",
]

Arrays = Mapping[str, NDArray[Any]]

_NOT_STATIONS = ("stations", "targets", "golden", "bridges")
"""Folders of `calibration/` that mean something else."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CalibrationFile:
    """A calibration that was read and whose hash holds. `identity.sha256` is over all of its content, arrays too."""

    path: Path
    identity: Identity
    table: CalibrationTable
    arrays: Arrays


def calibration_path(project: Path, station: str, view: str, kind: Kind) -> Path:
    """Where that calibration lies in a project. Raises: ConfigError for what can be no station or view."""
    for word, name in (("station", station), ("view", view)):
        if not re.fullmatch(ID_PATTERN, name) or (word == "station" and name in _NOT_STATIONS):
            raise ConfigError(
                f"{word} {name!r}",
                expected=f"lower-case letters, digits and hyphens, at most 64, not {', '.join(_NOT_STATIONS)}",
                remedy="name it as the station file does",
            )
    return project / "calibration" / station / f"{view}.{kind}.toml"


def next_revision(path: Path) -> int:
    """The revision that a new calibration at `path` gets. Raises: ConfigError when the one there is damaged."""
    return read_calibration(path).table.revision + 1 if path.exists() else 1


def read_calibration(path: Path) -> CalibrationFile:
    """Reads one file with its arrays, and checks its hash. Raises: ConfigError."""
    file = TomlFile(path)
    content = dict(file.value)
    stated = content.pop("sha256", "")
    table, problems = read_table(CalibrationTable, content, file)
    if table is None:
        raise refuse(problems)
    if path.name != f"{table.view}.{table.kind}.toml" and path.parent.name != "earlier":
        raise file.problem(
            ("view",), f"{table.id} in a file named {path.name}", expected=f"{table.view}.{table.kind}.toml"
        ).error()
    if (true := _sha256_of(table)) != stated:
        raise file.problem(
            ("sha256",),
            f"the content has the hash {true[:12]}…, the file states {str(stated)[:12]}…",
            expected="a calibration as it was measured",
            remedy="calibrate anew, or take the file from the backup: it is not made to be edited",
        ).error()
    identity = Identity(id=table.id, revision=table.revision, sha256=true)
    return CalibrationFile(path=path, identity=identity, table=table, arrays=_read_arrays(path, table))


def write_calibration(project: Path, table: CalibrationTable, arrays: Arrays) -> CalibrationFile:
    """Writes the next revision of a calibration, whole or not at all, and returns it as read back.

    The one that was there moves to `earlier/`. Raises: ConfigError, OSError.
    """
    path = calibration_path(project, table.station, table.view, table.kind)
    if table.revision != (revision := next_revision(path)):
        raise ConfigError(f"{table.id} as revision {table.revision}", expected=f"revision {revision}")
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = _pack(arrays) if arrays else b""
    partial = path.with_suffix(".npz.partial")
    partial.write_bytes(packed)
    table = table.model_copy(update={"arrays_sha256": sha256_of_file(partial) if packed else ""})
    document = _document(table) | {"sha256": _sha256_of(table)}
    if path.exists():
        _keep(path, revision - 1)
    if packed:
        partial.replace(path.with_suffix(".npz"))
    else:
        partial.unlink()
    text = f"# Measured, not written: a change by hand is refused. See docs/calibration.md.\n{tomli_w.dumps(document)}"
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return read_calibration(path)


def check_camera(file: CalibrationFile, report: CameraReport) -> None:
    """Refuses a calibration of another camera, size, pixel format, or part of the sensor. Raises: ConfigError."""
    was = file.table.camera
    for what, calibrated, now in (
        ("serial", was.serial, report.serial),
        ("size", "x".join(map(str, was.size_px)), f"{report.width_px}x{report.height_px}"),
        ("pixel format", was.pixel_format, report.pixel_format.value),
    ):
        if calibrated != now:
            raise ConfigError(
                f"{file.path}: calibrated with {what} {calibrated}, the camera has {now}",
                expected=f"a camera with {what} {calibrated}",
                remedy="calibrate this camera, or give it back its settings",
            )
    read = geometry_of(report)
    if was.geometry is not None and read != was.geometry:
        raise ConfigError(
            f"{file.path}: calibrated with {_told(was.geometry)}, the camera has {_told(read)}",
            expected="the same part of the sensor, read in the same way",
            remedy="calibrate this camera, or give it back its settings",
        )


def _told(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "no region, binning or mirroring set"


def age_warning(file: CalibrationFile, now_utc: datetime, max_age: timedelta) -> str:
    """One sentence when the calibration is older than allowed, or made in the future; else empty."""
    age = now_utc - file.table.made_utc
    if age < timedelta(0):
        return f"{file.table.id} was made {-age.days or 1} d in the future: check the clocks"
    if age > max_age:
        return f"{file.table.id} is {_days(age)} d old, {_days(max_age)} d are allowed: calibrate anew"
    return ""


def _days(span: timedelta) -> str:
    days = span / timedelta(days=1)
    return f"{days:.0f}" if days >= 10 else f"{days:.2g}"


def lens_of(file: CalibrationFile) -> Lens:
    """The lens that a calibration of kind "lens" found. Raises: ConfigError."""
    told = file.table.lens
    if told is None:
        raise ConfigError(f"{file.path} is of kind {file.table.kind}", expected='a calibration of kind "lens"')
    return Lens(
        size_px=file.table.camera.size_px,
        focal_px=told.focal_px,
        centre_px=told.centre_px,
        distortion=told.distortion,
        covariance=_covariance(file, len(LENS_FIGURES)),
    )


def plane_of(file: CalibrationFile, lens_file: CalibrationFile) -> Plane:
    """The plane that a calibration of kind "plane" found, with the lens that it was measured with.

    Raises: ConfigError, also when that is another lens calibration.
    """
    told = file.table.plane
    if told is None:
        raise ConfigError(f"{file.path} is of kind {file.table.kind}", expected='a calibration of kind "plane"')
    if told.lens_sha256 != lens_file.identity.sha256:
        raise ConfigError(
            f"{file.path}: measured with the lens calibration {told.lens_sha256[:12]}…, this one is "
            f"{lens_file.identity.sha256[:12]}… (revision {lens_file.identity.revision})",
            expected="the lens calibration that the plane was measured with",
            remedy="run `lineside calibrate plane` again",
        )
    return Plane(
        lens=lens_of(lens_file),
        rotation_rad=told.rotation_rad,
        translation_mm=told.translation_mm,
        height_mm=told.height_mm,
        covariance=_covariance(file, len(PLANE_FIGURES)),
    )


def flat_of(file: CalibrationFile) -> FlatMaps:
    """The maps that a calibration of kind "flat" measured. Raises: ConfigError."""
    if file.table.flat is None:
        raise ConfigError(f"{file.path} is of kind {file.table.kind}", expected='a calibration of kind "flat"')
    if missing := {"offset", "gain", "bad"} - file.arrays.keys():
        raise ConfigError(f"{file.path}: no array {', '.join(sorted(missing))}", remedy="calibrate anew")
    camera = file.table.camera
    maps = FlatMaps(
        pixel_format=PixelFormat(camera.pixel_format),
        offset=file.arrays["offset"],
        gain=file.arrays["gain"],
        bad=file.arrays["bad"].astype(np.bool_),
    )
    if maps.offset.shape[1::-1] != camera.size_px:
        raise ConfigError(
            f"{file.path}: maps of {maps.offset.shape[1]}x{maps.offset.shape[0]} px",
            expected=f"{camera.size_px[0]}x{camera.size_px[1]} px",
            remedy="calibrate anew",
        )
    return maps


def _covariance(file: CalibrationFile, size: int) -> NDArray[np.float64]:
    covariance = file.arrays.get("covariance")
    if covariance is None or covariance.shape != (size, size) or not np.isfinite(covariance).all():
        shape = None if covariance is None else covariance.shape
        raise ConfigError(f"{file.path}: covariance of shape {shape}", expected=f"finite ({size}, {size})")
    return covariance.astype(np.float64)


def _document(table: CalibrationTable) -> dict[str, Any]:
    document = table.model_dump(mode="python", exclude_none=True)
    return document | {"made_utc": table.made_utc.astimezone(UTC)}


def _sha256_of(table: CalibrationTable) -> str:
    content = table.model_dump(mode="json", exclude_none=True)
    return sha256_of_value(content | {"made_utc": table.made_utc.astimezone(UTC).isoformat()})


def _pack(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: arrays[name] for name in sorted(arrays)})  # type: ignore[arg-type]
    return buffer.getvalue()


def _read_arrays(path: Path, table: CalibrationTable) -> Arrays:
    if not table.arrays_sha256:
        return {}
    place = path.with_suffix(".npz")
    if not place.is_file() or sha256_of_file(place) != table.arrays_sha256:
        raise ConfigError(
            f"{place} is {'not what was measured' if place.is_file() else 'missing'}",
            expected=f"the arrays with the hash {table.arrays_sha256[:12]}…",
            remedy="calibrate anew, or take the file from the backup",
        )
    with np.load(place, allow_pickle=False) as arrays:
        return dict(arrays)


def _keep(path: Path, revision: int) -> None:
    earlier = path.parent / "earlier"
    earlier.mkdir(exist_ok=True)
    for each in (path.with_suffix(".npz"), path.with_suffix(".html"), path):
        if each.exists():
            each.replace(earlier / f"{path.stem}.r{revision}{each.suffix}")
