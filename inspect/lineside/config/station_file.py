"""Reads `calibration/stations/<id>.toml`: one place that judges. Every key is explained in docs/stations.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, Strict, WithJsonSchema, model_validator

from lineside.config.address import checked_address, split_address
from lineside.config.calibration_check import CheckTable
from lineside.config.calibration_file import CalibrationFile
from lineside.config.station_calibration import calibration_of, read_calibrations
from lineside.config.table import ID_PATTERN, PACKAGE_ID_PATTERN, Id, Table, contradiction, read_table
from lineside.config.toml_file import Problem, TomlFile, refuse
from lineside.core.calibration import Calibration, Scale
from lineside.core.errors import ConfigError, InvalidRequest
from lineside.core.identity import Identity, sha256_of_value

__all__ = [
    "ArchiveTable",
    "InspectorTable",
    "ScaleTable",
    "ServeTable",
    "StationFile",
    "StationTable",
    "TriggerTable",
    "read_station",
]

MAX_SOCKET_PATH_BYTES = 107
"""`sun_path` holds 108 bytes with the closing zero: unix(7)."""

GIB = 1024**3

PROVIDERS = ("cpu", "cuda", "tensorrt", "openvino")
Provider = Literal["cpu", "cuda", "tensorrt", "openvino"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _no_repeats(providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
    if len(set(providers)) != len(providers):
        raise contradiction(
            f"providers {', '.join(providers)} name one twice",
            expected="each provider once, in order of preference",
            remedy="remove the second",
        )
    return providers


class TriggerTable(Table):
    """Who says that a part is there, and how many may be under way."""

    source: Literal["camera", "software", "takt"]
    """Who triggers: "camera" (each of its frames is one), "software" (a gRPC client), "takt" (the station's clock)."""
    takt_ms: Annotated[float, Field(ge=1, le=3_600_000)] | None = None
    """Time from one trigger to the next in ms; for source "takt" only."""
    count: Annotated[int, Field(ge=0)] = 0
    """Number of triggers after which the station ends by itself; 0 means never."""
    max_in_flight: Annotated[int, Field(ge=1, le=1024)] = 16
    """Largest number of parts under way at once; one more is NOT_INSPECTED(QUEUE_FULL)."""
    join_ms: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Longest time in ms from a part's first view to its last, for source "camera"; known part ids must agree."""
    decision_margin_ms: Annotated[int, Field(ge=0, le=10_000)] = 20
    """How long before the due time a part is closed at the latest, so that the line hears it in time, in ms."""

    @model_validator(mode="after")
    def _takt_exactly_when_needed(self) -> Self:
        if (self.source == "takt") != (self.takt_ms is not None):
            raise contradiction(
                f'takt_ms is {"missing" if self.takt_ms is None else "set"} with source "{self.source}"',
                expected='takt_ms with source "takt", and only there',
                remedy="add takt_ms" if self.takt_ms is None else "remove takt_ms, or change the source",
            )
        return self


class InspectorTable(Table):
    """The processes that judge."""

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of inspector processes."""
    provider: Annotated[
        tuple[Provider, ...],
        Strict(False),
        Field(min_length=1),
        BeforeValidator(_as_list),
        AfterValidator(_no_repeats),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "enum": list(PROVIDERS)},
                    {"type": "array", "items": {"type": "string", "enum": list(PROVIDERS)}, "minItems": 1},
                ]
            }
        ),
    ] = ("cpu",)
    """What runs the models: cpu, cuda, tensorrt or openvino; a list says in order what may be fallen back to."""
    hang_ms: Annotated[int, Field(ge=100, le=600_000)] = 5000
    """Silence of an inspector process after which it is killed and replaced, in ms."""
    keep_warm_ms: Annotated[int, Field(ge=0, le=600_000)] = 1000
    """Idle time after which a model is run on a blank frame to stay warm, in ms; 0 means never."""
    intra_op_threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads that one model run may use."""
    released_only: bool = False
    """Whether only packages that are released (lineside models release) may judge here."""


class ServeTable(Table):
    """Where bridges and people reach the station by gRPC."""

    tcp: Annotated[str, AfterValidator(checked_address)] = "127.0.0.1:50051"
    """TCP address "host:port"; port 0 means any free one, "" means no TCP."""
    unix: str = ""
    """Path of a unix socket, relative to the project; "" means none."""
    max_message_bytes: Annotated[int, Field(ge=64 * 1024, le=2**31 - 1)] = 64 * 1024 * 1024
    """Largest message that is taken or sent, in bytes."""
    max_readers: Annotated[int, Field(ge=1, le=4096)] = 64
    """Largest number of readers of the verdict stream at once."""

    @property
    def tcp_address(self) -> tuple[str, int] | None:
        """Host and port; None without TCP."""
        return split_address(self.tcp)

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not self.tcp and not self.unix:
            raise contradiction(
                "neither tcp nor unix is set: nobody could hear a verdict",
                expected="at least one address",
                remedy='set tcp = "127.0.0.1:50051" or unix = "var/station.sock"',
            )
        return self


class ArchiveTable(Table):
    """How much room the images may take."""

    max_bytes: Annotated[int, Field(ge=0, le=2**60)] = 50 * GIB
    """Room for images in bytes; beyond it the oldest passes go first, rejects last."""
    min_free_bytes: Annotated[int, Field(ge=0, le=2**60)] = 2 * GIB
    """Free disk space that the images never take, in bytes: it belongs to the verdicts."""


class ScaleTable(Table):
    """How large a pixel is on the part's plane."""

    mm_per_px: Annotated[float, Field(gt=0, le=1000)]
    """Millimetres per pixel."""
    mm_per_px_uncertainty: Annotated[float, Field(ge=0, le=1000)]
    """Standard uncertainty of that figure, in mm per px; 0 is a claim that it is exact."""

    @model_validator(mode="after")
    def _known_at_all(self) -> Self:
        if self.mm_per_px_uncertainty >= self.mm_per_px:
            raise contradiction(
                f"mm_per_px_uncertainty {self.mm_per_px_uncertainty:g} is not below mm_per_px {self.mm_per_px:g}",
                expected="the standard uncertainty in mm per px, a small part of the scale",
                remedy="measure the scale again, or correct the unit (a percentage?)",
            )
        return self


class CalibrationsTable(Table):
    """Which measured calibration a view is judged with; the files lie in calibration/<station_id>/."""

    use: Annotated[tuple[Literal["plane", "flat"], ...], Strict(False), Field(min_length=1)]
    """Files to use: "plane" (sizes in mm, with its lens), "flat" (pixels corrected before the model looks)."""


class StationTable(Table):
    """A station file: one place on a line that judges."""

    line_id: Id
    """Id of the line."""
    station_id: Id
    """Id of the station on the line: the file's own name without .toml."""
    recipe: Id
    """Recipe that it starts with: a file in models/recipes/."""
    data_dir: Annotated[str, Field(min_length=1)] = "var/station"
    """Folder for journal and images, relative to the project."""
    trigger: TriggerTable
    """Who says that a part is there."""
    inspector: InspectorTable = InspectorTable()
    """How many processes judge, and what runs their models."""
    serve: ServeTable = ServeTable()
    """Where the station is reached."""
    archive: ArchiveTable = ArchiveTable()
    """Room for images."""
    cameras: Annotated[dict[Id, dict[str, Any]], Field(min_length=1)]
    """One camera for each view of the recipe: `backend`, and that backend's own keys (docs/cameras.md)."""
    scales: dict[Id, ScaleTable] = Field(default_factory=dict)
    """Size of a pixel for each view that is measured in mm, where no plane is calibrated."""
    calibrations: dict[Id, CalibrationsTable] = Field(default_factory=dict)
    """Measured calibration for each view that has one."""
    calibration_check: CheckTable = CheckTable()
    """The daily check of the calibration: whether it is required, and its limits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StationFile:
    """A station file that was read and checked, with its paths resolved.

    `project` is the folder that holds `calibration/` and `models/`; relative paths in the file start there, wherever
    the command is run. `cameras` are the raw tables; `camera_configs` the same as the adapters' config classes.
    `calibration_files` are the measured files that `calibration` holds.
    """

    path: Path
    project: Path
    identity: Identity
    calibration: Calibration
    line_id: str
    station_id: str
    recipe_id: str
    data_dir: Path
    unix_path: Path | None
    trigger: TriggerTable
    inspector: InspectorTable
    serve: ServeTable
    archive: ArchiveTable
    calibration_check: CheckTable
    cameras: Mapping[str, Mapping[str, Any]]
    camera_configs: Mapping[str, BaseModel] = field(default_factory=dict)
    calibration_files: Sequence[CalibrationFile] = ()

    @property
    def recipe_path(self) -> Path:
        """The file of the recipe that the station starts with."""
        return self.recipe_path_of(self.recipe_id)

    def recipe_path_of(self, recipe_id: str) -> Path:
        """The file of any recipe of the project. Raises: InvalidRequest for what is no recipe id."""
        if not re.fullmatch(ID_PATTERN, recipe_id):
            raise InvalidRequest(
                f"recipe id {recipe_id!r}",
                expected="lower-case letters, digits and hyphens, at most 64",
                remedy="name a recipe of the project: a file in models/recipes/ without .toml",
            )
        return self.project / "models" / "recipes" / f"{recipe_id}.toml"

    def package_folder(self, package_id: str) -> Path:
        """The folder of a model package of the project. Raises: InvalidRequest for what is no package id."""
        if not re.fullmatch(PACKAGE_ID_PATTERN, package_id):
            raise InvalidRequest(
                f"package id {package_id!r}",
                expected="letters, digits, dots, hyphens and underscores, the first a letter or digit, at most 100",
                remedy="name a package of the project: a folder in models/",
            )
        return self.project / "models" / package_id


def read_station(
    path: Path, *, camera_config_classes: Mapping[str, type[BaseModel]] | None = None, calibrated: bool = True
) -> StationFile:
    """Reads and checks one station file; with `camera_config_classes` (by backend) its cameras' own keys too.

    Not `calibrated`: without its measured calibration, for who is about to measure it.

    Raises: ConfigError that names every problem with its line.
    """
    file = TomlFile(path)
    table, problems = read_table(StationTable, file.value, file)
    raw_cameras = file.value.get("cameras")
    configs = _read_cameras(raw_cameras if isinstance(raw_cameras, dict) else {}, file, camera_config_classes, problems)
    if table is None:
        raise refuse(problems)
    project = _project_of(path)
    unix_path = project / table.serve.unix if table.serve.unix else None
    problems += _contradictions(table, unix_path, file)
    uses = {view: wanted.use for view, wanted in table.calibrations.items()} if calibrated else {}
    measured, wrong = read_calibrations(project, table.station_id, uses, table.cameras, file)
    if problems or wrong:
        raise refuse(problems + wrong)
    content = table.model_dump(mode="json", exclude_defaults=True)
    scales = {view: Scale(**scale.model_dump()) for view, scale in table.scales.items()}
    return StationFile(
        path=path,
        project=project,
        identity=Identity(id=table.station_id, sha256=sha256_of_value(content)),
        calibration=calibration_of(table.station_id, scales, content.get("scales", {}), measured),
        calibration_files=tuple(measured),
        line_id=table.line_id,
        station_id=table.station_id,
        recipe_id=table.recipe,
        data_dir=project / table.data_dir,
        unix_path=unix_path,
        trigger=table.trigger,
        inspector=table.inspector,
        serve=table.serve,
        archive=table.archive,
        calibration_check=table.calibration_check,
        cameras=table.cameras,
        camera_configs=configs,
    )


def _project_of(path: Path) -> Path:
    for folder in path.resolve().parents:
        if folder.name == "calibration":
            return folder.parent
    raise ConfigError(
        f"{path}: lies in no project",
        expected="a station file below <project>/calibration/, beside <project>/models/",
        remedy="move it to calibration/stations/",
    )


def _read_cameras(
    cameras: Mapping[str, Any],
    file: TomlFile,
    classes: Mapping[str, type[BaseModel]] | None,
    problems: list[Problem],
) -> dict[str, BaseModel]:
    configs: dict[str, BaseModel] = {}
    for view, camera in cameras.items():
        if not isinstance(camera, dict):
            continue  # told already
        at = ("cameras", view)
        backend = camera.get("backend")
        known = ", ".join(sorted(classes)) if classes else "the name of a camera backend"
        if not isinstance(backend, str) or (classes is not None and backend not in classes):
            what = f"has no backend {backend!r}" if "backend" in camera else "names no backend"
            problems.append(
                file.problem((*at, "backend"), f"camera {view} {what}", expected=f"one of {known}", remedy="correct it")
            )
        elif classes is not None:
            config, wrong = read_table(classes[backend], camera, file, at)
            problems += wrong
            if config is not None:
                configs[view] = config
    return configs


def _contradictions(table: StationTable, unix_path: Path | None, file: TomlFile) -> Iterator[Problem]:
    if table.station_id != file.path.stem:
        yield file.problem(
            ("station_id",),
            f'station_id is "{table.station_id}" in a file named {file.path.name}',
            expected=f'"{file.path.stem}"',
            remedy="rename the file or the station",
        )
    if unix_path and (length := len(str(unix_path).encode())) > MAX_SOCKET_PATH_BYTES:
        yield file.problem(
            ("serve", "unix"),
            f"unix socket path {unix_path} has {length} bytes",
            expected=f"at most {MAX_SOCKET_PATH_BYTES}",
            remedy="choose a shorter path, such as /run/lineside/station.sock",
        )
    for key, what, views in (
        ("scales", "a scale", table.scales.keys()),
        ("calibrations", "calibrations", table.calibrations.keys()),
    ):
        for view in views - table.cameras.keys():
            yield file.problem(
                (key, view),
                f'{what} for view "{view}", which has no camera',
                expected=f"one of {', '.join(table.cameras)}",
                remedy="correct the view's name, or add its camera",
            )
    for view, calibrations in table.calibrations.items():
        if "plane" in calibrations.use and view in table.scales:
            yield file.problem(
                ("scales", view),
                f'view "{view}" has both a scale and a calibrated plane',
                expected="one of them: they would be two answers to how large a pixel is",
                remedy="remove the scale",
            )
