"""A whole station as it runs: its processes, its journal and its server, started and stopped in the right order."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TypeVar

import structlog

from lineside.config.cross_check import check_recipe, check_released
from lineside.config.fingerprint import config_fingerprint
from lineside.config.recipe_file import read_recipe
from lineside.config.station_calibration import calibration_status
from lineside.config.station_file import StationFile
from lineside.control import Control
from lineside.core.clock import SystemClock
from lineside.core.errors import ConfigError, InspectorLost, JournalFault, LinesideError
from lineside.core.recipe import Recipe
from lineside.core.record import ImageRecord, StationEvent
from lineside.journal.feed import JournalFeed
from lineside.journal.journal import Journal
from lineside.journal.queries import JournalQueries
from lineside.ledger import JudgedBy
from lineside.processes import make_archivist, make_checks, make_crew, make_pools, make_rig
from lineside.serve.options import ServeOptions
from lineside.serve.server import InspectionServer
from lineside.station import Setup, Station
from lineside.supervise.crew import Crew
from lineside.supervise.image_desk import ImageDesk
from lineside.supervise.joining import Arrival
from lineside.wire.codec import encode_verdict

__all__ = ["RunningStation"]

Noted = TypeVar("Noted")

_log = structlog.get_logger()

_DRAIN_S = 5.0
_READERS_S = 2.0
_CALIBRATION_S = 600.0
"""How often it is looked whether a calibration has become too old."""


def _largest_request(recipe: Recipe) -> int:
    """No request of use is larger: all views as files of four bytes per pixel, and 1 MB for the rest.

    Requests lie in memory until they are answered, many at once: this bounds what a client can take.
    """
    pixels = sum(view.width_px * view.height_px for view in recipe.views.values())
    return 1_000_000 + pixels * 4


class RunningStation:
    """Everything of one station, on the event loop that starts it.

    `finished` is set when a finite source (a folder, `count` triggers) has come to its end and every part is told.
    """

    def __init__(self, files: StationFile, recipe: Recipe) -> None:
        self.files = files
        self._recipe = recipe
        self.finished = asyncio.Event()
        self.boot_id = secrets.token_hex(8)
        self._clock = SystemClock()
        self._accepted = 0
        self._source_ended = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._events: list[tuple[str, str]] = []
        self._cannot_write = False
        self._warned: set[str] = set()
        self._memory = make_pools(files, recipe)
        self.pools = self._memory.all
        self.rig = make_rig(files, self._memory, on_change=self._changed, on_end=self._on_source_end)
        self._crew = make_crew(files, recipe, self.pools, on_change=self._changed)
        self.archivist = make_archivist(
            files,
            self.pools,
            on_record=self._note_image,
            on_expired=self._note_expired,
            on_event=self._note_event,
            on_change=self._changed,
        )

    def _setup(self, recipe: Recipe, crew: Crew) -> Setup:
        """The crew must be up: the packages that it has verified are part of the fingerprint."""
        files = self.files
        fingerprint = config_fingerprint(
            recipe=recipe.identity,
            calibration=files.calibration.identity,
            station=files.identity,
            packages=crew.models,
        )
        judged_by = JudgedBy(
            line_id=files.line_id,
            station_id=files.station_id,
            boot_id=self.boot_id,
            recipe=recipe.identity,
            calibration=files.calibration.identity,
            calibration_files=files.calibration.files,
            config_fingerprint=fingerprint,
            keeping=recipe.images,
            due_ms=recipe.due_ms,
            max_in_flight=files.trigger.max_in_flight,
        )
        return Setup(recipe=recipe, crew=crew, judged_by=judged_by)

    async def _prepare(self, recipe_id: str) -> Setup:
        """Another recipe with inspectors of its own, warm, beside those at work. Raises: ConfigError, InspectorLost."""
        path = self.files.recipe_path_of(recipe_id)
        recipe = await asyncio.to_thread(read_recipe, path)
        await asyncio.to_thread(check_recipe, self.files, recipe)
        self._check_cameras(recipe)
        crew = make_crew(self.files, recipe, self.pools, on_change=self._changed)
        try:
            await crew.start()
            if why := crew.why_not_ready():
                raise InspectorLost(why, expected="warm inspectors", remedy="see the station's log")
            await asyncio.to_thread(check_released, self.files, recipe, crew.models)
        except LinesideError:
            await crew.stop()
            raise
        return self._setup(recipe, crew)

    async def start(self) -> None:
        """Opens the journal, starts every process, answers what an earlier start left, and serves.

        Raises: ConfigError when something is not as declared; everything that was started is ended again.
        """
        files = self.files
        self.journal = await asyncio.to_thread(
            Journal.open,
            files.data_dir / "journal.sqlite",
            boot_id=self.boot_id,
            station_id=files.station_id,
            line_id=files.line_id,
            clock=self._clock,
        )
        self.feed = JournalFeed(self.journal)
        self.queries = JournalQueries(self.journal, files.data_dir / "images")
        try:
            self.archivist.start()
            await asyncio.gather(self._crew.start(), self.rig.start())
            if why := self._crew.why_not_ready():
                raise InspectorLost(why, expected="a warm inspector", remedy="see the log; start the station again")
            await asyncio.to_thread(check_released, self.files, self._recipe, self._crew.models)
            self._check_cameras(self._recipe)
            self._open_station()
            await self._serve()
        except BaseException:
            await self._stop_children()
            await self._close_journal()
            raise
        self._begin()

    def _check_cameras(self, recipe: Recipe) -> None:
        if set(recipe.views) != set(self.files.cameras):
            raise ConfigError(
                f"recipe {recipe.identity.id} has views {', '.join(sorted(recipe.views))}",
                expected=f"those of the station's cameras: {', '.join(sorted(self.files.cameras))}",
                remedy="use a recipe for this station",
            )
        for view, report in self.rig.reports().items():
            wanted = recipe.views[view]
            got = (report.pixel_format, report.width_px, report.height_px)
            if got != (wanted.pixel_format, wanted.width_px, wanted.height_px):
                raise ConfigError(
                    f"camera of view {view} delivers {got[0]} {got[1]}x{got[2]} px",
                    expected=f"{wanted.pixel_format} {wanted.width_px}x{wanted.height_px} px "
                    f"(recipe {recipe.identity.id})",
                    remedy="correct pixel_format and size_px in the station file, or use the recipe for this camera",
                )

    def _open_station(self) -> None:
        files = self.files
        self.station = Station(
            margin_ms=files.trigger.decision_margin_ms,
            rig=self.rig,
            journal=self.journal,
            archivist=self.archivist,
            pools=self.pools,
            setup=self._setup(self._recipe, self._crew),
            encode=encode_verdict,
            clock=self._clock,
        )
        checks = make_checks(files, self.pools, self._clock)
        self.control = Control(
            self.station,
            journal=self.journal,
            reader=self.queries,
            desk=ImageDesk(self._memory.requests, self._clock),
            golden_desk=ImageDesk(self._memory.golden, self._clock),
            prepare=self._prepare,
            golden_folder=files.project / "calibration" / "golden",
            checks=checks,
            software_triggered=files.trigger.source == "software",
            calibrations=partial(calibration_status, files.calibration_files),
            note_event=self._note_event,
            clock=self._clock,
        )
        for path in checks.spoiled:
            self.control.note(
                "calibration check ignored", f"{path} is torn or was changed by hand: it counts for nothing"
            )
        for kind, detail in self._events:  # what happened while starting
            self.control.note(kind, detail)
        self._events.clear()
        self._warn_of_calibration(self._recipe)
        self.journal.watch(
            on_fault=self._journal_cannot_write,
            on_recovered=self._journal_recovered,
        )
        if self.journal.unfinished:
            self.control.note("restarted", f"{len(self.journal.unfinished)} parts were in flight when it ended before")
        self.station.recover(self.journal.unfinished)

    async def _serve(self) -> None:
        serve = self.files.serve
        self.server = InspectionServer(
            self.control,
            self.feed,
            self.queries,
            ServeOptions(
                tcp=serve.tcp,
                unix=str(self.files.unix_path or ""),
                max_message_bytes=min(serve.max_message_bytes, _largest_request(self._recipe)),
                max_readers=serve.max_readers,
            ),
        )
        await self.server.start()

    def _begin(self) -> None:
        self.rig.begin(on_arrival=self._arrived, room=self._room)
        if self.files.calibration_files:
            self._run(self._watch_calibration())
        if self.files.trigger.source == "takt":
            self._run(self._takt())

    def _room(self) -> int:
        """For how many more parts there is room, so that each inspector has one at work and one at hand."""
        if self.station.wanted is not None:
            return 1  # a check waits for the next frame
        if self.control.why_not_ready():
            return 0
        return max(0, 2 * self.files.inspector.workers + 1 - self.station.ledger.in_flight)

    async def _takt(self) -> None:
        """The station's own clock as the trigger: absolute times, so that the takt does not drift."""
        assert self.files.trigger.takt_ms is not None
        takt_s, count = self.files.trigger.takt_ms / 1000, self.files.trigger.count
        loop = asyncio.get_running_loop()
        at_s = loop.time()
        while not self._source_ended and not self.station.stopping:
            try:
                self.station.accept(lambda trigger: self.rig.capture(trigger.number, trigger.due_mono_ns))
                self._accepted += 1
            except JournalFault as error:  # no room for another part: silence, which the line takes as reject
                _log.error("a trigger was not accepted", error=str(error))
            if self._accepted == count:
                break
            at_s = max(at_s + takt_s, loop.time())
            await asyncio.sleep(at_s - loop.time())
        self._on_source_end()

    def _arrived(self, arrival: Arrival) -> None:
        """A camera's frame is the trigger."""
        count = self.files.trigger.count
        if self.station.stopping or (count and self._accepted >= count):
            self._run(self._discard(arrival))
            return
        self._accepted += 1
        try:
            self.station.accept(lambda _: arrival.captures(), part_id=arrival.part_id, exposed=True)
        except JournalFault as error:  # no room for another part: silence, which the line takes as reject
            _log.error("a frame was not accepted", error=str(error), part_id=arrival.part_id)
            self._run(self._discard(arrival))
        if self._accepted == count:
            self._on_source_end()

    async def _discard(self, arrival: Arrival) -> None:
        self.pools.release(await arrival.captures())

    def _on_source_end(self) -> None:
        if not self._source_ended:
            self._source_ended = True
            self._run(self._finish())

    async def _finish(self) -> None:
        await self.station.settled()
        self.finished.set()

    async def stop(self) -> None:
        """Answers what is in flight, lets readers hear it, and ends every process. Leaves nothing behind."""
        await self.control.close()
        await self.station.drain(_DRAIN_S)
        await self._stop_children()
        await self.server.stop(_READERS_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close_journal()

    async def _stop_children(self) -> None:
        crew = self.station.setup.crew if hasattr(self, "station") else self._crew
        await asyncio.gather(self.rig.stop(), crew.stop())
        if hasattr(self, "station"):
            await self.station.settled()  # the last answers may still bring images to keep
        await self.archivist.stop()
        self.pools.close()

    async def _close_journal(self) -> None:
        await self.feed.close()
        await self.queries.close()
        if not await self.journal.close():
            _log.critical("not everything became durable before the end", pending=self.journal.pending)

    # Notes

    def _changed(self, kind: str, detail: str) -> None:
        if hasattr(self, "control"):
            if self.station.stopping:
                return  # that processes end is what was asked for
            self.control.note(kind, detail)
            self.rig.refill()
        else:
            self._events.append((kind, detail))

    def _journal_cannot_write(self, fault: JournalFault) -> None:
        """Called at every failure; noted once, and recorded as soon as the disk takes it."""
        _log.error("the journal cannot write", error=str(fault))
        if not self._cannot_write:
            self.control.note("journal cannot write", str(fault))
        self._cannot_write = True

    def _journal_recovered(self) -> None:
        self._cannot_write = False
        self.control.note("journal recovered", "what waited is durable, in order")

    def _warn_of_calibration(self, recipe: Recipe) -> None:
        """Each calibration that is too old is an event once: at the start, or when it becomes so."""
        for each in calibration_status(self.files.calibration_files, recipe):
            if each.warning and each.file.id not in self._warned:
                self._warned.add(each.file.id)
                self.control.note("calibration old", each.warning)

    async def _watch_calibration(self) -> None:
        while True:
            await asyncio.sleep(_CALIBRATION_S)
            self._warn_of_calibration(self.station.setup.recipe)

    def _note_event(self, event: StationEvent) -> None:
        _log.info(event.kind, detail=event.detail)
        self._noted(lambda: self.journal.note_event(event))

    def _note_image(self, record: ImageRecord) -> asyncio.Future[None] | None:
        return self._noted(lambda: self.journal.note_image(record))

    def _note_expired(self, image_ids: Sequence[str]) -> None:
        self._noted(lambda: self.journal.note_expired(image_ids, "removed by retention"))

    def _noted(self, note: Callable[[], Noted]) -> Noted | None:
        try:
            return note()
        except JournalFault as error:  # notes give way when the disk is stuck; verdicts do not
            _log.error("a note was lost", error=str(error))
            return None

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.critical("the station's own work failed", exc_info=error)
