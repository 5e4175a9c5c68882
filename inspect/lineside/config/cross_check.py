"""What no file can tell alone: whether station, recipe, packages and this machine go together."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from lineside.config.calibration_check import kinds_of
from lineside.config.calibration_file import calibration_path
from lineside.config.limit_check import limit_problems
from lineside.config.station_file import StationFile
from lineside.config.toml_file import Problem, TomlFile, refuse
from lineside.core.errors import ConfigError
from lineside.core.fit import misfits
from lineside.core.identity import Identity
from lineside.core.recipe import Recipe
from lineside.detectors.declaration import DeclaredPackage, read_declaration
from lineside.detectors.release import release_of

__all__ = ["check_machine", "check_recipe", "check_released", "check_together"]


def check_recipe(station: StationFile, recipe: Recipe) -> None:
    """Refuses a recipe that does not go with the station or with the packages that it names.

    Blocks on the disk, where it reads each package's manifest and nothing larger: what is in the package's other files
    is verified by whoever loads it. Raises: PackageError for a manifest that is not as packed, ConfigError with every
    problem.
    """
    folders = {view: station.package_folder(wanted.package) for view, wanted in recipe.views.items()}
    packages = {view: read_declaration(folder) for view, folder in folders.items()}
    if problems := check_together(recipe, station, packages):
        raise refuse(problems)


def check_released(station: StationFile, recipe: Recipe, models: Iterable[Identity]) -> None:
    """Refuses models that are not released, where the station asks for that. Blocks on the disk.

    `models` are those that inspectors have loaded: the folder may hold another revision than a moment before.
    Raises: ConfigError.
    """
    if station.inspector.released_only:
        for identity in models:
            release_of(station.package_folder(identity.id).parent, identity, recipe.identity)


def check_together(recipe: Recipe, station: StationFile, packages: Mapping[str, DeclaredPackage]) -> list[Problem]:
    """Every contradiction between the files, at its line in the file that is to be changed.

    `packages` are by view; a view whose package could not be loaded is left out there: whoever loaded it has told why.
    """
    station_file, recipe_file = TomlFile(station.path), TomlFile(station.recipe_path_of(recipe.identity.id))
    problems = [
        recipe_file.problem(key, error.what, expected=error.expected, remedy=error.remedy)
        for key, error in misfits(recipe, station.calibration, packages)
        if not any(key == ("views", view) and view not in packages for view in recipe.views)
    ]
    problems += _camera_problems(recipe, station, station_file)
    problems += _trigger_problems(station, station_file)
    problems += _locate_problems(recipe, packages, recipe_file)
    problems += _release_problems(recipe, station, packages, station_file)
    problems += _check_problems(station, station_file)
    problems += limit_problems(recipe, station.calibration, packages, recipe_file)
    if recipe.due_ms <= station.trigger.decision_margin_ms:
        problems.append(
            recipe_file.problem(
                ("due_ms",),
                f"due_ms {recipe.due_ms} leaves no time to inspect",
                expected=f"more than decision_margin_ms {station.trigger.decision_margin_ms} of {station.path}",
                remedy="raise due_ms, or lower decision_margin_ms",
            )
        )
    return problems


def _locate_problems(recipe: Recipe, packages: Mapping[str, DeclaredPackage], file: TomlFile) -> Iterator[Problem]:
    for name, package in packages.items():
        wanted, locates = recipe.views[name].locate, package.manifest.input.locate is not None
        if wanted is not None and wanted != locates:
            yield file.problem(
                ("views", name, "locate"),
                f"locate = {str(wanted).lower()}, and the package {package.identity.id} "
                f"{'finds the part first' if locates else 'looks at the whole frame'}",
                expected="the step with which the model was trained",
                remedy="correct locate, or train the package so: lineside train with or without --locate",
            )


def _check_problems(station: StationFile, file: TomlFile) -> Iterator[Problem]:
    """A check that is required, and that has nothing to check against: the station would never be Ready."""
    if not station.calibration_check.required:
        return
    for view in station.cameras:
        for kind in kinds_of(station.calibration_check):
            path = calibration_path(station.project, station.station_id, view, kind)
            if not path.exists():
                yield file.problem(
                    ("calibration_check", "required"),
                    f"required = true, and there is no {path}",
                    expected=f'a {kind} for each view to check against, where the picture shows = "'
                    f'{station.calibration_check.shows}"',
                    remedy=f"run `lineside calibrate {kind}`, set another `shows`, or do not require it",
                )


def _release_problems(
    recipe: Recipe, station: StationFile, packages: Mapping[str, DeclaredPackage], file: TomlFile
) -> Iterator[Problem]:
    for identity in dict.fromkeys(package.identity for package in packages.values()):
        try:
            check_released(station, recipe, [identity])
        except ConfigError as error:
            yield file.problem(
                ("inspector", "released_only"),
                f"released_only = true, and {error.what}",
                expected=error.expected,
                remedy=error.remedy,
            )


def _camera_problems(recipe: Recipe, station: StationFile, file: TomlFile) -> Iterator[Problem]:
    for view in recipe.views.keys() - station.cameras.keys():
        yield file.problem(
            ("cameras",),
            f"no camera for view {view}",
            expected=f"a camera for each view of recipe {recipe.identity.id}: {', '.join(sorted(recipe.views))}",
            remedy=f"add [cameras.{view}]",
        )
    for view in station.cameras.keys() - recipe.views.keys():
        yield file.problem(
            ("cameras", view),
            f"camera {view} is for no view of recipe {recipe.identity.id}",
            expected=f"one of {', '.join(sorted(recipe.views))}",
            remedy="rename it, or remove it",
        )
    for name, wanted in recipe.views.items():
        config = station.camera_configs.get(name)
        declared_format, declared_size = getattr(config, "pixel_format", None), getattr(config, "size_px", None)
        if declared_format not in (None, wanted.pixel_format):
            yield file.problem(
                ("cameras", name, "pixel_format"),
                f"camera {name} hands out {declared_format}",
                expected=f"{wanted.pixel_format}, as recipe {recipe.identity.id} declares",
                remedy="correct the one that is wrong",
            )
        if declared_size not in (None, (wanted.width_px, wanted.height_px)):
            yield file.problem(
                ("cameras", name, "size_px"),
                f"camera {name} hands out {list(declared_size)} px",
                expected=f"{[wanted.width_px, wanted.height_px]} px, as recipe {recipe.identity.id} declares",
                remedy="correct the one that is wrong",
            )


def _trigger_problems(station: StationFile, file: TomlFile) -> Iterator[Problem]:
    source, join_ms = station.trigger.source, station.trigger.join_ms
    for view, config in station.camera_configs.items():
        if source == "camera" and not getattr(config, "sets_pace", True):
            yield file.problem(
                ("cameras", view, "trigger"),
                f'camera {view} waits for a command, and [trigger] source = "camera" waits for its frames',
                expected="a camera whose frames come by themselves",
                remedy="let a signal or its own clock trigger the camera, or let the station: another source",
            )
        if source != "camera" and not getattr(config, "takes_commands", True):
            yield file.problem(
                ("cameras", view, "trigger"),
                f'camera {view} waits for a signal, and [trigger] source = "{source}" for frames on command',
                expected="a camera that exposes on command",
                remedy='correct the camera\'s trigger, or let it trigger the station: source = "camera"',
            )
        takt_ms = getattr(config, "takt_ms", 0)  # 0 waits for its reader: no frame overtakes another view's
        if source == "camera" and len(station.camera_configs) > 1 and 0 < takt_ms <= join_ms:
            yield file.problem(
                ("cameras", view, "takt_ms"),
                f"camera {view} shows a part every {takt_ms:g} ms, and views join for {join_ms} ms",
                expected="a join_ms shorter than the takt: else a view may join another part",
                remedy="lower [trigger] join_ms, or raise takt_ms",
            )


def check_machine(station: StationFile) -> list[Problem]:
    """What this machine has against the station: disk and addresses. Nothing is left behind."""
    file = TomlFile(station.path)
    return [*_disk_problems(station, file), *_address_problems(station, file)]


def _disk_problems(station: StationFile, file: TomlFile) -> Iterator[Problem]:
    folder = _nearest_existing(station.data_dir)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        yield file.problem(
            ("data_dir",),
            f"{station.data_dir} cannot be written: {folder} is not a folder that this user may write to",
            expected="a folder that may be made and written",
            remedy="give this user the folder, or choose another",
        )
        return
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes <= station.archive.min_free_bytes:
        yield file.problem(
            ("archive", "min_free_bytes"),
            f"{free_bytes:_} bytes are free below {folder}",
            expected=f"more than min_free_bytes {station.archive.min_free_bytes:_}, else no image is kept",
            remedy="free some space, or choose another data_dir",
        )


def _address_problems(station: StationFile, file: TomlFile) -> Iterator[Problem]:
    if (address := station.serve.tcp_address) is not None:
        host, port = address
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with closing(socket.socket(family, kind, protocol)) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            yield file.problem(
                ("serve", "tcp"),
                f"{station.serve.tcp} cannot be listened on ({error.strerror})",
                expected="a free address of this machine",
                remedy="stop what listens there (this station, already running?), or choose another",
            )
    if station.unix_path is not None:
        folder = station.unix_path.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            yield file.problem(
                ("serve", "unix"),
                f"{folder} is not a folder that this user may write to",
                expected="an existing folder for the socket",
                remedy="make the folder, or choose another",
            )


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
