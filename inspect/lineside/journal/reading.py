"""A thread with a read-only connection to the journal, so that no query runs on the event loop."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from lineside.core.errors import JournalFault
from lineside.journal.schema import connect_reading

__all__ = ["ReadingThread", "Row"]

Row = Any
"""A row as SQLite gives it: its columns' types are the schema's."""

_Answer = TypeVar("_Answer")


class ReadingThread:
    """One thread, one read-only connection, opened at the first query. SQLite's errors come out as JournalFault."""

    def __init__(self, path: Path, *, name: str) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        """All rows of a query. Raises: JournalFault."""
        return await self._run(lambda connection: connection.execute(sql, parameters).fetchall())

    async def rows_within(self, sql: str, parameters: tuple[object, ...], *, max_bytes: int) -> list[Row]:
        """Rows as long as their last columns, which are bytes, fit in `max_bytes`; at least one if there is any.

        Raises: JournalFault.
        """
        rows = await self.rows_beyond(sql, parameters, max_bytes=max_bytes)
        return rows[:-1] if len(rows) > 1 and _size_bytes(rows) > max_bytes else rows

    async def rows_beyond(self, sql: str, parameters: tuple[object, ...], *, max_bytes: int) -> list[Row]:
        """Rows up to and with the first that no longer fits in `max_bytes`, counted as above.

        Raises: JournalFault.
        """
        return await self._run(functools.partial(_take_beyond, sql=sql, parameters=parameters, max_bytes=max_bytes))

    async def close(self) -> None:
        """Closes the connection and ends the thread; may be called twice."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._executor, self._disconnect)
        self._executor.shutdown()

    async def _run(self, query: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        if self._closed:
            raise JournalFault("the journal is closed")
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._answer, query)

    def _answer(self, query: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        try:
            if self._connection is None:
                self._connection = connect_reading(self._path)
            return query(self._connection)
        except sqlite3.Error as error:
            raise JournalFault(f"journal {self._path} cannot be read: {error}") from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _size_bytes(rows: list[Row]) -> int:
    return sum(len(row[-1]) for row in rows)


def _take_beyond(
    connection: sqlite3.Connection, *, sql: str, parameters: tuple[object, ...], max_bytes: int
) -> list[Row]:  # fmt: skip
    taken: list[Row] = []
    size = 0
    cursor = connection.execute(sql, parameters)
    for row in cursor:
        taken.append(row)
        size += len(row[-1])
        if size > max_bytes:
            break
    cursor.close()  # an unfinished query would hold back the write-ahead log
    return taken
