"""Files to objects: the only module that names concrete classes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from lineside.config.recipe_file import read_recipe
from lineside.config.station_file import StationFile, read_station
from lineside.core.calibration import Calibration
from lineside.core.clock import SystemClock
from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import Camera
from lineside.core.recipe import Recipe
from lineside.supervise.calibration_checks import CheckArgument
from lineside.supervise.camera_worker import run_asked_camera, run_pacing_camera
from lineside.supervise.frame_pool import PoolKey, SlotMemory
from lineside.supervise.giving_way import giving_way
from lineside.supervise.link import Link

if TYPE_CHECKING:
    from lineside.inspector import Inspector

__all__ = [
    "CAMERAS",
    "ArchiverArgument",
    "CameraArgument",
    "InspectorArgument",
    "archiver_process",
    "calibration_check_process",
    "camera_config_classes",
    "camera_process",
    "inspector_process",
    "open_camera",
    "open_inspector",
    "read_files",
]

_CHECK_MS = 60_000
"""Looking for a target in a picture of 20 megapixels takes seconds, in a hundred tens of them."""

CAMERAS = {
    "simulated": "lineside.cameras.simulated:SimulatedConfig:SimulatedCamera",
    "folder": "lineside.cameras.folder:FolderConfig:FolderCamera",
    "opencv": "lineside.cameras.opencv:OpencvConfig:OpencvCamera",
    "genicam": "lineside.cameras.genicam:GenicamConfig:GenicamCamera",
}
"""Backend name: "module:config class:camera class". Packages add theirs as entry points of group `lineside.cameras`."""


def _camera_places() -> Mapping[str, str]:
    return {**{point.name: point.value for point in entry_points(group="lineside.cameras")}, **CAMERAS}


def _camera_class(backend: str, which: int) -> Any:
    places = _camera_places()
    if backend not in places:
        raise ConfigError(f"no camera backend {backend!r}", expected=f"one of {', '.join(sorted(places))}")
    module, *names = places[backend].split(":")
    return getattr(importlib.import_module(module), names[which])


class _ConfigClasses(Mapping[str, type[BaseModel]]):
    """Config classes by backend; a backend's module is imported only when a file names it."""

    def __getitem__(self, backend: str) -> type[BaseModel]:
        if backend not in _camera_places():
            raise KeyError(backend)
        found: type[BaseModel] = _camera_class(backend, 0)
        return found

    def __iter__(self) -> Any:
        return iter(_camera_places())

    def __len__(self) -> int:
        return len(_camera_places())


def camera_config_classes() -> Mapping[str, type[BaseModel]]:
    """The config class of every known camera backend, by its name."""
    return _ConfigClasses()


def read_files(station_path: Path, recipe_id: str = "") -> tuple[StationFile, Recipe]:
    """The station file and its recipe (or another one of the project). Raises: ConfigError with every problem."""
    station = read_station(station_path, camera_config_classes=camera_config_classes())
    recipe = read_recipe(station.recipe_path_of(recipe_id) if recipe_id else station.recipe_path)
    if set(recipe.views) != set(station.cameras):
        raise ConfigError(
            f"{station.path}: cameras for views {', '.join(sorted(station.cameras))}",
            expected=f"a camera for each view of recipe {recipe.identity.id}: {', '.join(sorted(recipe.views))}",
            remedy="name each [cameras.<view>] as the recipe names its views",
        )
    return station, recipe


def open_inspector(
    recipe: Recipe,
    calibration: Calibration,
    packages: Mapping[str, Path],
    *,
    providers: tuple[str, ...],
    intra_op_threads: int,
) -> Inspector:
    """Loads, verifies and warms the packages (a folder for each view) and makes the inspector over them. Blocks.

    Who judges uses this, live or over an archive, in a process that it has to itself: OpenCV gets one thread.
    Raises: ConfigError when recipe, packages and scales do not fit, PackageError, ProviderError.
    """
    from lineside.detectors.onnx_detector import OnnxDetector, open_detector
    from lineside.detectors.package import load_package
    from lineside.inspector import Inspector

    _one_opencv_thread()
    opened: dict[Path, OnnxDetector] = {}
    for folder in packages.values():  # views that share a package share its session
        if folder not in opened:
            opened[folder] = open_detector(load_package(folder), providers=providers, intra_op_threads=intra_op_threads)
    return Inspector(recipe, calibration, {view: opened[folder] for view, folder in packages.items()})


