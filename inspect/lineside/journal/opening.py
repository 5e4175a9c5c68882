"""What a journal knows when it is opened: where the numbers go on, what was never answered, who has read how far."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lineside.core.errors import ConfigError
from lineside.core.record import ImageState, StationEvent
from lineside.core.status import Counters
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome
from lineside.journal.chain import CHAIN_START, verify_chain

__all__ = ["RECENT_EVENTS", "JournalState", "read_state"]

RECENT_EVENTS = 100
"""Station events that are kept at hand for the status."""

TAIL = 200
"""Newest verdicts that are verified at every start: enough for the last pages written, and done in milliseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalState:
    """Read once, at opening. `unfinished` is in the order of the trigger numbers, `events` the newest last."""

    last_trigger_number: int
    first_sequence: int
    last_sequence: int
    chain_head: bytes
    unfinished: tuple[Trigger, ...]
    counters: Counters
    cursors: Mapping[str, int]
    events: tuple[StationEvent, ...]


def read_state(
    connection: sqlite3.Connection, path: Path, *, boot_id: str, station_id: str, line_id: str, started_utc_ns: int
) -> JournalState:
    """Checks whose journal it is and that its end is sound, records this boot, and reads the state. Blocks.

    Raises: ConfigError when it is another station's, when the boot id was used before, when its end is damaged, or when
    the start cannot be recorded.
    """
    try:
        _check_owner(connection, path, boot_id=boot_id, station_id=station_id, line_id=line_id)
        state = _read(connection)
        problem = next(verify_chain(connection, after_sequence=max(0, state.last_sequence - TAIL)), None)
    except sqlite3.Error as error:
        raise _damaged(path, str(error)) from error
    if problem is not None:
        raise _damaged(path, problem.what)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO boots VALUES (?, ?, ?, ?, NULL)", (boot_id, line_id, station_id, started_utc_ns)
        )
        connection.execute(
            f"UPDATE images SET state = '{ImageState.FAILED}', detail = 'the station ended before it was confirmed'"
            f" WHERE state = '{ImageState.PENDING}'"
        )
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise ConfigError(
            f"journal {path} cannot be written: {error}",
            expected="a disk with room that takes writes",
            remedy="free disk space or repair the disk",
        ) from error
    return state


def _check_owner(
    connection: sqlite3.Connection, path: Path, *, boot_id: str, station_id: str, line_id: str
) -> None:  # fmt: skip
    owner = connection.execute("SELECT line_id, station_id FROM boots ORDER BY rowid DESC LIMIT 1").fetchone()
    if owner is not None and owner != (line_id, station_id):
        raise ConfigError(
            f"journal {path} belongs to line {owner[0]!r}, station {owner[1]!r}",
            expected=f"line {line_id!r}, station {station_id!r}",
            remedy="correct the ids, or give this station a data_dir of its own",
        )
    if connection.execute("SELECT 1 FROM boots WHERE boot_id = ?", (boot_id,)).fetchone():
        raise ConfigError(f"boot id {boot_id!r} is in the journal already", expected="a new one at every start")


def _read(connection: sqlite3.Connection) -> JournalState:
    first, last = connection.execute(
        "SELECT coalesce(min(sequence), 0), coalesce(max(sequence), 0) FROM verdicts"
    ).fetchone()
    chain = connection.execute("SELECT chain FROM verdicts WHERE sequence = ?", (last,)).fetchone()
    answered = connection.execute("SELECT coalesce(max(trigger_number), 0) FROM verdicts").fetchone()[0]
    rows = connection.execute("SELECT * FROM open_triggers ORDER BY trigger_number")
    unfinished = tuple(_trigger_of(row) for row in rows)
    events = connection.execute("SELECT utc_ns, kind, detail FROM events ORDER BY id DESC LIMIT ?", (RECENT_EVENTS,))
    tally = dict(connection.execute("SELECT outcome, count FROM tallies").fetchall())
    answers = tally[Outcome.PASS] + tally[Outcome.FAIL] + tally[Outcome.NOT_INSPECTED]
    return JournalState(
        last_trigger_number=max(answered, unfinished[-1].number if unfinished else 0),
        first_sequence=first or last + 1,
        last_sequence=last,
        chain_head=chain[0] if chain else CHAIN_START,
        unfinished=unfinished,
        counters=Counters(
            triggers=answers + len(unfinished),
            passed=tally[Outcome.PASS],
            failed=tally[Outcome.FAIL],
            not_inspected=tally[Outcome.NOT_INSPECTED],
            in_flight=len(unfinished),
            late=tally[Outcome.UNSPECIFIED],
        ),
        cursors=dict(connection.execute("SELECT reader, sequence FROM readers").fetchall()),
        events=tuple(
            StationEvent(utc_ns=utc_ns, kind=kind, detail=detail)
            for utc_ns, kind, detail in reversed(events.fetchall())
        ),
    )


def _trigger_of(row: tuple[int, str, int, int, int, int | None, int]) -> Trigger:
    number, part_id, received_utc_ns, received_mono_ns, due_mono_ns, encoder_count, simulated = row
    return Trigger(
        number=number,
        part_id=part_id,
        received_utc_ns=received_utc_ns,
        received_mono_ns=received_mono_ns,
        due_mono_ns=due_mono_ns,
        encoder_count=encoder_count,
        simulated=bool(simulated),
    )


def _damaged(path: Path, found: str) -> ConfigError:
    return ConfigError(
        f"journal {path} is damaged: {found}",
        expected="a sound record",
        remedy=(
            "move it with its -wal file to a safe place, recover it with `sqlite3 FILE .recover`, "
            "and look at the disk before starting anew"
        ),
    )
