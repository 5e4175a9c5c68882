"""The live stream of verdicts: follows the journal's commits, so whatever is here is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lineside.core.record import VerdictRecord
from lineside.journal.chain import VERDICT_COLUMNS, record_of
from lineside.journal.journal import Journal
from lineside.journal.reading import ReadingThread

__all__ = ["JournalFeed"]


class JournalFeed:
    """The port VerdictFeed over a journal, for any number of readers on the journal's loop.

    The newest `keep` records stay in memory; older ones are read from the file by a thread of its own. No reader has
    a queue here: each asks for what comes after the number that it handled, so a slow one costs nothing.
    """

    def __init__(self, journal: Journal, *, keep: int = 4096) -> None:
        """Follows `journal` from now on; make it before the first trigger."""
        self._journal = journal
        self._ring: list[VerdictRecord | None] = [None] * keep
        self._oldest_in_memory = journal.last_sequence + 1
        self._last = journal.last_sequence
        self._changed = asyncio.Event()
        self._older = ReadingThread(journal.path, name="journal-feed")
        journal.follow(self._take)

    @property
    def first_sequence(self) -> int:
        """The oldest verdict still kept; `last_sequence` + 1 when there is none."""
        return self._journal.first_sequence

    @property
    def last_sequence(self) -> int:
        """The newest durable verdict; 0 when there is none."""
        return self._last

    async def wait_beyond(self, sequence: int, timeout_s: float) -> bool:
        """Waits until a verdict later than `sequence` is durable; False when the time is over."""
        if self._last > sequence:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                while self._last <= sequence:
                    await self._changed.wait()
        except TimeoutError:
            return self._last > sequence
        return True

    async def read(self, after_sequence: int, *, max_records: int, max_bytes: int) -> Sequence[VerdictRecord]:
        """The next verdicts in order, at least one if there is any, at most so many and so large (payload bytes).

        Raises: JournalFault when older ones cannot be read.
        """
        after_sequence = max(after_sequence, self.first_sequence - 1)
        if after_sequence >= self._last:
            return ()
        if after_sequence + 1 >= self._oldest_in_memory:
            return self._from_memory(after_sequence, max_records, max_bytes)
        return await self._from_file(after_sequence, max_records, max_bytes)

    async def close(self) -> None:
        """Ends the reading thread; may be called twice."""
        await self._older.close()

    def _take(self, records: Sequence[VerdictRecord]) -> None:
        for record in records:
            self._ring[record.sequence % len(self._ring)] = record
        self._last = records[-1].sequence
        self._oldest_in_memory = max(self._oldest_in_memory, self._last - len(self._ring) + 1)
        # One event per commit, not per reader: those who wait hold the old one.
        self._changed.set()
        self._changed = asyncio.Event()

    def _from_memory(self, after_sequence: int, max_records: int, max_bytes: int) -> list[VerdictRecord]:
        records: list[VerdictRecord] = []
        size = 0
        for sequence in range(after_sequence + 1, min(self._last, after_sequence + max_records) + 1):
            record = self._ring[sequence % len(self._ring)]
            assert record is not None and record.sequence == sequence
            size += len(record.payload)
            if records and size > max_bytes:
                break
            records.append(record)
        return records

    async def _from_file(self, after_sequence: int, max_records: int, max_bytes: int) -> list[VerdictRecord]:
        rows = await self._older.rows_within(
            f"SELECT {VERDICT_COLUMNS} FROM verdicts WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?",
            (after_sequence, self._last, max(1, max_records)),
            max_bytes=max_bytes,
        )
        return [record_of(row) for row in rows]
