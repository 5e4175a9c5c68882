"""The station's hand on the image archive: a supervised process that stores frames while their slots are held."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lineside.core.errors import LinesideError
from lineside.core.frame import MissedFrame
from lineside.core.reason import Reason
from lineside.core.recipe import ImageKeeping
from lineside.core.record import ImageRecord, ImageState, StationEvent, image_id
from lineside.core.status import ArchiveStatus
from lineside.core.verdict import Judgement, Outcome, Verdict
from lineside.supervise.archive_worker import failed
from lineside.supervise.child import Child, ChildLimits
from lineside.supervise.frame_pool import FrameReference
from lineside.supervise.messages import Captures, Expired, ImageReference, Keep, Kept, Up
from lineside.supervise.pools import Pools

__all__ = ["ArchivePlan", "Archivist"]

_RECORD_S = 1.0
"""How long the end waits for the record that an image which is still to be stored must have."""

_UP_S = 10.0
"""How long the end waits for an archiver that is still starting, where images wait for it."""

_STORE_LIMIT_NS = 30_000_000_000
"""A disk may take its time; after this long for one image the archiver counts as hung."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivePlan:
    """What it takes to run the archiver process. `argument` goes to `entry` in the child.

    With `backlog` images waiting, passes are shed; rejects only when the pool itself runs out of slots.
    """

    entry: str
    argument: object
    fds: Sequence[int]
    backlog: int = 4
    reject_backlog: int = 16
    limits: ChildLimits = field(default_factory=lambda: ChildLimits(stop_ms=20_000))


