"""The station's own calibration checks: whether one is due, and one carried out in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lineside.config.calibration_check import CheckTable, checks_folder, kinds_of, last_checks, why_due
from lineside.config.calibration_file import calibration_path, read_calibration
from lineside.core.clock import Clock
from lineside.core.errors import InvalidRequest, StationFault
from lineside.core.ports import CameraReport
from lineside.supervise.errand import run_errand
from lineside.supervise.frame_pool import PoolKey
from lineside.supervise.messages import Captures
from lineside.supervise.pools import Pools

__all__ = ["CalibrationChecks", "CheckArgument", "CheckPlan", "CheckedView"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckPlan:
    """What it takes to check a station. `entry` ("module:function") gets a CheckArgument in the child."""

    table: CheckTable
    project: Path
    station_id: str
    data_dir: Path
    views: tuple[str, ...]
    entry: str
    paced: bool
    """True when the cameras' frames are the triggers: then the next one is looked at."""


@dataclass(frozen=True, kw_only=True)
class CheckArgument:
    """What the child needs."""

    plan: CheckPlan
    views: tuple[str, ...]
    captures: Captures
    reports: Mapping[str, CameraReport]
    pools: Mapping[str, PoolKey]
    made_utc: datetime
    made_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedView:
    """What came of one view."""

    passed: bool
    summary: str
    record: str
    """The record's file as text: JSON."""


class CalibrationChecks:
    """Knows each view's last check. Lives on the station's event loop."""

    def __init__(self, plan: CheckPlan, pools: Pools, clock: Clock) -> None:
        self.plan = plan
        self._pools = pools
        self._clock = clock
        self._last, self.spoiled = last_checks(checks_folder(plan.data_dir), plan.views)
        # Read once: a station works with the calibrations that it started with.
        self._calibrations = {view: _present(plan, view) for view in plan.views}

    def why_due(self) -> str:
        """Why the station is not Ready without a check now; empty when it needs none."""
        return why_due(self.plan.table, self.plan.views, self._last, self._calibrations, self._now())

    def views_of(self, view: str) -> tuple[str, ...]:
        """That view alone, or all for an empty word. Raises: InvalidRequest."""
        if view and view not in self.plan.views:
            raise InvalidRequest(f"view {view!r}", expected=f"one of {', '.join(self.plan.views)}")
        return (view,) if view else self.plan.views

    async def run(
        self, views: Sequence[str], captures: Captures, reports: Mapping[str, CameraReport], made_by: str
    ) -> Sequence[CheckedView]:
        """Checks one capture of each of the views; the caller releases them. What came of it counts from now on.

        Raises: ConfigError when there is nothing to check against, StationFault when the work could not be done.
        """
        keys = self._pools.keys()
        argument = CheckArgument(
            plan=self.plan,
            views=tuple(views),
            captures=captures,
            reports=reports,
            pools=keys,
            made_utc=self._now(),
            made_by=made_by,
        )
        done = await run_errand(
            "calibration check", entry=self.plan.entry, argument=argument, fds=[key.fd for key in keys.values()]
        )
        folder = checks_folder(self.plan.data_dir)
        self._last, self.spoiled = await asyncio.to_thread(last_checks, folder, self.plan.views)
        if not isinstance(done, tuple):
            raise StationFault(f"the check's process answered {type(done).__name__}")
        return done

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.utc_ns() / 1e9, UTC)


def _present(plan: CheckPlan, view: str) -> list[str]:
    """SHA-256 of the calibrations that a check of the view must have been held against."""
    paths = [calibration_path(plan.project, plan.station_id, view, kind) for kind in kinds_of(plan.table)]
    return [read_calibration(path).identity.sha256 for path in paths if path.exists()] if plan.table.required else []
