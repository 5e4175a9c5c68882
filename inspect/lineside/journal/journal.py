"""The durable record of one station: every trigger and every verdict, recorded before anybody is told."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from lineside.core.clock import Clock
from lineside.core.errors import ConfigError, InvalidRequest, JournalFault, LinesideError, TooMany
from lineside.core.record import ImageRecord, StationEvent, VerdictRecord
from lineside.core.status import Counters
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome
from lineside.journal import statements
from lineside.journal.chain import link
from lineside.journal.lock import JournalLock
from lineside.journal.opening import RECENT_EVENTS, JournalState, read_state
from lineside.journal.schema import connect_writing
from lineside.journal.writer import Entry, Writer

__all__ = ["MAX_NAMED_READERS", "Journal"]

MAX_NAMED_READERS = 1000
"""A client that invents a new name at every start would otherwise fill the table in silence."""

_log = structlog.get_logger(__name__)


class Journal:
    """One station's journal, used on one asyncio loop. Its own thread writes; nothing here blocks the loop.

    Entries become durable in the order of the calls, many in one commit. A call's future is done when its entry is
    durable. While the disk fails nothing is lost: entries wait, in order, and are tried again; `on_fault` has been
    called, and `on_recovered` will be.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: JournalLock, state: JournalState, *,
        clock: Clock, boot_id: str, max_pending: int,
    ) -> None:  # fmt: skip
        """Made by `open`."""
        self.path = path
        self.boot_id = boot_id
        self._connection = connection
        self._lock = lock
        self._clock = clock
        self._max_pending = max_pending
        self._unfinished = state.unfinished
        self._open = {trigger.number for trigger in state.unfinished}
        self._next_trigger_number = state.last_trigger_number + 1
        self._next_sequence = state.last_sequence + 1
        self._chain = state.chain_head
        self._durable_sequence = state.last_sequence
        self._first_sequence = state.first_sequence
        self._counters = state.counters
        self._cursors = dict(state.cursors)
        self._events = deque(state.events, maxlen=RECENT_EVENTS)
        self._fault: JournalFault | None = None
        self._on_fault: Callable[[JournalFault], None] = lambda fault: None
        self._on_recovered: Callable[[], None] = lambda: None
        self._followers: list[Callable[[Sequence[VerdictRecord]], None]] = []
        self._pending: dict[Entry, None] = {}  # in order; a dict because entries leave it from the front
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None
        self._closed = False
        self._writer = Writer(
            connection, path,
            on_committed=lambda group: self._on_loop(self._take_committed, group),
            on_fault=lambda fault: self._on_loop(self._take_fault, fault),
            on_recovered=lambda: self._on_loop(self._take_recovery),
            on_ended=lambda: self._on_loop(self._take_end),
        )  # fmt: skip

    @classmethod
    def open(
        cls, path: Path, *, boot_id: str, station_id: str, line_id: str, clock: Clock, max_pending: int = 20_000
    ) -> Journal:
        """Opens or begins the journal at `path` and records this start. Blocks; needs no running loop.

        `max_pending` bounds what may wait for the disk: later triggers are refused (see `open_trigger`).
        Raises: ConfigError when the file is damaged, newer than this program, another station's, in use, or cannot be
        written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"the journal's folder {path.parent} cannot be made: {error.strerror}",
                remedy="correct data_dir in the station file or its permissions",
            ) from error
        lock = JournalLock(path)
        connection: sqlite3.Connection | None = None
        try:
            connection = connect_writing(path)
            state = read_state(
                connection, path, boot_id=boot_id, station_id=station_id, line_id=line_id, started_utc_ns=clock.utc_ns()
            )
            return cls(path, connection, lock, state, clock=clock, boot_id=boot_id, max_pending=max_pending)
        except LinesideError:
            if connection is not None:
                connection.close()
            lock.release()
            raise

    def watch(self, *, on_fault: Callable[[JournalFault], None], on_recovered: Callable[[], None]) -> None:
        """Called by the station before the first trigger; both are called on the loop, `on_fault` at every failure."""
        self._on_fault, self._on_recovered = on_fault, on_recovered

    def follow(self, follower: Callable[[Sequence[VerdictRecord]], None]) -> None:
        """Called by the feed: `follower` gets every group of verdicts, in order, on the loop, once it is durable."""
        self._followers.append(follower)

    @property
    def unfinished(self) -> tuple[Trigger, ...]:
        """Triggers that an earlier boot accepted and never answered, in order; monotonic times are of that boot."""
        return self._unfinished

    @property
    def next_trigger_number(self) -> int:
        """The number that the next trigger must have."""
        return self._next_trigger_number

    @property
    def next_sequence(self) -> int:
        """The sequence number that the next verdict must have."""
        return self._next_sequence

    @property
    def first_sequence(self) -> int:
        """The oldest durable verdict; `last_sequence` + 1 when there is none."""
        return self._first_sequence

    @property
    def last_sequence(self) -> int:
        """The newest durable verdict; 0 when there is none."""
        return self._durable_sequence

    @property
    def chain_head(self) -> str:
        """The newest link of the hash chain, in hex; note it elsewhere to prove the record later."""
        return self._chain.hex()

    @property
    def pending(self) -> int:
        """Entries that wait for the disk."""
        return len(self._pending)

    @property
    def fault(self) -> JournalFault | None:
        """Why nothing becomes durable at present; None when all is well."""
        return self._fault

    def counters(self) -> Counters:
        """What is durable since the journal was begun."""
        return self._counters

    def open_trigger(self, trigger: Trigger) -> asyncio.Future[None]:
        """Records an accepted trigger; the future is done when that is durable.

        Raises: JournalFault when its number is not the next one, or when more entries wait for the disk than
        `max_pending`. An accepted trigger's verdict is never refused for want of room.
        """
        if trigger.number != self._next_trigger_number:
            raise JournalFault(
                f"trigger {trigger.number} is not the next one", expected=f"trigger {self._next_trigger_number}"
            )
        self._check_room(self._max_pending)
        _check_text("part id", trigger.part_id)
        entry = self._entry(statements.OPEN_TRIGGER, statements.trigger_row(trigger), trigger)
        self._next_trigger_number += 1
        self._open.add(trigger.number)
        return self._put(entry)

    def append(self, record: VerdictRecord) -> asyncio.Future[None]:
        """Records the verdict of an open trigger; the future is done when it is durable and may be told.

        Raises: JournalFault when its sequence is not the next one or its trigger is not open.
        """
        if record.sequence != self._next_sequence:
            raise JournalFault(f"verdict {record.sequence} is not the next one", expected=f"{self._next_sequence}")
        if record.trigger_number not in self._open:
            raise JournalFault(
                f"verdict {record.sequence} answers trigger {record.trigger_number}, which is not open",
                expected="one verdict for each accepted trigger",
            )
        _check_text("part id", record.part_id)
        chain = link(self._chain, record)
        entry = self._entry(statements.APPEND_VERDICT, statements.verdict_row(record, chain), record)
        self._chain = chain
        self._next_sequence += 1
        self._open.discard(record.trigger_number)
        return self._put(entry)

    def note_late(self, trigger_number: int, detail: str) -> asyncio.Future[None]:
        """Records an answer that came after its verdict. Raises: JournalFault when too much waits for the disk."""
        return self._note(statements.NOTE_LATE, (trigger_number, self._clock.utc_ns(), _printable(detail)))

    def note_event(self, event: StationEvent) -> asyncio.Future[None]:
        """Records something that happened to the station. Raises: JournalFault when too much waits for the disk."""
        durable = self._note(statements.NOTE_EVENT, (event.utc_ns, event.kind, _printable(event.detail)))
        self._events.append(event)
        return durable

    def recent_events(self, count: int) -> tuple[StationEvent, ...]:
        """The newest events, the newest last, at most RECENT_EVENTS; those of earlier boots included."""
        return tuple(self._events)[-count:] if count > 0 else ()

    def note_image(self, record: ImageRecord) -> asyncio.Future[None]:
        """Records what became of an image; a later record of the same image replaces the earlier one.

        Raises: JournalFault when too much waits for the disk.
        """
        row = statements.image_row(replace(record, detail=_printable(record.detail)))
        return self._note(statements.NOTE_IMAGE, row)

    def note_expired(self, image_ids: Sequence[str], detail: str) -> None:
        """Records that retention removed these images. Raises: JournalFault when too much waits for the disk."""
        for image_id in image_ids:
            self._note(statements.NOTE_EXPIRED, (_printable(detail), image_id))

    def cursor(self, reader: str) -> int:
        """The last sequence number which that named reader acknowledged; 0 for a new one."""
        return self._cursors.get(reader, 0)

    def acknowledge(self, reader: str, sequence: int) -> asyncio.Future[None]:
        """Moves a named reader's cursor forward; the future is done when that is durable.

        Raises: InvalidRequest when that is backward or ahead of all; TooMany when the name is new and there are
        MAX_NAMED_READERS; JournalFault when too much waits for the disk.
        """
        present = self.cursor(reader)
        if not reader or len(reader) > 128 or not reader.isprintable():
            raise InvalidRequest(f"reader name {reader!r}", expected="1 to 128 printable characters")
        if not present <= sequence <= self._durable_sequence:
            raise InvalidRequest(
                f"reader {reader!r} acknowledges verdict {sequence}",
                expected=f"{present} (acknowledged already) to {self._durable_sequence} (the newest)",
                remedy="acknowledge only what this journal has sent, in order",
            )
        if reader not in self._cursors and len(self._cursors) >= MAX_NAMED_READERS:
            raise TooMany(f"{len(self._cursors)} named readers", remedy="use a fixed name for each client")
        durable = self._note(statements.ACKNOWLEDGE, (reader, sequence, self._clock.utc_ns()))
        self._cursors[reader] = sequence
        return durable

    async def close(self, *, timeout_s: float = 5.0) -> bool:
        """Commits what waits, ends the thread, gives the file back. Returns whether everything became durable.

        After `timeout_s` it gives up: the futures of what is not durable raise JournalFault. May be called twice.
        """
        if self._closed:
            return not self._pending
        if self._loop is not None:
            await self._drain(timeout_s)
        else:
            self._closed = True
            with contextlib.suppress(sqlite3.Error):  # nothing was asked of it, so nothing is lost
                self._connection.execute(statements.NOTE_STOP, (self._clock.utc_ns(), self.boot_id))
        lost = list(self._pending)
        for entry in lost:
            if not entry.durable.done():
                entry.durable.set_exception(JournalFault("the journal was closed before this became durable"))
                entry.durable.exception()  # seen: nobody need wait for it
        if self._writer.join(0.5 if lost else timeout_s):
            self._connection.close()
        else:
            _log.error("the journal's disk does not answer; its thread is left behind", path=str(self.path))
        self._lock.release()
        return not lost

    async def _drain(self, timeout_s: float) -> None:
        self._put(self._entry(statements.NOTE_STOP, (self._clock.utc_ns(), self.boot_id)))
        self._closed = True
        self._writer.end()
        assert self._ended is not None
        try:
            await asyncio.wait_for(asyncio.shield(self._ended), timeout_s)
        except TimeoutError:
            _log.error("the journal did not drain in time", pending=len(self._pending), path=str(self.path))
            self._writer.abandon()

    def _note(self, sql: str, parameters: tuple[object, ...]) -> asyncio.Future[None]:
        self._check_room(2 * self._max_pending)  # verdicts of accepted triggers may take the room between
        return self._put(self._entry(sql, parameters))

    def _entry(
        self, sql: str, parameters: tuple[object, ...], subject: Trigger | VerdictRecord | None = None
    ) -> Entry:  # fmt: skip
        if self._closed:
            raise JournalFault("the journal is closed", expected="entries before `close`")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._ended = self._loop.create_future()
            self._writer.start()
        return Entry(sql, parameters, self._loop.create_future(), subject)

    def _put(self, entry: Entry) -> asyncio.Future[None]:
        self._pending[entry] = None
        self._writer.put(entry)
        return entry.durable

    def _check_room(self, limit: int) -> None:
        if len(self._pending) >= limit:
            raise JournalFault(
                f"{len(self._pending)} entries wait for the journal's disk",
                expected=f"less than {limit}",
                remedy="free disk space or repair the disk",
            ) from self._fault

    def _on_loop(self, call: Callable[..., None], *arguments: object) -> None:
        """Called on the writer's thread."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except (
            RuntimeError
        ):  # the loop is gone without `close`: what is committed is committed, nobody is there to tell
            self._writer.abandon()

    def _take_committed(self, group: list[Entry]) -> None:
        records: list[VerdictRecord] = []
        triggers = late = 0
        for entry in group:
            self._pending.pop(entry, None)
            if isinstance(entry.subject, VerdictRecord):
                records.append(entry.subject)
            elif entry.subject is not None:
                triggers += 1
            elif entry.sql is statements.NOTE_LATE:
                late += 1
        self._count(triggers, records, late)
        if records:
            self._first_sequence = min(self._first_sequence, records[0].sequence)
            self._durable_sequence = records[-1].sequence
            for follower in self._followers:
                follower(records)
        for entry in group:
            if not entry.durable.done():
                entry.durable.set_result(None)

    def _count(self, triggers: int, records: Sequence[VerdictRecord], late: int) -> None:
        before, outcomes = self._counters, [record.outcome for record in records]
        self._counters = replace(
            before,
            triggers=before.triggers + triggers,
            passed=before.passed + outcomes.count(Outcome.PASS),
            failed=before.failed + outcomes.count(Outcome.FAIL),
            not_inspected=before.not_inspected + outcomes.count(Outcome.NOT_INSPECTED),
            in_flight=before.in_flight + triggers - len(records),
            late=before.late + late,
        )

    def _take_fault(self, fault: JournalFault) -> None:
        self._fault = fault
        self._on_fault(fault)

    def _take_recovery(self) -> None:
        self._fault = None
        self._on_recovered()

    def _take_end(self) -> None:
        assert self._ended is not None
        if not self._ended.done():
            self._ended.set_result(None)
        if not self._closed:
            self._take_fault(JournalFault("the journal's writer thread ended", remedy="restart the station"))


def _check_text(what: str, text: str) -> None:
    # A file name may hold what is not Unicode; such text would stop the writer for good.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise JournalFault(f"{what} {text!r} is not Unicode text", expected="text that UTF-8 can hold") from error


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
