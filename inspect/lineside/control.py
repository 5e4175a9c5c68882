"""What servers and commands may ask of a station: the StationControl port, made of the station's parts."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from lineside.core.clock import Clock
from lineside.core.errors import FrameError, InvalidRequest, JournalFault, LinesideError, NotReady
from lineside.core.identity import Identity
from lineside.core.image_in import ImageIn
from lineside.core.ports import JournalReader, JournalState
from lineside.core.reason import Reason
from lineside.core.recipe import Recipe
from lineside.core.record import StationEvent, VerdictRecord
from lineside.core.status import CalibrationStatus, StationStatus
from lineside.core.trigger import MAX_PART_ID_CHARS, Trigger
from lineside.core.verdict import Judgement
from lineside.golden import GoldenPart, read_golden_parts, wrongly_judged
from lineside.station import Setup, Station
from lineside.supervise.calibration_checks import CalibrationChecks, CheckedView
from lineside.supervise.image_desk import ImageDesk
from lineside.supervise.messages import Captures
from lineside.telling import Accepted

__all__ = ["Control"]

_REMEMBERED_REQUESTS = 10_000
_REMEMBERED_EVENTS = 100
_LONGEST_DUE_MS = 600_000

_NO_PART = -1
"""Number of a look that is no trigger's: triggers count from 1."""

_LOOK_S = 20


