"""One verdict of a journal again: judged from its archived pixels, compared byte for byte, and why it was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from lineside.config.station_calibration import calibration_of, kept_calibration
from lineside.config.station_file import StationFile, read_station
from lineside.core.calibration import Calibration
from lineside.core.errors import ConfigError, InvalidRequest, NotFound
from lineside.core.finding import Defect, Detection
from lineside.core.frame import Frame
from lineside.core.recipe import Limit
from lineside.core.verdict import Outcome, Verdict
from lineside.imaging.draw import as_bgr8, draw_verdict
from lineside.imaging.heat_map import overlay_heat
from lineside.imaging.measure import exceeds
from lineside.inspector import Inspector
from lineside.journal.history import open_history
from lineside.reinspect.candidate import Candidate, candidate_of_station
from lineside.reinspect.judge import JudgeOrder, OpenInspector
from lineside.reinspect.part import Part
from lineside.reinspect.row import Row, State
from lineside.reinspect.sources.station import JOURNAL, StationSource
from lineside.wire.codec import verdict_from_bytes

__all__ = ["HeldLimit", "Replay", "ViewSeen", "draw", "replay"]

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldLimit:
    """One limit of the recipe against this part: what it looked at, and which of that is more than it allows."""

    limit: Limit
    measured: Sequence[Defect]
    exceeding: Sequence[Defect]

    @property
    def broken(self) -> bool:
        return len(self.exceeding) > self.limit.max_count


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ViewSeen:
    """One view as the model saw it now."""

    frame: Frame
    detection: Detection
    threshold: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Replay:
    """A verdict as it was, and as it is judged now with the station's own files. `limits` and `views` say why; they
    are empty where there is nothing to look at.
    """

    verdict: Verdict
    candidate: Candidate
    row: Row
    limits: Sequence[HeldLimit] = ()
    views: Mapping[str, ViewSeen] = field(default_factory=dict)

    @property
    def reproduced(self) -> bool:
        """Whether the same recipe, calibration, models and provider gave the same answer, byte for byte."""
        return bool(self.row.reproduces) and not self.row.difference


def replay(
    sequence: int,
    *,
    station: Path | None = None,
    data_dir: Path | None = None,
    open_inspector: OpenInspector,
) -> Replay:
    """Judges the verdict's archived pixels again, by the recipe that it names as the station's project has it now.

    `station` is the station file; `data_dir` where its journal and images lie, when that is elsewhere. With `data_dir`
    alone the station file is looked for in the project that it lies in. Blocks; the station may run meanwhile.

    Raises: ConfigError when journal, verdict, station file, recipe or packages are not there or do not fit.
    """
    if data_dir is None:
        if station is None:
            raise ConfigError("neither a station file nor a data_dir", expected="at least one of them")
        data_dir = read_station(station).data_dir
    history = open_history(data_dir / JOURNAL)
    try:
        verdict = verdict_from_bytes(history.verdict(sequence).record.payload)
    except (NotFound, InvalidRequest) as error:
        raise ConfigError(error.what, expected=error.expected, remedy=error.remedy) from error
    file = read_station(station or _station_file(data_dir, verdict.station_id))
    candidate = _candidate(file, verdict)
    part = StationSource(str(data_dir), history, views=tuple(candidate.recipe.views)).part(sequence)
    return _judged(part, verdict, candidate, file, open_inspector)


def draw(replayed: Replay) -> Mapping[str, NDArray[np.uint8]]:
    """By view the picture with the findings, (H, W, 3) BGR, under a banner with the outcome; "<view>-map" with the
    model's scores over it, where the model gives any.
    """
    outcome = Outcome[replayed.row.outcome]
    pictures: dict[str, NDArray[np.uint8]] = {}
    for view, seen in replayed.views.items():
        picture = as_bgr8(seen.frame.pixels, seen.frame.pixel_format)
        defects = [
            defect for held in replayed.limits if held.broken for defect in held.exceeding if defect.view == view
        ]
        pictures[view] = draw_verdict(picture, outcome, replayed.row.detail, defects)
        if seen.detection.maps:
            heated = overlay_heat(picture, seen.detection.maps, seen.threshold)
            pictures[f"{view}-map"] = draw_verdict(heated, outcome, replayed.row.detail, ())
    return pictures


def _station_file(data_dir: Path, station_id: str) -> Path:
    """The station's file in the project that the data_dir lies in."""
    for folder in data_dir.resolve().parents:
        found = folder / "calibration" / "stations" / f"{station_id}.toml"
        if found.is_file():
            return found
    raise ConfigError(
        f"no station file of {station_id} in a project around {data_dir}",
        expected=f"calibration/stations/{station_id}.toml beside models/",
        remedy="name the station file",
    )


def _candidate(file: StationFile, verdict: Verdict) -> Candidate:
    """The recipe that the verdict names; the station may run by another one by now."""
    try:
        return candidate_of_station(file.path, recipe_id=verdict.recipe.id, calibration=_calibration(file, verdict))
    except InvalidRequest as error:
        raise ConfigError(error.what, expected=error.expected, remedy=error.remedy) from error


def _calibration(file: StationFile, verdict: Verdict) -> Calibration:
    """The calibration that the verdict names, where a newer revision took its place; else the station's own."""
    if verdict.calibration == file.calibration.identity or not verdict.calibration_files:
        return file.calibration
    try:
        kept = kept_calibration(file.project, verdict.calibration_files)
    except ConfigError as error:
        _log.warning("judged with the station's present calibration", why=str(error))
        return file.calibration
    scales = file.calibration.scales
    return calibration_of(file.station_id, scales, {name: asdict(scale) for name, scale in scales.items()}, kept)


def _judged(
    part: Part, verdict: Verdict, candidate: Candidate, file: StationFile, open_inspector: OpenInspector
) -> Replay:
    judge = JudgeOrder(
        candidates=(candidate,),
        open_inspector=open_inspector,
        providers=file.inspector.provider,
        intra_op_threads=file.inspector.intra_op_threads,
    )()
    (row,) = judge.chunk([part])
    if row.state is not State.JUDGED or row.outcome == Outcome.NOT_INSPECTED.name:
        return Replay(verdict=verdict, candidate=candidate, row=row)
    inspector = judge.inspectors[candidate.label]
    views = {
        view: ViewSeen(frame=frame, detection=detection, threshold=inspector.detectors[view].threshold)
        for view, (frame, detection) in judge.look(part)[candidate.label].items()
    }
    limits = [_held(limit, inspector, views) for limit in candidate.recipe.limits]
    return Replay(verdict=verdict, candidate=candidate, row=row, limits=limits, views=views)


def _held(limit: Limit, inspector: Inspector, views: Mapping[str, ViewSeen]) -> HeldLimit:
    measured = inspector.measured(limit, {view: seen.detection for view, seen in views.items()})
    return HeldLimit(
        limit=limit, measured=measured, exceeding=[defect for defect in measured if exceeds(defect, limit)]
    )
