"""What servers and commands may ask of a station: the StationControl port, made of the station's parts."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import numpy as np

from lineside.core.clock import Clock
from lineside.core.errors import InvalidRequest, JournalFault, NotOffered, NotReady, TooLarge, TooMany
from lineside.core.identity import Identity
from lineside.core.image_in import ImageIn
from lineside.core.ports import JournalReader, JournalState
from lineside.core.recipe import Recipe
from lineside.core.record import StationEvent, VerdictRecord
from lineside.core.status import StationStatus
from lineside.core.trigger import MAX_PART_ID_CHARS, Trigger
from lineside.core.verdict import Judgement
from lineside.station import Accepted, Station
from lineside.supervise.frame_pool import FramePool, SlotMemory
from lineside.supervise.messages import Captures, ImageReference

__all__ = ["Control"]

_REMEMBERED_REQUESTS = 10_000
_REMEMBERED_EVENTS = 100
_LONGEST_DUE_MS = 600_000


class Control:
    """Implements core.ports.StationControl. Lives on the station's event loop."""

    def __init__(
        self,
        station: Station,
        *,
        recipe: Recipe,
        journal: JournalState,
        reader: JournalReader,
        requests: FramePool,
        software_triggered: bool,
        note_event: Callable[[StationEvent], None],
        clock: Clock,
    ) -> None:
        self._station = station
        self._recipe = recipe
        self._journal = journal
        self._reader = reader
        self._requests = requests
        self._request_memory: SlotMemory | None = None
        self._software_triggered = software_triggered
        self._note_event = note_event
        self._clock = clock
        self._started_utc_ns = clock.utc_ns()
        self._accepted: OrderedDict[str, Accepted] = OrderedDict()
        self._events: deque[StationEvent] = deque(maxlen=_REMEMBERED_EVENTS)

    # State

    def note(self, kind: str, detail: str) -> None:
        """Remembers and records something that happened to the station."""
        event = StationEvent(utc_ns=self._clock.utc_ns(), kind=kind, detail=detail)
        self._events.append(event)
        self._note_event(event)

    def why_not_ready(self) -> str:
        """Empty when a trigger now would be judged."""
        station = self._station
        reasons = (
            "stopping" if station.stopping else "",
            f"paused: {station.paused}" if station.paused else "",
            str(self._journal.fault) if self._journal.fault else "",
            station.rig.why_not_ready(),
            station.crew.why_not_ready(),
        )
        return "; ".join(reason for reason in reasons if reason)

    def status(self) -> StationStatus:
        station, by = self._station, self._station.judged_by
        why = self.why_not_ready()
        return StationStatus(
            line_id=by.line_id,
            station_id=by.station_id,
            boot_id=by.boot_id,
            ready=not why,
            why_not_ready=why,
            paused=bool(station.paused),
            counters=station.ledger.counters(),
            recipe=by.recipe,
            calibration=by.calibration,
            models=station.crew.models,
            config_fingerprint=by.config_fingerprint,
            provider=station.crew.provider,
            cameras=station.rig.status(),
            inspectors=station.crew.status(),
            last_sequence=self._journal.last_sequence,
            started_utc_ns=self._started_utc_ns,
            archive=station.archivist.status(),
            events=tuple(self._events),
        )

    # Triggers

    async def trigger(
        self, *, part_id: str, encoder_count: int | None = None, due_ms: int | None = None, request_id: str = ""
    ) -> Trigger:
        if not self._software_triggered:
            raise NotReady(
                "this station is not triggered by software",
                expected='source = "software" in [trigger] of the station file',
                remedy="trigger its camera, or change the station file",
            )
        accepted = self._accepted.get(request_id) if request_id else None
        if accepted is None:
            _check(part_id, due_ms)
            accepted = self._station.accept(
                lambda trigger: self._station.rig.capture(trigger.number, trigger.due_mono_ns),
                part_id=part_id,
                encoder_count=encoder_count,
                due_ms=due_ms,
            )
            if request_id:
                self._accepted[request_id] = accepted
                while len(self._accepted) > _REMEMBERED_REQUESTS:
                    self._accepted.popitem(last=False)
        await asyncio.shield(accepted.durable)
        return accepted.trigger

    async def verdict_of(self, trigger_number: int) -> VerdictRecord:
        untold = self._station.told(trigger_number)
        if untold is None:
            return await self._reader.get(trigger_number=trigger_number)
        return await _told(untold)

    # Images that clients bring

    async def inspect(self, images: Sequence[ImageIn]) -> Judgement:
        captures = self._captures(images, part_id="", captured_utc_ns=0, frame_id=0)
        return await asyncio.shield(asyncio.ensure_future(self._inspect(captures)))  # the slots are in use to the end

    async def _inspect(self, captures: Captures) -> Judgement:
        try:
            answer = await self._station.crew.inspect(captures)
        finally:
            self._station.pools.release(captures)
        return answer.judgement

    async def push(
        self,
        images: Sequence[ImageIn],
        *,
        part_id: str,
        encoder_count: int | None = None,
        due_ms: int | None = None,
        captured_utc_ns: int = 0,
        frame_id: int = 0,
    ) -> VerdictRecord:
        _check(part_id, due_ms)
        captures = self._captures(images, part_id=part_id, captured_utc_ns=captured_utc_ns, frame_id=frame_id)
        try:
            accepted = self._station.accept(
                lambda trigger: _at_once(captures),
                part_id=part_id,
                encoder_count=encoder_count,
                due_ms=due_ms,
                exposed=True,
            )
        except (NotReady, JournalFault):
            self._station.pools.release(captures)
            raise
        return await _told(accepted.told)

    def _captures(
        self, images: Sequence[ImageIn], *, part_id: str, captured_utc_ns: int, frame_id: int
    ) -> dict[str, ImageReference]:
        """Puts the images into shared memory, where an inspector decodes them."""
        views = [image.view or (next(iter(self._recipe.views)) if len(images) == 1 else "") for image in images]
        if sorted(views) != sorted(self._recipe.views):
            raise InvalidRequest(
                f"images of views {', '.join(repr(view) for view in views) or 'none'}",
                expected=f"one of each of {', '.join(self._recipe.views)}",
                remedy="send one image for each view of the recipe",
            )
        for view, image in zip(views, images, strict=True):
            wanted = self._recipe.views[view].pixel_format
            if image.pixel_format is not wanted:
                raise InvalidRequest(
                    f"image of view {view} is declared {image.pixel_format}",
                    expected=f"{wanted} (recipe {self._recipe.identity.id})",
                    remedy="send what the recipe inspects, or use another recipe",
                )
            if len(image.data) > self._requests.key.slot_bytes:
                raise TooLarge(
                    f"image of {len(image.data)} bytes", expected=f"at most {self._requests.key.slot_bytes} bytes"
                )
        if self._requests.free < len(images):
            raise TooMany(
                f"{self._requests.key.slots} images of clients are being judged",
                remedy="wait for their answers before sending more",
            )
        self._request_memory = self._request_memory or self._requests.memory()
        captures = {}
        for view, image in zip(views, images, strict=True):
            slot = self._requests.take()
            assert slot is not None  # counted above
            self._request_memory.array(slot, (len(image.data),), np.dtype(np.uint8))[:] = np.frombuffer(
                image.data, dtype=np.uint8
            )
            captures[view] = ImageReference(
                pool=self._requests.name,
                slot=slot,
                view=view,
                length=len(image.data),
                encoded=image.encoded,
                width_px=image.width_px,
                height_px=image.height_px,
                stride_bytes=image.stride_bytes,
                pixel_format=image.pixel_format,
                frame_id=frame_id,
                captured_utc_ns=captured_utc_ns or self._clock.utc_ns(),
                captured_mono_ns=self._clock.mono_ns(),
                part_id=part_id,
            )
        return captures

    # Operation

    async def pause(self, *, requested_by: str, why: str) -> None:
        self._station.paused = f"{why or 'no reason given'} (by {requested_by or 'unknown'})"
        self.note("paused", self._station.paused)

    async def resume(self, *, requested_by: str) -> None:
        if self._station.paused:
            self._station.paused = ""
            self.note("resumed", f"by {requested_by or 'unknown'}")
            self._station.rig.refill()

    async def change_recipe(self, recipe_id: str, *, requested_by: str) -> Identity:
        raise NotOffered("changing the recipe of a running station is not offered yet", remedy="restart with --recipe")

    async def self_test(self) -> tuple[bool, str]:
        raise NotOffered("the self-test is not offered yet", remedy="inspect golden parts with `lineside inspect`")


async def _at_once(captures: Captures) -> Captures:
    return captures


async def _told(told: asyncio.Future[VerdictRecord]) -> VerdictRecord:
    try:
        return await asyncio.shield(told)
    except asyncio.CancelledError:
        if told.cancelled():  # not the caller was cancelled: the verdict will never be durable
            raise JournalFault("the verdict could not be made durable", remedy="see the station's log") from None
        raise


def _check(part_id: str, due_ms: int | None) -> None:
    if len(part_id) > MAX_PART_ID_CHARS:
        raise InvalidRequest(f"part id of {len(part_id)} characters", expected=f"at most {MAX_PART_ID_CHARS}")
    if due_ms is not None and not 1 <= due_ms <= _LONGEST_DUE_MS:
        raise InvalidRequest(f"due_ms is {due_ms}", expected=f"1 to {_LONGEST_DUE_MS} ms after the trigger")
