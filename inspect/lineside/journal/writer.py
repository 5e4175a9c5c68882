"""The one thread that writes to the journal: all that waits in one commit, again and again while the disk fails."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from lineside.core.errors import JournalFault
from lineside.core.record import VerdictRecord
from lineside.core.trigger import Trigger

__all__ = ["Entry", "Writer"]

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0
MAX_GROUP = 2048
"""Entries per commit: bounds the time that one commit takes when much has piled up (some 40 ms)."""


class Entry:
    """One statement that waits for its commit; `subject` is the trigger or verdict that it makes durable, if any."""

    __slots__ = ("durable", "parameters", "sql", "subject")

    def __init__(
        self,
        sql: str,
        parameters: tuple[object, ...],
        durable: asyncio.Future[None],
        subject: Trigger | VerdictRecord | None = None,
    ) -> None:
        self.sql = sql
        self.parameters = parameters
        self.durable = durable
        self.subject = subject


class Writer:
    """Commits entries in the order in which they were put. `on_*` are called on the writer's thread, never at once.

    A failed commit is rolled back and tried again, whole and in order, until it succeeds or the writer is abandoned:
    nothing after it is written before it.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        on_committed: Callable[[list[Entry]], None],
        on_fault: Callable[[JournalFault], None],
        on_recovered: Callable[[], None],
        on_ended: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._path = path
        self._inode = path.stat().st_ino
        self._on_committed = on_committed
        self._on_fault = on_fault
        self._on_recovered = on_recovered
        self._on_ended = on_ended
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Called once, before the first entry is put."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Queues an entry; never blocks."""
        self._queue.put(entry)

    def end(self) -> None:
        """Called after the last entry: the thread commits what was put before, then ends."""
        self._queue.put(None)

    def abandon(self) -> None:
        """Called when draining takes too long: the thread ends after its present attempt, durable or not."""
        self._abandoned.set()
        self._queue.put(None)

    def join(self, timeout_s: float) -> bool:
        """Waits for the thread; False when it is still there (stuck in the disk)."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            ending = False
            while not ending and not self._abandoned.is_set():
                group, ending = self._next_group()
                if group and not self._commit_until_durable(group):
                    return
        finally:
            self._on_ended()

    def _next_group(self) -> tuple[list[Entry], bool]:
        """Waits for one entry, takes all that wait with it; True with the last group."""
        group: list[Entry] = []
        entry = self._queue.get()
        while entry is not None:
            group.append(entry)
            if len(group) == MAX_GROUP or self._queue.empty():
                return group, False
            entry = self._queue.get()
        return group, True

    def _commit_until_durable(self, group: list[Entry]) -> bool:
        retry_s = FIRST_RETRY_S
        faulty = False
        while True:
            try:
                self._commit(group)
            except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
                faulty = True
                self._on_fault(_fault(self._path, error))
            else:
                if faulty:
                    self._on_recovered()
                self._on_committed(group)
                return True
            if self._abandoned.wait(retry_s):
                return False
            retry_s = min(2 * retry_s, LAST_RETRY_S)

    def _commit(self, group: list[Entry]) -> None:
        if self._path.stat().st_ino != self._inode:  # SQLite would go on writing into a file that no one finds again
            raise OSError("the journal's file was removed or replaced while in use")
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for entry in group:
                execute(entry.sql, entry.parameters)
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise


def _fault(path: Path, error: Exception) -> JournalFault:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    fault = JournalFault(
        f"journal {path} cannot be written: {error} ({name})",
        expected="a disk with room that takes writes",
        remedy="free disk space or repair the disk; the journal tries again by itself",
    )
    fault.__cause__ = error
    return fault
