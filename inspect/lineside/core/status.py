"""How the station is, for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lineside.core.identity import Identity
from lineside.core.record import StationEvent

__all__ = [
    "ArchiveStatus",
    "CalibrationStatus",
    "CameraStatus",
    "Counters",
    "InspectorStatus",
    "ReaderStatus",
    "StationStatus",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counters:
    """`triggers = passed + failed + not_inspected + in_flight`, at all times, since the journal was begun.

    `late` counts answers that came after their part's verdict, and verdicts that became durable after the due time.
    """

    triggers: int = 0
    passed: int = 0
    failed: int = 0
    not_inspected: int = 0
    in_flight: int = 0
    late: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraStatus:
    """One camera as its process last reported.

    `triggers_ignored` is what the device itself counts, None where it does not; `triggers_unexplained` by how much its
    counters and the looks that the station had disagreed, all times together.
    """

    view: str
    backend: str
    serial: str = ""
    model: str = ""
    connected: bool = False
    detail: str = ""
    frames: int = 0
    missed: int = 0
    restarts: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    triggers_ignored: int | None = None
    triggers_unexplained: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectorStatus:
    """One inspector process as it last reported."""

    number: int
    ready: bool = False
    provider: str = ""
    detail: str = ""
    judged: int = 0
    restarts: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ReaderStatus:
    """One reader of the stream; `reader` is empty for an unnamed one."""

    reader: str
    peer: str
    connected: bool
    sent_sequence: int
    acknowledged_sequence: int
    lag: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveStatus:
    """The image archive and its step on the disk-pressure ladder."""

    step: str = "normal"
    free_bytes: int = 0
    kept: int = 0
    shed: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationStatus:
    """One measured calibration file that the station judges with. `warning` is empty unless somebody should act."""

    file: Identity
    view: str
    kind: str
    made_utc_ns: int
    warning: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StationStatus:
    """The whole station at one moment. `why_not_ready` is empty exactly when it is ready."""

    line_id: str
    station_id: str
    boot_id: str
    ready: bool
    why_not_ready: str
    paused: bool
    counters: Counters
    recipe: Identity
    calibration: Identity
    models: tuple[Identity, ...]
    config_fingerprint: str
    provider: str
    cameras: tuple[CameraStatus, ...]
    inspectors: tuple[InspectorStatus, ...]
    last_sequence: int
    started_utc_ns: int
    archive: ArchiveStatus
    events: tuple[StationEvent, ...] = ()
    calibrations: tuple[CalibrationStatus, ...] = ()
