"""Which processes a station has, and the shared memory between them, as its files say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lineside.assemble import ArchiverArgument, CameraArgument, InspectorArgument
from lineside.config.station_calibration import check_calibrated
from lineside.config.station_file import StationFile
from lineside.core.clock import Clock
from lineside.core.recipe import Recipe
from lineside.core.record import ImageRecord, StationEvent
from lineside.supervise.archivist import ArchivePlan, Archivist
from lineside.supervise.calibration_checks import CalibrationChecks, CheckPlan
from lineside.supervise.child import ChildLimits
from lineside.supervise.crew import Crew, CrewPlan
from lineside.supervise.frame_pool import FramePool
from lineside.supervise.pools import Pools
from lineside.supervise.rig import CameraPlan, Rig

__all__ = ["Memory", "make_archivist", "make_checks", "make_crew", "make_pools", "make_rig"]

_REJECT_BACKLOG = 16
"""Images that may wait for the archiver before rejects are shed, by name."""

_REQUEST_SLOTS = 8
"""Images of clients that may be judged at once."""

_LOAD_MS = 180_000
"""An inspector loads at a lower priority: beside others that want the whole machine it takes its time."""
_BUILD_MS = 600_000
"""TensorRT builds its engine from the graph at the first start."""

OnChange = Callable[[str, str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """All shared memory of the station. Pages cost nothing until they are used."""

    cameras: dict[str, FramePool]
    requests: FramePool
    golden: FramePool
    all: Pools


def make_pools(files: StationFile, recipe: Recipe) -> Memory:
    """For each view slots for the parts in flight and for the images that wait to be stored; and some for clients."""
    slots = files.trigger.max_in_flight + _REJECT_BACKLOG + 2
    cameras = {
        view: FramePool(view, slots=slots, slot_bytes=wanted.pixel_format.nbytes(wanted.width_px, wanted.height_px))
        for view, wanted in recipe.views.items()
    }
    # No view can have these names: the views' own pools are named as the views.
    golden = FramePool("@golden", slots=len(recipe.views), slot_bytes=files.serve.max_message_bytes)
    requests = FramePool("@requests", slots=_REQUEST_SLOTS, slot_bytes=files.serve.max_message_bytes)
    return Memory(cameras=cameras, requests=requests, golden=golden, all=Pools([*cameras.values(), requests, golden]))


def make_rig(files: StationFile, memory: Memory, *, on_change: OnChange, on_end: Callable[[], None]) -> Rig:
    """One camera process for each view."""
    paces = files.trigger.source == "camera"
    plans = {}
    for view, pool in memory.cameras.items():
        backend = str(files.cameras[view]["backend"])
        plans[view] = CameraPlan(
            view=view,
            backend=backend,
            entry="lineside.assemble:camera_process",
            argument=CameraArgument(
                view=view,
                config=files.camera_configs[view],
                backend=backend,
                project=files.project,
                pool=pool.key,
                paces=paces,
            ),
            pool=pool,
            paces=paces,
        )
    return Rig(
        plans,
        join_ms=files.trigger.join_ms,
        check=lambda view, report: check_calibrated(files.calibration_files, view, report),
        on_change=on_change,
        on_end=on_end,
    )


def make_crew(files: StationFile, recipe: Recipe, pools: Pools, *, on_change: OnChange) -> Crew:
    """The inspector processes for one recipe."""
    keys = pools.keys()
    argument = InspectorArgument(
        recipe=recipe,
        calibration=files.calibration,
        packages={view: files.package_folder(wanted.package) for view, wanted in recipe.views.items()},
        providers=files.inspector.provider,
        intra_op_threads=files.inspector.intra_op_threads,
        keep_warm_ms=files.inspector.keep_warm_ms,
        hang_ms=files.inspector.hang_ms,
        pools=keys,
    )
    plan = CrewPlan(
        workers=files.inspector.workers,
        entry="lineside.assemble:inspector_process",
        argument=argument,
        fds=[key.fd for key in keys.values()],
        hang_ms=files.inspector.hang_ms,
        limits=ChildLimits(start_ms=_BUILD_MS if "tensorrt" in files.inspector.provider else _LOAD_MS),
    )
    return Crew(plan, on_change=on_change)


def make_checks(files: StationFile, pools: Pools, clock: Clock) -> CalibrationChecks:
    """What checks the calibration, in a process for each check."""
    plan = CheckPlan(
        table=files.calibration_check,
        project=files.project,
        station_id=files.station_id,
        data_dir=files.data_dir,
        views=tuple(files.cameras),
        entry="lineside.assemble:calibration_check_process",
        paced=files.trigger.source == "camera",
    )
    return CalibrationChecks(plan, pools, clock)


def make_archivist(
    files: StationFile,
    pools: Pools,
    *,
    on_record: Callable[[ImageRecord], asyncio.Future[None] | None],
    on_expired: Callable[[Sequence[str]], None],
    on_event: Callable[[StationEvent], None],
    on_change: OnChange,
) -> Archivist:
    """The one process that stores images."""
    keys = pools.keys()
    argument = ArchiverArgument(
        folder=files.data_dir / "images",
        max_bytes=files.archive.max_bytes,
        min_free_bytes=files.archive.min_free_bytes,
        pools=keys,
    )
    plan = ArchivePlan(
        entry="lineside.assemble:archiver_process",
        argument=argument,
        fds=[key.fd for key in keys.values()],
        # A camera that sets the pace is held back by the slots themselves, where it can wait.
        reject_backlog=files.trigger.max_in_flight + _REJECT_BACKLOG
        if files.trigger.source == "camera"
        else _REJECT_BACKLOG,
    )
    return Archivist(
        plan,
        pools,
        on_record=on_record,
        on_expired=on_expired,
        on_event=on_event,
        on_change=on_change,
        mono_ns=time.monotonic_ns,
    )
