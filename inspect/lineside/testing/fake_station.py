"""A station with neither camera nor model nor disk."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Sequence

from lineside.core.errors import FrameError, InvalidRequest, NotFound, NotOffered
from lineside.core.finding import Box, Defect, Finding
from lineside.core.identity import Identity
from lineside.core.image_in import ImageIn
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.record import ImageRecord, ImageState, StationEvent, VerdictQuery, VerdictRecord
from lineside.core.status import ArchiveStatus, Counters, StationStatus
from lineside.core.trigger import Trigger
from lineside.core.verdict import ImageReference, Judgement, Latency, Outcome, Verdict, ViewScore
from lineside.wire.codec import encode_verdict

__all__ = ["FakeStation"]

_FILE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*")


class FakeStation:
    """A station with neither camera nor model nor disk: StationControl, VerdictFeed and JournalReader in memory.

    It has one view, "top". A part is judged at once: FAIL where the images or the part id (with "bad" in it) say so,
    else PASS. `hold` keeps triggers unanswered until `release`. Used on one event loop.
    """

    def __init__(self, *, line_id: str = "line-1", station_id: str = "station-1") -> None:
        self.ready = True
        self.why_not_ready = ""
        self.recipe = Identity(id="plate", revision=1, sha256="b" * 64)
        self.calibration = Identity(id=station_id, revision=1, sha256="c" * 64)
        self.model = Identity(id="demo-plate", revision=1, sha256="a" * 64)
        self._line_id = line_id
        self._station_id = station_id
        self._boot_id = f"boot-{time.time_ns():x}"
        self._started_utc_ns = time.time_ns()
        self._paused = False
        self._held: asyncio.Event | None = None
        self._records: list[VerdictRecord] = []
        self._forgotten = 0
        self._outcomes: Counter[Outcome] = Counter()
        self._triggers: list[Trigger] = []
        self._by_request_id: dict[str, Trigger] = {}
        self._cursors: dict[str, int] = {}
        self._images: dict[str, tuple[ImageRecord, bytes]] = {}
        self._events: list[StationEvent] = []
        self._news = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()

    # What a test does to the station.

    def add_verdicts(self, count: int, *, part_prefix: str = "P") -> None:
        """Lets `count` parts pass by."""
        for _ in range(count):
            trigger = self._new_trigger(f"{part_prefix}-{len(self._triggers) + 1}", None, None)
            self._close(trigger, self._judgement(trigger.part_id))

    def forget_before(self, sequence: int) -> None:
        """Retention: verdicts before `sequence` are kept no longer."""
        self._forgotten = max(self._forgotten, min(sequence - 1, self.last_sequence))
        self._records = [record for record in self._records if record.sequence > self._forgotten]

    def keep_image(self, trigger_number: int, content: bytes, *, view: str = "top") -> str:
        """Archives a PNG file of 4 x 3 px, Mono8, as far as its description goes; returns its image id."""
        image_id = f"{trigger_number}-{view}"
        record = ImageRecord(
            image_id=image_id,
            trigger_number=trigger_number,
            view=view,
            state=ImageState.KEPT,
            outcome=Outcome.FAIL,
            pixel_format=PixelFormat.MONO8,
            width_px=4,
            height_px=3,
            path=f"{image_id}.png",
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
        )
        self._images[image_id] = (record, content)
        return image_id

    def damage_image(self, image_id: str) -> None:
        """Flips one bit of an archived image."""
        record, content = self._images[image_id]
        self._images[image_id] = (record, bytes((content[0] ^ 1,)) + content[1:])

    def hold(self) -> None:
        """From now on triggers wait for `release`."""
        self._held = asyncio.Event()

    def release(self) -> None:
        """Answers what waits."""
        if self._held is not None:
            self._held.set()
        self._held = None

    # StationControl

    def status(self) -> StationStatus:
        """The whole station now."""
        return StationStatus(
            line_id=self._line_id,
            station_id=self._station_id,
            boot_id=self._boot_id,
            ready=self.ready,
            why_not_ready="" if self.ready else self.why_not_ready or "told not to be",
            paused=self._paused,
            counters=Counters(
                triggers=len(self._triggers),
                passed=self._outcomes[Outcome.PASS],
                failed=self._outcomes[Outcome.FAIL],
                not_inspected=self._outcomes[Outcome.NOT_INSPECTED],
                in_flight=len(self._triggers) - self.last_sequence,
            ),
            recipe=self.recipe,
            calibration=self.calibration,
            models=(self.model,),
            config_fingerprint="d" * 64,
            provider="cpu",
            cameras=(),
            inspectors=(),
            last_sequence=self.last_sequence,
            started_utc_ns=self._started_utc_ns,
            archive=ArchiveStatus(kept=len(self._images)),
            events=tuple(self._events),
        )

    async def trigger(
        self, *, part_id: str, encoder_count: int | None = None, due_ms: int | None = None, request_id: str = ""
    ) -> Trigger:
        """Accepts a software trigger."""
        if request_id in self._by_request_id:
            return self._by_request_id[request_id]
        trigger = self._new_trigger(part_id, encoder_count, due_ms)
        if request_id:
            self._by_request_id[request_id] = trigger
        self._answer(trigger, self._judgement(part_id))
        return trigger

    async def verdict_of(self, trigger_number: int) -> VerdictRecord:
        """Waits until that trigger has its verdict. Raises: NotFound."""
        if not 1 <= trigger_number <= len(self._triggers):
            raise NotFound(f"no trigger {trigger_number}")
        while True:
            for record in self._records:
                if record.trigger_number == trigger_number:
                    return record
            await self._news.wait()

    async def inspect(self, images: Sequence[ImageIn]) -> Judgement:
        """Judges images: FAIL when a raw one has a byte above 127. Raises: FrameError, InvalidRequest."""
        bright = False
        for image in images:
            if image.view not in ("", "top"):
                raise InvalidRequest(f"the recipe has no view {image.view!r}", expected="top")
            if image.encoded and not image.data.startswith(_FILE_SIGNATURES):
                raise FrameError(f"{len(image.data)} bytes are no image file", expected="PNG, JPEG, TIFF or BMP")
            bright = bright or (not image.encoded and max(image.data) > 127)
        return self._judgement("bad" if bright else "good")

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
        """Makes a trigger of pushed frames. Frames that are damaged are NOT_INSPECTED: the trigger counts."""
        try:
            judgement = await self.inspect(images)
        except FrameError as error:
            judgement = Judgement.not_inspected(error.reason, str(error))
        trigger = self._new_trigger(part_id, encoder_count, due_ms)
        self._answer(trigger, judgement)
        return await self.verdict_of(trigger.number)

    async def pause(self, *, requested_by: str, why: str) -> None:
        """From now on every trigger is NOT_INSPECTED(OPERATOR_OFFLINE)."""
        self._paused = True
        self._events.append(StationEvent(utc_ns=time.time_ns(), kind="paused", detail=f"{requested_by}: {why}"))

    async def resume(self, *, requested_by: str) -> None:
        """Inspects again."""
        self._paused = False
        self._events.append(StationEvent(utc_ns=time.time_ns(), kind="resumed", detail=requested_by))

    async def change_recipe(self, recipe_id: str, *, requested_by: str) -> Identity:
        """Not offered."""
        raise NotOffered("this station cannot change its recipe while it runs", remedy="restart it")

    async def self_test(self) -> tuple[bool, str]:
        """Not offered."""
        raise NotOffered("this station has no self-test")

    async def check_calibration(self, *, requested_by: str, view: str = "") -> tuple[bool, str, Sequence[str]]:
        """Not offered."""
        raise NotOffered("this station has no calibration")

    # VerdictFeed

    @property
    def first_sequence(self) -> int:
        """The oldest verdict still kept."""
        return self._forgotten + 1

    @property
    def last_sequence(self) -> int:
        """The newest verdict; 0 when there is none."""
        return self._forgotten + len(self._records)

    async def wait_beyond(self, sequence: int, timeout_s: float) -> bool:
        """Waits for a verdict later than `sequence`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.last_sequence <= sequence:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def read(self, after_sequence: int, *, max_records: int, max_bytes: int) -> Sequence[VerdictRecord]:
        """The next verdicts in order."""
        start = max(0, after_sequence - self._forgotten)
        chosen: list[VerdictRecord] = []
        for record in self._records[start : start + max_records]:
            max_bytes -= len(record.payload)
            if chosen and max_bytes < 0:
                break
            chosen.append(record)
        return chosen

    # JournalReader

    async def get(self, *, sequence: int = 0, trigger_number: int = 0) -> VerdictRecord:
        """One verdict by either number. Raises: NotFound."""
        for record in self._records:
            if sequence == record.sequence or trigger_number == record.trigger_number:
                return record
        raise NotFound(f"no verdict with sequence {sequence} or trigger number {trigger_number}")

    async def list(self, query: VerdictQuery) -> Sequence[VerdictRecord]:
        """The verdicts that the query chooses."""
        chosen = [
            record
            for record in self._records
            if (not query.outcomes or record.outcome in query.outcomes)
            and query.part_id in ("", record.part_id)
            and query.from_utc_ns <= record.decided_utc_ns
            and (not query.to_utc_ns or record.decided_utc_ns < query.to_utc_ns)
        ]
        if query.newest_first:
            chosen = [r for r in reversed(chosen) if not query.after_sequence or r.sequence < query.after_sequence]
        else:
            chosen = [record for record in chosen if record.sequence > query.after_sequence]
        listed: list[VerdictRecord] = []
        listed_bytes = 0
        for record in chosen[: query.limit]:
            listed.append(record)
            listed_bytes += len(record.payload)
            if query.max_bytes and listed_bytes > query.max_bytes:
                break
        return listed

    async def images_of(self, trigger_number: int) -> Sequence[ImageRecord]:
        """What is archived of that part."""
        return [record for record, _ in self._images.values() if record.trigger_number == trigger_number]

    async def image(self, image_id: str) -> tuple[ImageRecord, bytes]:
        """An archived file. Raises: NotFound, FrameError when damaged."""
        if image_id not in self._images:
            raise NotFound(f"no image {image_id!r}")
        record, content = self._images[image_id]
        if hashlib.sha256(content).hexdigest() != record.sha256:
            raise FrameError(f"image {image_id} is damaged", expected=f"SHA-256 {record.sha256}")
        return record, content

    async def cursor(self, reader: str) -> int:
        """The last sequence number which that reader acknowledged."""
        return self._cursors.get(reader, 0)

    async def acknowledge(self, reader: str, sequence: int) -> int:
        """Moves the cursor forward. Raises: InvalidRequest."""
        if sequence < self._cursors.get(reader, 0):
            raise InvalidRequest(
                f"reader {reader!r} acknowledges {sequence}", expected=f"at least {self._cursors[reader]}"
            )
        self._cursors[reader] = sequence
        return sequence

    # The station itself.

    def _new_trigger(self, part_id: str, encoder_count: int | None, due_ms: int | None) -> Trigger:
        now_mono_ns = time.monotonic_ns()
        trigger = Trigger(
            number=len(self._triggers) + 1,
            part_id=part_id,
            received_utc_ns=time.time_ns(),
            received_mono_ns=now_mono_ns,
            due_mono_ns=now_mono_ns + (due_ms or 200) * 1_000_000,
            encoder_count=encoder_count,
            simulated=True,
        )
        self._triggers.append(trigger)
        return trigger

    def _answer(self, trigger: Trigger, judgement: Judgement) -> None:
        if self._held is None:
            self._close(trigger, judgement)
            return

        async def later(held: asyncio.Event) -> None:
            await held.wait()
            self._close(trigger, judgement)

        task = asyncio.create_task(later(self._held))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def _judgement(self, part_id: str) -> Judgement:
        if self._paused:
            return Judgement.not_inspected(Reason.OPERATOR_OFFLINE)
        bad = "bad" in part_id
        box = Box(x_px=10.0, y_px=20.0, width_px=30.0, height_px=4.0)
        scratch = Finding(class_name="scratch", score=0.9, box=box, area_px=80.0, length_px=30.0)
        return Judgement(
            outcome=Outcome.FAIL if bad else Outcome.PASS,
            reason=Reason.DEFECTS if bad else Reason.NONE,
            detail="1 scratch" if bad else "",
            defects=(Defect(view="top", finding=scratch, region="all", limit="no scratches"),) if bad else (),
            view_scores=(ViewScore(view="top", score=0.9 if bad else 0.1, threshold=0.5),),
            models=(self.model,),
            provider="cpu",
            infer_ns=1_000_000,
            total_ns=2_000_000,
        )

    def _close(self, trigger: Trigger, judgement: Judgement) -> None:
        now_mono_ns = time.monotonic_ns()
        verdict = Verdict(
            sequence=self.last_sequence + 1,
            boot_id=self._boot_id,
            line_id=self._line_id,
            station_id=self._station_id,
            trigger=trigger,
            part_id=trigger.part_id,
            judgement=judgement,
            captured_utc_ns=trigger.received_utc_ns,
            decided_utc_ns=time.time_ns(),
            decided_mono_ns=now_mono_ns,
            latency=Latency(decide_ns=now_mono_ns - trigger.received_mono_ns),
            recipe=self.recipe,
            calibration=self.calibration,
            config_fingerprint="d" * 64,
            simulated=True,
            images=(ImageReference(view="top", image_id=f"{trigger.number}-top", kept=False),),
        )
        self._records.append(
            VerdictRecord(
                sequence=verdict.sequence,
                trigger_number=trigger.number,
                part_id=verdict.part_id,
                outcome=judgement.outcome,
                reason=judgement.reason,
                decided_utc_ns=verdict.decided_utc_ns,
                payload=encode_verdict(verdict),
                due_mono_ns=trigger.due_mono_ns,
            )
        )
        self._outcomes[judgement.outcome] += 1
        news, self._news = self._news, asyncio.Event()
        news.set()
