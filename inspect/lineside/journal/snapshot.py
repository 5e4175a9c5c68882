"""A look into a journal's file by somebody who is not its station: read-only, whether the station runs or not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["Snapshot"]


class Snapshot:
    """A read-only connection that sees the journal as it is now, whatever the station writes meanwhile.

    As long as one is open on a running station's journal, its write-ahead log cannot shrink. Raises: sqlite3.Error.
    """

    def __init__(self, path: Path, *, running: bool) -> None:
        # At rest and without a log nobody writes: then SQLite need not make the files by which processes share it.
        at_rest = not running and not path.with_name(path.name + "-wal").exists()
        uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if at_rest else ''}"
        self._connection = sqlite3.connect(uri, uri=True, isolation_level=None)

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("PRAGMA busy_timeout = 5000")
        self._connection.execute("BEGIN")
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
