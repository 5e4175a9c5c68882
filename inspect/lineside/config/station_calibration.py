"""The measured calibration of a station: the files that its station file asks for, held against its cameras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from lineside.config.calibration_file import (
    CalibrationFile,
    age_warning,
    calibration_path,
    check_camera,
    flat_of,
    plane_of,
    read_calibration,
)
from lineside.config.calibration_tables import Kind
from lineside.config.toml_file import Problem, TomlFile
from lineside.core.calibration import Calibration, FlatMaps, Plane, Scale
from lineside.core.errors import ConfigError
from lineside.core.identity import Identity, sha256_of_value
from lineside.core.ports import CameraReport
from lineside.core.recipe import Recipe
from lineside.core.status import CalibrationStatus

__all__ = ["calibration_of", "calibration_status", "check_calibrated", "kept_calibration", "read_calibrations"]

Uses = Mapping[str, Sequence[Kind]]
"""Kinds of file by view, as `use` of the station file names them."""


def read_calibrations(
    project: Path, station_id: str, uses: Uses, cameras: Mapping[str, Mapping[str, Any]], file: TomlFile
) -> tuple[list[CalibrationFile], list[Problem]]:
    """The files that the station judges with, and what is wrong with them, at its line of the station file.

    A plane brings the lens that it was measured with. `cameras` are the raw tables of the station file.
    """
    read: list[CalibrationFile] = []
    problems: list[Problem] = []
    for view, kinds in uses.items():
        for kind in _with_lenses(kinds):
            at = ("calibrations", view, "use")
            try:
                found = _read(calibration_path(project, station_id, view, kind), station_id)
            except ConfigError as error:
                problems.append(file.problem(at, error.what, expected=error.expected, remedy=error.remedy))
                continue
            read.append(found)
            problems += _declared_otherwise(found, cameras.get(view, {}), file, view)
    return read, problems


def calibration_of(
    station_id: str, scales: Mapping[str, Scale], stated_scales: object, files: Sequence[CalibrationFile]
) -> Calibration:
    """All of it as one: its hash is over the scales as the station file states them, and over the files.

    Raises: ConfigError where a file does not hold what its kind does, or a plane was measured with another lens.
    """
    content: dict[str, object] = {"scales": stated_scales}
    if files:
        content["files"] = {file.identity.id: file.identity.sha256 for file in files}
    lenses = {file.table.view: file for file in files if file.table.kind == "lens"}
    planes: dict[str, Plane] = {}
    flats: dict[str, FlatMaps] = {}
    for file in files:
        view = file.table.view
        if file.table.kind == "plane":
            planes[view] = plane_of(file, lenses[view])
        elif file.table.kind == "flat":
            flats[view] = flat_of(file)
    return Calibration(
        identity=Identity(id=station_id, sha256=sha256_of_value(content)),
        scales=scales,
        planes=planes,
        flats=flats,
        serials={file.table.view: file.table.camera.serial for file in files},
        files=tuple(file.identity for file in files),
    )


def kept_calibration(project: Path, files: Sequence[Identity]) -> list[CalibrationFile]:
    """The files that a verdict names: as they are, or from `earlier/` where a newer revision took their place.

    Raises: ConfigError for one that is not kept any more.
    """
    return [_kept(project, wanted) for wanted in files]


def check_calibrated(files: Sequence[CalibrationFile], view: str, report: CameraReport) -> None:
    """Refuses a camera of that view which is not the one that was calibrated, as it was set. Raises: ConfigError."""
    for file in files:
        if file.table.view == view:
            check_camera(file, report)


def calibration_status(
    files: Sequence[CalibrationFile], recipe: Recipe, now_utc: datetime | None = None
) -> tuple[CalibrationStatus, ...]:
    """Each file as it is now, with a warning when it is older than the recipe allows."""
    now = datetime.now(UTC) if now_utc is None else now_utc
    return tuple(
        CalibrationStatus(
            file=file.identity,
            view=file.table.view,
            kind=file.table.kind,
            made_utc_ns=int(file.table.made_utc.timestamp()) * 1_000_000_000,
            warning=age_warning(file, now, _max_age(recipe, file.table.view)),
        )
        for file in files
    )


def _max_age(recipe: Recipe, view: str) -> timedelta:
    wanted = recipe.views.get(view)
    days = wanted.calibration_max_age_days if wanted else None
    return timedelta.max if days is None else timedelta(days=days)


def _with_lenses(kinds: Sequence[Kind]) -> Iterator[Kind]:
    for kind in kinds:
        if kind == "plane":
            yield "lens"
        yield kind


def _read(path: Path, station_id: str) -> CalibrationFile:
    if not path.exists():
        raise ConfigError(
            f"{path} is not there",
            expected=f"the {path.suffixes[-2][1:]} as it was measured",
            remedy=f"run `lineside calibrate {path.suffixes[-2][1:]}`, or do not use it",
        )
    file = read_calibration(path)
    if file.table.station != station_id:
        raise ConfigError(
            f"{path}: calibrated at station {file.table.station}",
            expected=f"a calibration of {station_id}",
            remedy="calibrate this station",
        )
    return file


def _declared_otherwise(
    found: CalibrationFile, camera: Mapping[str, Any], file: TomlFile, view: str
) -> Iterator[Problem]:
    """What the station file declares of the camera, where it does; the camera itself is asked when it is connected."""
    was = found.table.camera
    for key, calibrated in (
        ("serial", was.serial),
        ("size_px", list(was.size_px)),
        ("pixel_format", was.pixel_format),
    ):
        if camera.get(key, calibrated) != calibrated:
            yield file.problem(
                ("cameras", view, key),
                f"{found.path}: calibrated with {key} {calibrated}, the camera is declared with {camera[key]}",
                expected=f"a camera with {key} {calibrated}",
                remedy="calibrate this camera, or give it back its settings",
            )


def _kept(project: Path, wanted: Identity) -> CalibrationFile:
    station, _, name = wanted.id.partition("/")
    view, _, kind = name.partition(".")
    path = calibration_path(project, station, view, cast(Kind, kind))
    places = [path, path.parent / "earlier" / f"{path.stem}.r{wanted.revision}.toml"]
    for place in places:
        if place.exists() and (file := read_calibration(place)).identity == wanted:
            return file
    raise ConfigError(
        f"calibration {wanted.id} revision {wanted.revision} ({wanted.sha256[:12]}) is not kept",
        expected=f"it in {places[0]} or {places[1]}",
        remedy="take it from the backup or from version control",
    )