class Control:
    """Implements core.ports.StationControl. Lives on the station's event loop."""

    def __init__(
        self,
        station: Station,
        *,
        journal: JournalState,
        reader: JournalReader,
        desk: ImageDesk,
        golden_desk: ImageDesk,
        prepare: Callable[[str], Awaitable[Setup]],
        golden_folder: Path,
        checks: CalibrationChecks,
        software_triggered: bool,
        calibrations: Callable[[Recipe], tuple[CalibrationStatus, ...]],
        note_event: Callable[[StationEvent], None],
        clock: Clock,
    ) -> None:
        """`calibrations` are the measured files that the station judges with, as they are now for that recipe."""
        self._station = station
        self._calibrations = calibrations
        self._journal = journal
        self._reader = reader
        self._desk = desk
        self._golden_desk = golden_desk
        self._prepare = prepare
        self._golden_folder = golden_folder
        self._golden_turn = asyncio.Lock()
        self._checks = checks
        self._checking: asyncio.Task[Sequence[CheckedView]] | None = None
        station.held = checks.why_due
        self._changing: asyncio.Task[Identity] | None = None
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
            station.setup.crew.why_not_ready(),
            station.held(),
        )
        return "; ".join(reason for reason in reasons if reason)

    def status(self) -> StationStatus:
        station, by, crew = self._station, self._station.setup.judged_by, self._station.setup.crew
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
            models=crew.models,
            config_fingerprint=by.config_fingerprint,
            provider=crew.provider,
            cameras=station.rig.status(),
            inspectors=crew.status(),
            last_sequence=self._journal.last_sequence,
            started_utc_ns=self._started_utc_ns,
            archive=station.archivist.status(),
            events=tuple(self._events),
            calibrations=self._calibrations(station.setup.recipe),
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
        untold = self._station.teller.told(trigger_number)
        if untold is None:
            return await self._reader.get(trigger_number=trigger_number)
        return await _told(untold)

    # Images that clients bring

    async def inspect(self, images: Sequence[ImageIn]) -> Judgement:
        setup = self._station.setup
        judgement = await self._judged(setup, self._desk.take(images, setup.recipe))
        if judgement.reason is Reason.FRAME_DAMAGED:
            raise FrameError(judgement.detail)
        return judgement

    async def _judged(self, setup: Setup, captures: Captures) -> Judgement:
        async def judge() -> Judgement:
            try:
                return (await setup.crew.inspect(captures)).judgement
            finally:
                self._station.pools.release(captures)

        return await asyncio.shield(asyncio.ensure_future(judge()))  # the slots are in use to the end

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
        captures = self._desk.take(
            images, self._station.setup.recipe, part_id=part_id, captured_utc_ns=captured_utc_ns, frame_id=frame_id
        )
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
        if self._changing is not None and not self._changing.done():
            raise NotReady("another change of recipe is under way", remedy="wait for its end")
        # A task of its own: a client that hangs up does not stop a change half-way.
        self._changing = asyncio.create_task(self._change_over(recipe_id, requested_by))
        return await asyncio.shield(self._changing)

    async def close(self) -> None:
        """Called at the end: a change of recipe and a check that are under way are given up."""
        under_way = [task for task in (self._changing, self._checking) if task is not None]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _change_over(self, recipe_id: str, requested_by: str) -> Identity:
        old = self._station.setup
        asked = f"from {old.recipe.identity.id} to {recipe_id} by {requested_by or 'unknown'}"
        self.note("recipe change begun", asked)
        try:
            new = await self._prepare(recipe_id)
        except LinesideError as error:
            self.note("recipe change refused", f"{asked}: {error}; {old.recipe.identity.id} stays")
            raise
        try:
            judged = await self._golden(new)
            if wrong := wrongly_judged(judged):
                raise NotReady("; ".join(wrong), expected="the agreed outcome", remedy="correct recipe or package")
        except BaseException as error:  # whatever it was: the new inspectors must not stay behind
            self.note("recipe change refused", f"{asked}: {error}; {old.recipe.identity.id} stays")
            await new.crew.stop()
            raise
        proof = f"{len(judged)} golden parts judged as agreed" if judged else "no golden parts are kept for it"
        self._station.setup = new  # between two triggers: nothing else runs on the loop now
        self.note("recipe changed", f"{asked}; {proof}")
        try:
            await self._station.answered()  # by the old crew
        finally:
            await old.crew.retire()
        return new.recipe.identity

    async def _golden(self, setup: Setup) -> list[tuple[GoldenPart, Judgement]]:
        folder = self._golden_folder / setup.recipe.product_id
        parts = await asyncio.to_thread(read_golden_parts, folder, setup.recipe)
        judged = []
        async with self._golden_turn:  # one at a time: they have slots for one part, which no client can take
            for part in parts:
                images = await asyncio.to_thread(part.images, setup.recipe)
                captures = self._golden_desk.take(images, setup.recipe)
                judged.append((part, await self._judged(setup, captures)))
        return judged

    async def self_test(self) -> tuple[bool, str]:
        judged = await self._golden(self._station.setup)
        if not judged:
            raise NotReady(
                "there are no golden parts",
                expected=f"pictures in {self._golden_folder}/{self._station.setup.recipe.product_id}/good and /bad",
                remedy="put pictures of parts with agreed truth there",
            )
        wrong = wrongly_judged(judged)
        detail = "; ".join(wrong) or f"all {len(judged)} golden parts were judged as agreed"
        self.note("self-test failed" if wrong else "self-test passed", detail)
        return not wrong, detail

    async def check_calibration(self, *, requested_by: str, view: str = "") -> tuple[bool, str, Sequence[str]]:
        views = self._checks.views_of(view)
        if not self.why_not_ready():
            raise NotReady(
                "the station is judging parts",
                expected="a pause: what is before the camera is no part",
                remedy="run `lineside pause`, show the target or the golden part, check, then `lineside resume`",
            )
        if self._checking is not None and not self._checking.done():
            raise NotReady("another check is under way", remedy="wait for its end")
        # A task of its own: a client that hangs up does not stop a check half-way.
        self._checking = asyncio.create_task(self._check(views, requested_by or "unknown"))
        checked = await asyncio.shield(self._checking)
        detail = "; ".join(each.summary for each in checked)
        return all(each.passed for each in checked), detail, [each.record for each in checked]

    async def _check(self, views: Sequence[str], requested_by: str) -> Sequence[CheckedView]:
        try:
            captures = await self._look()
            try:
                checked = await self._checks.run(views, captures, dict(self._station.rig.reports()), requested_by)
            finally:
                self._station.pools.release(captures)
        except LinesideError as error:
            self.note("calibration check impossible", f"{error} (by {requested_by})")
            raise
        for each in checked:
            self.note(
                f"calibration check {'passed' if each.passed else 'failed'}", f"{each.summary} (by {requested_by})"
            )
        self._station.rig.refill()  # it may be Ready now
        return checked

    async def _look(self) -> Captures:
        """One picture of each view, of no part: exposed for this, or the next that cameras of their own pace bring."""
        station = self._station
        if not self._checks.plan.paced:
            return await station.rig.capture(_NO_PART, self._clock.mono_ns() + _LOOK_S * 1_000_000_000)
        wanted: asyncio.Future[Captures] = asyncio.get_running_loop().create_future()
        station.wanted = wanted
        station.rig.refill()
        try:
            await asyncio.wait_for(asyncio.shield(wanted), _LOOK_S)
        except TimeoutError:
            raise NotReady(
                f"no frame came within {_LOOK_S} s",
                expected="a frame of every view: the cameras set the pace",
                remedy="show the target and trigger the cameras once, or stop the station and check again",
            ) from None
        finally:
            station.wanted = None
        return wanted.result()


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
