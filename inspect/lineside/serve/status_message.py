"""The station's status on the wire."""

from __future__ import annotations

from collections.abc import Iterable

from lineside import __version__
from lineside.core.status import ReaderStatus, StationStatus
from lineside.wire.codec import identity_message
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["status_message"]


def status_message(status: StationStatus, readers: Iterable[ReaderStatus]) -> pb.GetStationStatusResponse:
    """The whole station, with the readers of its stream, which only the server knows."""
    counters, archive = status.counters, status.archive
    return pb.GetStationStatusResponse(
        line_id=status.line_id,
        station_id=status.station_id,
        boot_id=status.boot_id,
        ready=status.ready,
        why_not_ready=status.why_not_ready,
        paused=status.paused,
        counters=pb.Counters(
            triggers=counters.triggers,
            **{"pass": counters.passed},  # a keyword of Python
            fail=counters.failed,
            not_inspected=counters.not_inspected,
            in_flight=counters.in_flight,
            late=counters.late,
        ),
        recipe=identity_message(status.recipe),
        calibration=identity_message(status.calibration),
        models=[identity_message(model) for model in status.models],
        config_fingerprint=status.config_fingerprint,
        provider=status.provider,
        cameras=[
            pb.CameraStatus(
                view=camera.view,
                backend=camera.backend,
                serial=camera.serial,
                model=camera.model,
                connected=camera.connected,
                detail=camera.detail,
                frames=camera.frames,
                missed=camera.missed,
                restarts=camera.restarts,
                settings=camera.settings,
                triggers_ignored=camera.triggers_ignored,
                triggers_unexplained=camera.triggers_unexplained,
            )
            for camera in status.cameras
        ],
        inspectors=[
            pb.InspectorStatus(
                number=inspector.number,
                ready=inspector.ready,
                provider=inspector.provider,
                detail=inspector.detail,
                judged=inspector.judged,
                restarts=inspector.restarts,
            )
            for inspector in status.inspectors
        ],
        readers=[
            pb.ReaderStatus(
                reader=reader.reader,
                peer=reader.peer,
                connected=reader.connected,
                sent_sequence=reader.sent_sequence,
                acknowledged_sequence=reader.acknowledged_sequence,
                lag=reader.lag,
            )
            for reader in readers
        ],
        last_sequence=status.last_sequence,
        started_utc_ns=status.started_utc_ns,
        archive=pb.ArchiveStatus(
            step=archive.step,
            free_bytes=archive.free_bytes,
            kept=archive.kept,
            shed=archive.shed,
            failed=archive.failed,
        ),
        events=[pb.StationEvent(utc_ns=event.utc_ns, kind=event.kind, detail=event.detail) for event in status.events],
        version=__version__,
        calibrations=[
            pb.CalibrationStatus(
                file=identity_message(each.file),
                view=each.view,
                kind=each.kind,
                made_utc_ns=each.made_utc_ns,
                warning=each.warning,
            )
            for each in status.calibrations
        ],
    )
