"""The journal's tables and how a journal file is opened, migrated or refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lineside.core.errors import ConfigError, JournalFault

__all__ = ["APPLICATION_ID", "MIGRATIONS", "connect_reading", "connect_writing"]

APPLICATION_ID = 0x4C4E5344
"""Marks an SQLite file as a Lineside journal ("LNSD"), so that another program's database is not taken for one."""

_VERSION_1 = """
CREATE TABLE boots (
    boot_id        TEXT PRIMARY KEY,
    line_id        TEXT NOT NULL,
    station_id     TEXT NOT NULL,
    started_utc_ns INTEGER NOT NULL,
    stopped_utc_ns INTEGER             -- NULL: still running, or killed
) STRICT;

-- A trigger stands here from its acceptance until its verdict: what is left after a crash was never answered.
CREATE TABLE open_triggers (
    trigger_number   INTEGER PRIMARY KEY CHECK (trigger_number > 0),
    part_id          TEXT NOT NULL,
    received_utc_ns  INTEGER NOT NULL,
    received_mono_ns INTEGER NOT NULL,
    due_mono_ns      INTEGER NOT NULL,
    encoder_count    INTEGER,
    simulated        INTEGER NOT NULL CHECK (simulated IN (0, 1))
) STRICT;

CREATE TABLE verdicts (
    sequence       INTEGER PRIMARY KEY CHECK (sequence > 0),
    trigger_number INTEGER NOT NULL UNIQUE,
    part_id        TEXT NOT NULL,
    outcome        INTEGER NOT NULL CHECK (outcome IN (1, 2, 3)),
    reason         INTEGER NOT NULL,
    decided_utc_ns INTEGER NOT NULL,
    payload        BLOB NOT NULL,
    chain          BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT;
CREATE INDEX verdicts_by_part ON verdicts (part_id, sequence);
CREATE INDEX verdicts_by_outcome ON verdicts (outcome, sequence);
CREATE INDEX verdicts_by_time ON verdicts (decided_utc_ns);

-- One row per outcome, and one (0) for late answers: counting a year of verdicts at every start would not do.
CREATE TABLE tallies (outcome INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;
INSERT INTO tallies VALUES (0, 0), (1, 0), (2, 0), (3, 0);

CREATE TABLE late_answers (
    id             INTEGER PRIMARY KEY,
    trigger_number INTEGER NOT NULL,
    noted_utc_ns   INTEGER NOT NULL,
    detail         TEXT NOT NULL
) STRICT;
CREATE INDEX late_answers_by_trigger ON late_answers (trigger_number);

CREATE TABLE images (
    image_id       TEXT PRIMARY KEY,
    trigger_number INTEGER NOT NULL,
    view           TEXT NOT NULL,
    state          TEXT NOT NULL,
    outcome        INTEGER NOT NULL,
    pixel_format   TEXT NOT NULL,
    width_px       INTEGER NOT NULL,
    height_px      INTEGER NOT NULL,
    path           TEXT NOT NULL,
    sha256         TEXT NOT NULL,
    size_bytes     INTEGER NOT NULL,
    detail         TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX images_by_trigger ON images (trigger_number);
CREATE INDEX images_pending ON images (state) WHERE state = 'pending';

CREATE TABLE events (
    id     INTEGER PRIMARY KEY,
    utc_ns INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE TABLE readers (
    reader              TEXT PRIMARY KEY,
    sequence            INTEGER NOT NULL,
    acknowledged_utc_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The promises, held by the file itself whoever writes to it.
CREATE TRIGGER trigger_numbers_without_gap BEFORE INSERT ON open_triggers
WHEN NEW.trigger_number IS NOT 1 + max(
    (SELECT coalesce(max(trigger_number), 0) FROM open_triggers),
    (SELECT coalesce(max(trigger_number), 0) FROM verdicts))
BEGIN SELECT raise(ABORT, 'trigger number is not the next one'); END;

CREATE TRIGGER sequences_without_gap BEFORE INSERT ON verdicts
WHEN NEW.sequence IS NOT 1 + (SELECT coalesce(max(sequence), 0) FROM verdicts)
BEGIN SELECT raise(ABORT, 'verdict sequence is not the next one'); END;

CREATE TRIGGER one_verdict_per_open_trigger BEFORE INSERT ON verdicts
WHEN NOT EXISTS (SELECT 1 FROM open_triggers WHERE trigger_number = NEW.trigger_number)
BEGIN SELECT raise(ABORT, 'no open trigger of that number'); END;

CREATE TRIGGER a_verdict_closes_its_trigger AFTER INSERT ON verdicts
BEGIN
    DELETE FROM open_triggers WHERE trigger_number = NEW.trigger_number;
    UPDATE tallies SET count = count + 1 WHERE outcome = NEW.outcome;
END;

CREATE TRIGGER a_trigger_ends_only_by_its_verdict BEFORE DELETE ON open_triggers
WHEN NOT EXISTS (SELECT 1 FROM verdicts WHERE trigger_number = OLD.trigger_number)
BEGIN SELECT raise(ABORT, 'an open trigger ends only by its verdict'); END;

CREATE TRIGGER verdicts_are_never_changed BEFORE UPDATE ON verdicts
BEGIN SELECT raise(ABORT, 'verdicts are never changed'); END;

CREATE TRIGGER verdicts_are_never_removed BEFORE DELETE ON verdicts
BEGIN SELECT raise(ABORT, 'verdicts are never removed'); END;

CREATE TRIGGER late_answers_are_counted AFTER INSERT ON late_answers
BEGIN UPDATE tallies SET count = count + 1 WHERE outcome = 0; END;
"""