def open_camera(station: StationFile, view: str) -> Camera:
    """One of a station's cameras, to be used in this process while the station is not running; not yet connected.

    Raises: ConfigError when the view has none.
    """
    if view not in station.camera_configs:
        raise ConfigError(
            f"{station.path}: no camera for view {view!r}", expected=f"one of {', '.join(station.camera_configs)}"
        )
    return _camera(str(station.cameras[view]["backend"]), view, station.camera_configs[view], station.project)


def _camera(backend: str, view: str, config: BaseModel, project: Path) -> Camera:
    rooted = config.rooted(project) if hasattr(config, "rooted") else config
    camera: Camera = _camera_class(backend, 1)(view, rooted)
    return camera


# What runs in the child processes. Each takes the link to the station and an argument that was pickled.


@dataclass(frozen=True, kw_only=True)
class CameraArgument:
    """What a camera process needs."""

    view: str
    config: BaseModel
    backend: str
    project: Path
    pool: PoolKey
    paces: bool


def camera_process(link: Link, argument: CameraArgument) -> None:
    """Runs one camera until the station says stop."""
    _one_opencv_thread()
    camera = _camera(argument.backend, argument.view, argument.config, argument.project)
    run = run_pacing_camera if argument.paces else run_asked_camera
    run(link, camera, SlotMemory(argument.pool))


@dataclass(frozen=True, kw_only=True)
class InspectorArgument:
    """What an inspector process needs."""

    recipe: Recipe
    calibration: Calibration
    packages: Mapping[str, Path]
    """Package folder by view."""
    providers: tuple[str, ...]
    intra_op_threads: int
    keep_warm_ms: int
    hang_ms: int
    pools: Mapping[str, PoolKey]


def inspector_process(link: Link, argument: InspectorArgument) -> None:
    """Loads, verifies and warms the models, then judges until the station says stop."""
    from lineside.supervise.inspector_worker import run_inspector

    def opened() -> Inspector:
        return open_inspector(
            argument.recipe,
            argument.calibration,
            argument.packages,
            providers=argument.providers,
            intra_op_threads=argument.intra_op_threads,
        )

    # Others may be judging meanwhile. A session with threads of its own is opened as it is: they would stay slow.
    alone = argument.intra_op_threads == 1 and argument.providers == ("cpu",)
    inspector = giving_way(opened) if alone else opened()
    detectors = tuple(dict.fromkeys(inspector.detectors.values()))

    def keep_warm() -> None:
        for detector in detectors:
            detector.keep_warm()

    run_inspector(
        link,
        inspector,
        {name: SlotMemory(key) for name, key in argument.pools.items()},
        _decode,
        provider=inspector.provider,
        models=inspector.models,
        keep_warm=keep_warm,
        keep_warm_ms=argument.keep_warm_ms,
        hang_ms=argument.hang_ms,
    )


@dataclass(frozen=True, kw_only=True)
class ArchiverArgument:
    """What the archiver process needs."""

    folder: Path
    max_bytes: int
    min_free_bytes: int
    pools: Mapping[str, PoolKey]


def archiver_process(link: Link, argument: ArchiverArgument) -> None:
    """Stores images until the station says stop."""
    from lineside.journal.archive import ImageArchive
    from lineside.journal.ladder import ArchiveLimits
    from lineside.supervise.archive_worker import run_archiver

    _one_opencv_thread()
    limits = ArchiveLimits(max_bytes=argument.max_bytes, min_free_bytes=argument.min_free_bytes)
    archive = ImageArchive(argument.folder, limits=limits, clock=SystemClock())
    memories = {name: SlotMemory(key) for name, key in argument.pools.items()}
    run_archiver(link, archive, memories, _decode)


def calibration_check_process(link: Link, argument: CheckArgument) -> None:
    """Checks one picture of each view against its calibration, writes records and pages, and ends."""
    from lineside.calibrate.checking import check_captures
    from lineside.supervise.messages import Beat, Done, ErrandUp

    link.send_waiting(ErrandUp())
    link.send_waiting(Beat(quiet_ms=_CHECK_MS))
    _one_opencv_thread()
    memories = {name: SlotMemory(key) for name, key in argument.pools.items()}
    link.send_waiting(Done(value=giving_way(lambda: check_captures(argument, memories, _decode))))
    link.receive(timeout_s=_CHECK_MS / 1000)  # Stop


def _one_opencv_thread() -> None:
    # Each process has its own part of the work; OpenCV's own threads would take the cores from the others.
    import cv2

    cv2.setNumThreads(1)


def _decode(data: Pixels, pixel_format: PixelFormat, size_px: tuple[int, int]) -> Pixels:
    from lineside.imaging.picture_file import decode_picture

    return decode_picture(data, pixel_format, size_px=size_px)