class Archivist:
    """Keeps images, sheds them by name when it must. Lives on the station's event loop.

    No image is on the disk before the journal has it: `on_record` returns what is done when the record is durable, and
    None when there is no room for another.
    """

    def __init__(
        self,
        plan: ArchivePlan,
        pools: Pools,
        *,
        on_record: Callable[[ImageRecord], asyncio.Future[None] | None],
        on_expired: Callable[[Sequence[str]], None],
        on_event: Callable[[StationEvent], None],
        on_change: Callable[[str, str], None],
        mono_ns: Callable[[], int],
    ) -> None:
        self._plan = plan
        self._pools = pools
        self._on_record = on_record
        self._on_expired = on_expired
        self._on_event = on_event
        self._on_change = on_change
        self._mono_ns = mono_ns
        self._waiting: dict[str, Keep] = {}
        self._unrecorded: dict[str, asyncio.Future[None]] = {}
        self._secured: dict[str, asyncio.Future[ImageRecord]] = {}
        self._moved_mono_ns = 0  # when an image was last handed over or stored
        self._counts = {ImageState.KEPT: 0, ImageState.SHED: 0, ImageState.FAILED: 0}
        self._step = "normal"
        self._free_bytes = 0
        self._ready = asyncio.Event()
        self.child = Child(
            "archiver",
            entry=plan.entry,
            argument=plan.argument,
            fds=plan.fds,
            handler=self,
            limits=plan.limits,
        )

    def start(self) -> None:
        """Starts the archiver; images asked for before it is up wait for it."""
        self.child.start()

    async def stop(self) -> None:
        """Lets the archiver finish what waits, within its limit; what is left is recorded as failed."""
        if self._unrecorded:
            await asyncio.wait(self._unrecorded.values(), timeout=_RECORD_S)
        if self._waiting:  # a short run may end before its archiver has started
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), _UP_S)
        await self.child.stop()
        self.down("the station is stopping", None)

    async def secure(
        self, trigger_number: int, part_id: str, captures: Captures, judgement: Judgement, keeping: ImageKeeping
    ) -> tuple[Judgement, frozenset[str]]:
        """Stores the part's frames before it has a verdict, where the recipe demands it.

        Returns the judgement that then holds, NOT_INSPECTED(ARCHIVE_FAILED) when a frame that must be kept cannot be,
        and the ids of the images that are settled by that.
        """
        if not keeping.required:
            return judgement, frozenset()
        stored: dict[str, asyncio.Future[ImageRecord]] = {}
        for view, look in captures.items():
            name = image_id(trigger_number, view)
            if not isinstance(look, MissedFrame) and keeping.keeps(name, judgement):
                stored[name] = self._secured[name] = asyncio.get_running_loop().create_future()
                self._keep(_request(name, trigger_number, part_id, judgement.outcome, look))
        records = await asyncio.gather(*stored.values())
        lost = [record for record in records if record.state is not ImageState.KEPT]
        if lost and judgement.outcome is not Outcome.NOT_INSPECTED:
            why = "; ".join(f"image {record.image_id} {record.state}: {record.detail}" for record in lost)
            judgement = Judgement.not_inspected(Reason.ARCHIVE_FAILED, why)
        return judgement, frozenset(stored)

    def keep_images(
        self,
        trigger_number: int,
        part_id: str,
        captures: Captures,
        verdict: Verdict | None,
        settled: frozenset[str] = frozenset(),
    ) -> None:
        """Stores the part's frames as its verdict says, all of them when they came after the verdict (None), without
        those that are settled.

        The frames must be held now; each slot is held until it is stored.
        """
        kept = {image.view: image.kept for image in verdict.images} if verdict else {}
        outcome = verdict.outcome if verdict else Outcome.NOT_INSPECTED
        for view, look in captures.items():
            name = image_id(trigger_number, view)
            if not isinstance(look, MissedFrame) and kept.get(view, True) and name not in settled:
                self._keep(_request(name, trigger_number, part_id, outcome, look))

    def _keep(self, request: Keep) -> None:
        backlog = len(self._waiting)
        limit = self._plan.backlog if request.outcome is Outcome.PASS else self._plan.reject_backlog
        if backlog >= limit:
            self._settle(failed(request, f"{backlog} images wait for the archiver, limit {limit}", ImageState.SHED))
            return
        recorded = self._on_record(failed(request, "", ImageState.PENDING))
        if recorded is None:
            self._settle(failed(request, "there is no room for its record", ImageState.SHED))
            return
        self._pools.hold(request.reference)
        self._waiting[request.image_id] = request
        self._unrecorded[request.image_id] = recorded
        recorded.add_done_callback(lambda _: self._recorded(request))

    def _recorded(self, request: Keep) -> None:
        del self._unrecorded[request.image_id]
        if self._ready.is_set() and request.image_id in self._waiting:
            self._moved_mono_ns = self._mono_ns()
            self.child.send(request)

    def _settle(self, record: ImageRecord) -> None:
        recorded = self._on_record(record)
        if recorded is None:
            self._count(record.state)
        else:
            recorded.add_done_callback(lambda _: self._count(record.state))
        secured = self._secured.pop(record.image_id, None)
        if secured is not None and not secured.done():
            secured.set_result(record)

    def _count(self, state: ImageState) -> None:
        self._counts[state] = self._counts.get(state, 0) + 1

    # ChildHandler

    def up(self, message: Up) -> None:
        self._ready.set()
        self._moved_mono_ns = self._mono_ns()
        for name, request in list(self._waiting.items()):
            if name not in self._unrecorded:
                self.child.send(request)

    def heard(self, message: object) -> None:
        match message:
            case Kept(record=record, free_bytes=free_bytes, step=step):
                request = self._waiting.pop(record.image_id)
                self._moved_mono_ns = self._mono_ns()
                self._free_bytes, self._step = free_bytes, step
                self._pools.release_one(request.reference)
                self._settle(record)
            case Expired(image_ids=image_ids, events=events):
                self._on_expired(image_ids)
                for event in events:
                    self._on_event(event)

    def down(self, why: str, error: LinesideError | None) -> None:
        self._ready.clear()
        waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            self._pools.release_one(request.reference)
            self._settle(failed(request, f"archiver: {why}"))
        self._on_change("archiver lost", why)

    def patient_until_mono_ns(self) -> int:
        return self._moved_mono_ns + _STORE_LIMIT_NS if self._waiting else 0

    def status(self) -> ArchiveStatus:
        return ArchiveStatus(
            step=self._step,
            free_bytes=self._free_bytes,
            kept=self._counts[ImageState.KEPT],
            shed=self._counts[ImageState.SHED],
            failed=self._counts[ImageState.FAILED],
        )


def _request(
    name: str, trigger_number: int, part_id: str, outcome: Outcome, reference: FrameReference | ImageReference
) -> Keep:
    return Keep(image_id=name, trigger_number=trigger_number, part_id=part_id, outcome=outcome, reference=reference)