MIGRATIONS: tuple[str, ...] = (_VERSION_1,)
"""Script n brings a journal from version n to n + 1. Only ever append: released journals have run the older ones."""


def connect_writing(path: Path) -> sqlite3.Connection:
    """Opens or begins the journal at `path` for its one writer, and brings it to the newest version. Blocks.

    The connection may be used from any one thread at a time; transactions are begun and ended by hand.
    Raises: ConfigError when the file is damaged, foreign, newer than this program or cannot be opened.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        _refuse_foreign(connection, path)
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise ConfigError(
                f"journal {path} cannot use a write-ahead log (SQLite chose {mode!r})",
                expected="a local file system with shared memory",
                remedy="put data_dir on a local disk, not on a network share",
            )
        connection.execute("PRAGMA synchronous = FULL")  # durable at every commit, not only at checkpoints
        connection.execute("PRAGMA journal_size_limit = 67108864")
        _migrate(connection)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise _cannot_open(path, error) from error
    except ConfigError:
        if connection is not None:
            connection.close()
        raise
    return connection


def connect_reading(path: Path) -> sqlite3.Connection:
    """Opens the journal for reading only; nothing can be written through it. Blocks.

    To be used by the thread that opened it. Raises: JournalFault.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA busy_timeout = 5000")
    except sqlite3.Error as error:
        raise JournalFault(f"journal {path} cannot be opened for reading: {error}") from error
    return connection


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application_id != APPLICATION_ID and (tables or application_id):
        raise ConfigError(
            f"{path} is an SQLite database of another program (application id {application_id:#x})",
            expected=f"a Lineside journal ({APPLICATION_ID:#x}) or no file",
            remedy="correct data_dir in the station file",
        )
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"journal {path} has schema version {version}",
            expected=f"at most {len(MIGRATIONS)}, which is what this version of lineside knows",
            remedy="run the newer lineside that wrote it, or another data_dir",
        )


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {script}; PRAGMA application_id = {APPLICATION_ID};"
                f" PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _cannot_open(path: Path, error: sqlite3.Error) -> ConfigError:
    damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    if damaged:
        return ConfigError(
            f"journal {path} is damaged: {error}",
            expected="an SQLite database",
            remedy=(
                "move it with its -wal file to a safe place, recover it with `sqlite3 FILE .recover`, "
                "and look at the disk before starting anew"
            ),
        )
    return ConfigError(
        f"journal {path} cannot be opened: {error}",
        expected="a file on a disk with room that this user may write",
        remedy="correct data_dir in the station file, its permissions, or the disk",
    )
