"""What a station has said, in order, from its journal's file: for those who look at it again, whenever that is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final

from lineside.core.errors import ConfigError, JournalFault, NotFound
from lineside.core.record import ImageRecord, VerdictRecord
from lineside.core.verdict import Outcome
from lineside.journal.chain import VERDICT_COLUMNS, record_of
from lineside.journal.lock import holder_of
from lineside.journal.queries import IMAGE_COLUMNS, image_of
from lineside.journal.schema import APPLICATION_ID
from lineside.journal.snapshot import Snapshot

__all__ = ["History", "PastVerdict", "open_history"]

_AT_ONCE: Final = 1000
"""Verdicts read at once, in some 10 ms: a station that runs is not kept from tidying its log for longer."""

_BYTES_AT_ONCE: Final = 8 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PastVerdict:
    """One verdict, and what became of those of its images that were to be kept."""

    record: VerdictRecord
    images: Sequence[ImageRecord]


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The verdicts of one station up to `last_sequence`, the newest when it was opened."""

    path: Path
    line_id: str
    station_id: str
    last_sequence: int

    def verdicts(self) -> Iterator[PastVerdict]:
        """All of them by sequence number, read as they are asked for, some megabytes at a time. Blocks.

        Raises: JournalFault.
        """
        after = 0
        while page := self._between(after, self.last_sequence):
            yield from page
            after = page[-1].record.sequence

    def verdict(self, sequence: int) -> PastVerdict:
        """One of them. Blocks. Raises: NotFound, JournalFault."""
        found = self._between(sequence - 1, sequence)
        if not found:
            raise NotFound(f"no verdict with sequence {sequence}", expected=f"verdicts 1 to {self.last_sequence}")
        return found[0]

    def judged_behind(self, sequence: int) -> VerdictRecord | None:
        """The first verdict behind that one which is PASS or FAIL; None where there is none. Blocks.

        Raises: JournalFault.
        """
        first = f"SELECT {VERDICT_COLUMNS} FROM verdicts WHERE outcome = ? AND sequence > ? AND sequence <= ?"
        found = list[VerdictRecord]()
        with self._reading(sequence) as connection:
            for outcome in (Outcome.PASS, Outcome.FAIL):  # one by one, each is a look into an index
                rows = connection.execute(
                    f"{first} ORDER BY sequence LIMIT 1", (int(outcome), sequence, self.last_sequence)
                )
                found += map(record_of, rows)
        return min(found, key=attrgetter("sequence"), default=None)

    @contextmanager
    def _reading(self, behind: int) -> Iterator[sqlite3.Connection]:
        """The journal as it is now. Opened anew each time: the station may come and go."""
        try:
            with Snapshot(self.path, running=holder_of(self.path) != 0) as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise JournalFault(
                f"journal {self.path} cannot be read behind verdict {behind}: {error}",
                remedy="look at it with `lineside audit`",
            ) from error

    def _between(self, after: int, last: int) -> Sequence[PastVerdict]:
        """The next verdicts above `after`, none above `last`."""
        with self._reading(after) as connection:
            records = _some_records(connection, after, min(last, after + _AT_ONCE))
            images = connection.execute(
                f"SELECT {IMAGE_COLUMNS} FROM images WHERE trigger_number IN"
                " (SELECT trigger_number FROM verdicts WHERE sequence > ? AND sequence <= ?)"
                " ORDER BY trigger_number, view",
                (after, records[-1].sequence if records else after),
            ).fetchall()
        by_trigger: dict[int, list[ImageRecord]] = {}
        for image in map(image_of, images):
            by_trigger.setdefault(image.trigger_number, []).append(image)
        return [PastVerdict(record=record, images=by_trigger.get(record.trigger_number, ())) for record in records]


def _some_records(connection: sqlite3.Connection, after: int, last: int) -> Sequence[VerdictRecord]:
    """At least one if there is any: a ruined part's verdict may have half a megabyte, most have some hundred bytes."""
    records, size_bytes = list[VerdictRecord](), 0
    rows = connection.execute(
        f"SELECT {VERDICT_COLUMNS} FROM verdicts WHERE sequence > ? AND sequence <= ? ORDER BY sequence", (after, last)
    )
    for row in rows:
        records.append(record_of(row))
        size_bytes += len(records[-1].payload)
        if size_bytes > _BYTES_AT_ONCE:
            break
    return records


def open_history(path: Path) -> History:
    """Opens the journal at `path` for looking back; nothing is held open. Blocks.

    Raises: ConfigError when there is none, or it cannot be read.
    """
    if not path.is_file():
        raise ConfigError(f"there is no journal {path}", expected="a data_dir or a station file")
    try:
        with Snapshot(path, running=holder_of(path) != 0) as connection:
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise ConfigError(f"{path} is no Lineside journal")
            last = connection.execute("SELECT coalesce(max(sequence), 0) FROM verdicts").fetchone()[0]
            owner = connection.execute("SELECT line_id, station_id FROM boots ORDER BY rowid DESC LIMIT 1").fetchone()
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(
            f"journal {path} cannot be read: {error}",
            expected="a whole journal that this user may read",
            remedy="look at it with `lineside audit`; a copy needs its -wal, if there is one, and a folder to write to",
        ) from error
    line_id, station_id = owner or ("", "")
    return History(path=path, line_id=line_id, station_id=station_id, last_sequence=last)
