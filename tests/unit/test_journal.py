# ruff: noqa: ASYNC240 - a test may block its own loop
"""The journal: numbers go on, every trigger is answered once, and what is told is durable."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lineside.core.clock import SystemClock
from lineside.core.errors import ConfigError, InvalidRequest, JournalFault, NotFound
from lineside.core.pixel_format import PixelFormat
from lineside.core.record import ImageRecord, ImageState, StationEvent, VerdictQuery, VerdictRecord
from lineside.core.status import Counters
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome
from lineside.journal.chain import verify_chain
from lineside.journal.journal import Journal
from lineside.journal.queries import JournalQueries

Open = Callable[..., Journal]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


@pytest.fixture
async def opened(path: Path) -> AsyncIterator[Open]:
    """Opens the journal under a boot id; closes at the end whatever is still open."""
    journals: list[Journal] = []

    def open_journal(boot_id: str = "boot-1", **changes: object) -> Journal:
        arguments = {"station_id": "station-1", "line_id": "line-1", "clock": SystemClock()} | changes
        journals.append(Journal.open(path, boot_id=boot_id, **arguments))  # type: ignore[arg-type]
        return journals[-1]

    yield open_journal
    for journal in journals:
        await journal.close()


def trigger(number: int, part_id: str = "") -> Trigger:
    return Trigger(
        number=number,
        part_id=part_id or f"part-{number}",
        received_utc_ns=1_000 + number,
        received_mono_ns=2_000 + number,
        due_mono_ns=3_000 + number,
        encoder_count=10 * number,
    )


def verdict(
    sequence: int, trigger_number: int = 0, outcome: Outcome = Outcome.PASS, part_id: str = ""
) -> VerdictRecord:
    number = trigger_number or sequence
    return VerdictRecord(
        sequence=sequence,
        trigger_number=number,
        part_id=part_id or f"part-{number}",
        outcome=outcome,
        reason=0,
        decided_utc_ns=5_000 + sequence,
        payload=f"verdict {sequence}".encode(),
    )


async def answer(journal: Journal, count: int) -> None:
    """Opens and passes the next `count` triggers; returns when all is durable."""
    last = None
    for _ in range(count):
        number = journal.next_trigger_number
        journal.open_trigger(trigger(number))
        last = journal.append(verdict(journal.next_sequence, number))
    if last is not None:
        await last


async def test_numbers_go_on_after_a_restart_and_unanswered_triggers_are_named(opened: Open) -> None:
    first = opened("boot-1")
    await answer(first, 3)
    first.open_trigger(trigger(4))
    await first.open_trigger(trigger(5, "left behind"))
    await first.close()

    second = opened("boot-2")

    assert (trigger(4), trigger(5, "left behind")) == second.unfinished
    assert (second.next_trigger_number, second.next_sequence) == (6, 4)
    assert Counters(triggers=5, passed=3, in_flight=2) == second.counters()

    second.append(verdict(4, 5, Outcome.NOT_INSPECTED))
    await second.append(verdict(5, 4, Outcome.NOT_INSPECTED))

    assert Counters(triggers=5, passed=3, not_inspected=2) == second.counters()
    await second.close()
    assert opened("boot-3").unfinished == ()


async def test_counters_count_what_is_durable_by_outcome(opened: Open) -> None:
    journal = opened()
    for number, outcome in enumerate((Outcome.PASS, Outcome.FAIL, Outcome.FAIL, Outcome.NOT_INSPECTED), start=1):
        journal.open_trigger(trigger(number))
        journal.append(verdict(number, outcome=outcome))
    journal.open_trigger(trigger(5))
    await journal.note_late(4, "PASS 31 ms after the due time")

    expected = Counters(triggers=5, passed=1, failed=2, not_inspected=1, in_flight=1, late=1)
    assert expected == journal.counters()
    await journal.close()
    assert expected == opened("boot-2").counters()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        pytest.param(verdict(3, 2), "is not the next one", id="a gap"),
        pytest.param(verdict(1, 2), "is not the next one", id="a repetition"),
        pytest.param(verdict(2, 1), "which is not open", id="a second answer"),
        pytest.param(verdict(2, 9), "which is not open", id="an answer to nothing"),
    ],
)
async def test_a_verdict_out_of_order_or_to_no_open_trigger_is_refused(
    opened: Open, record: VerdictRecord, words: str
) -> None:
    journal = opened()
    await answer(journal, 1)
    journal.open_trigger(trigger(2))

    with pytest.raises(JournalFault, match=words):
        journal.append(record)

    await journal.append(verdict(2))
    assert journal.last_sequence == 2


async def test_a_trigger_number_that_is_not_the_next_is_refused(opened: Open) -> None:
    journal = opened()

    for number in (0, 2):
        with pytest.raises(JournalFault, match="is not the next one"):
            journal.open_trigger(trigger(number))


async def test_a_part_id_that_is_not_unicode_is_refused_and_stops_nothing(opened: Open) -> None:
    journal = opened()

    with pytest.raises(JournalFault, match="not Unicode"):
        journal.open_trigger(trigger(1, "part-\udcff"))

    await answer(journal, 1)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO verdicts SELECT 9, 3, 'p', 1, 0, 1, payload, chain FROM verdicts WHERE sequence = 1",
        "INSERT INTO verdicts SELECT 3, 2, 'p', 1, 0, 1, payload, chain FROM verdicts WHERE sequence = 1",
        "INSERT INTO open_triggers VALUES (2, 'p', 1, 1, 1, NULL, 0)",
        "INSERT INTO open_triggers VALUES (9, 'p', 1, 1, 1, NULL, 0)",
        "UPDATE verdicts SET outcome = 1",
        "DELETE FROM verdicts",
        "DELETE FROM open_triggers",
    ],
)
async def test_the_file_itself_refuses_what_would_break_a_promise(opened: Open, path: Path, sql: str) -> None:
    journal = opened()
    await answer(journal, 2)
    await journal.open_trigger(trigger(3))
    await journal.close()
    connection = sqlite3.connect(path)
    try:
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(sql)
    finally:
        connection.close()


async def test_an_altered_and_a_removed_record_are_found_and_named(opened: Open, path: Path) -> None:
    journal = opened()
    await answer(journal, 6)
    await journal.close()
    connection = sqlite3.connect(path)
    assert list(verify_chain(connection)) == []

    connection.execute("DROP TRIGGER verdicts_are_never_changed")
    connection.execute("DROP TRIGGER verdicts_are_never_removed")
    connection.execute("UPDATE verdicts SET outcome = 2 WHERE sequence = 2")
    connection.execute("DELETE FROM verdicts WHERE sequence = 4")
    connection.execute("DELETE FROM verdicts WHERE sequence = 6")

    found = [problem.what for problem in verify_chain(connection)]
    connection.close()
    assert found[0] == "verdict 2 (trigger 2) was altered, or its predecessor was"
    assert found[1] == "verdict 4 is missing before 5"
    assert found[2] == "6 verdicts were counted when written, but the last one here is 5"


async def test_a_journal_whose_end_was_altered_refuses_to_open(opened: Open, path: Path) -> None:
    journal = opened()
    await answer(journal, 3)
    await journal.close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER verdicts_are_never_changed")
    connection.execute("UPDATE verdicts SET payload = x'00' WHERE sequence = 3")
    connection.commit()
    connection.close()

    with pytest.raises(ConfigError, match="damaged: verdict 3"):
        opened("boot-2")


async def test_a_damaged_file_a_foreign_file_and_a_newer_one_are_refused(opened: Open, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(ConfigError, match="is damaged: file is not a database"):
        opened()

    path.unlink()
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE recipes (name)")
    foreign.close()
    with pytest.raises(ConfigError, match="of another program"):
        opened()

    path.unlink()
    await opened("boot-1").close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ConfigError, match="schema version 99; expected at most 1"):
        opened("boot-2")


async def test_a_page_overwritten_with_rubbish_is_found_at_the_start(opened: Open, path: Path) -> None:
    journal = opened()
    await answer(journal, 500)
    await journal.close()
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xa5" * 64
    path.write_bytes(data)

    with pytest.raises(ConfigError, match="is damaged"):
        opened("boot-2")


async def test_another_stations_journal_and_a_used_boot_id_are_refused(opened: Open) -> None:
    await opened("boot-1").close()

    with pytest.raises(ConfigError, match="belongs to line 'line-1', station 'station-1'"):
        opened("boot-2", station_id="station-2")
    with pytest.raises(ConfigError, match="boot id 'boot-1' is in the journal already"):
        opened("boot-1")


async def test_two_stations_cannot_open_one_journal(opened: Open, path: Path) -> None:
    """Neither in this process nor in another; the message names the process that has it."""
    journal = opened()
    with pytest.raises(ConfigError, match="is in use by process"):
        opened("boot-2")

    holder = await asyncio.to_thread(_open_elsewhere, path)
    await journal.close()

    assert f"in use by process {os.getpid()}" in holder
    assert await asyncio.to_thread(_open_elsewhere, path) == "opened"


def _open_elsewhere(path: Path) -> str:
    script = """
import sys, uuid
from pathlib import Path
from lineside.core.clock import SystemClock
from lineside.core.errors import ConfigError
from lineside.journal.journal import Journal
try:
    path, boot_id = Path(sys.argv[1]), uuid.uuid4().hex
    Journal.open(path, boot_id=boot_id, station_id="station-1", line_id="line-1", clock=SystemClock())
except ConfigError as error:
    print(error)
else:
    print("opened")
"""
    return subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    ).stdout.strip()


async def test_events_and_what_became_of_images_are_kept(opened: Open, path: Path) -> None:
    journal = opened()
    events = [StationEvent(utc_ns=n, kind="camera_lost", detail=f"unplugged {n}") for n in range(3)]
    for event in events:
        journal.note_event(event)
    image = ImageRecord(
        image_id="000000000001-top", trigger_number=1, view="top", state=ImageState.PENDING, outcome=Outcome.FAIL,
        pixel_format=PixelFormat.MONO8, width_px=4, height_px=3,
    )  # fmt: skip
    journal.note_image(image)
    journal.note_expired([image.image_id], "removed by retention")
    journal.note_image(replace(image, image_id="000000000002-top", trigger_number=2))
    await journal.note_event(StationEvent(utc_ns=9, kind="paused", detail="lunch"))

    assert tuple(event.detail for event in journal.recent_events(2)) == ("unplugged 2", "lunch")
    queries = JournalQueries(journal, path.parent / "images")
    (kept,) = await queries.images_of(1)
    await queries.close()
    assert (kept.state, kept.detail) == (ImageState.EXPIRED, "removed by retention")
    await journal.close()

    again = opened("boot-2")
    queries = JournalQueries(again, path.parent / "images")
    (unconfirmed,) = await queries.images_of(2)
    await queries.close()
    assert again.recent_events(3)[0] == events[1]
    assert (unconfirmed.state, unconfirmed.detail) == (ImageState.FAILED, "the station ended before it was confirmed")


async def test_a_named_reader_finds_its_cursor_after_a_restart(opened: Open, path: Path) -> None:
    journal = opened()
    await answer(journal, 5)
    queries = JournalQueries(journal, path.parent / "images")

    assert await queries.cursor("bridge") == 0
    assert await queries.acknowledge("bridge", 3) == 3
    for wrong in (2, 6):
        with pytest.raises(InvalidRequest, match=f"acknowledges verdict {wrong}; expected 3"):
            await queries.acknowledge("bridge", wrong)
    with pytest.raises(InvalidRequest, match="reader name"):
        await queries.acknowledge("", 1)
    await queries.close()
    await journal.close()

    assert opened("boot-2").cursor("bridge") == 3


async def test_verdicts_are_found_by_number_and_listed_by_what_is_asked(opened: Open, path: Path) -> None:
    journal = opened()
    for number in range(1, 7):
        journal.open_trigger(trigger(number))
    for sequence, number in enumerate((2, 1, 3, 4, 6, 5), start=1):
        outcome = Outcome.FAIL if number % 2 else Outcome.PASS
        durable = journal.append(verdict(sequence, number, outcome, part_id="same" if number > 4 else ""))
    await durable
    queries = JournalQueries(journal, path.parent / "images")

    async def listed(**query: object) -> list[int]:
        return [record.sequence for record in await queries.list(VerdictQuery(**query))]  # type: ignore[arg-type]

    try:
        assert verdict(2, 1, Outcome.FAIL) == await queries.get(trigger_number=1) == await queries.get(sequence=2)
        assert await listed(limit=2) == [1, 2]
        assert await listed(after_sequence=2, limit=2) == [3, 4]
        assert await listed(after_sequence=4, limit=2, newest_first=True) == [3, 2]
        assert await listed(outcomes=(Outcome.FAIL, Outcome.NOT_INSPECTED)) == [2, 3, 6]
        assert await listed(part_id="same") == [5, 6]
        assert await listed(from_utc_ns=5_002, to_utc_ns=5_004) == [2, 3]
        two_bytes = sum(len(record.payload) for record in await queries.list(VerdictQuery(limit=2)))
        assert await listed(max_bytes=two_bytes) == [1, 2, 3]  # the one beyond the bound shows that there are more
        assert await listed(max_bytes=two_bytes - 1) == [1, 2]
        assert await listed(max_bytes=1) == [1]
        with pytest.raises(NotFound, match="no verdict with trigger number 7; expected verdicts 1 to 6"):
            await queries.get(trigger_number=7)
        with pytest.raises(InvalidRequest, match="exactly one"):
            await queries.get(sequence=1, trigger_number=1)
        with pytest.raises(InvalidRequest, match="1 to 1000"):
            await listed(limit=1001)
    finally:
        await queries.close()


async def test_a_journal_that_is_taken_away_tells_nothing_and_loses_nothing(opened: Open, path: Path) -> None:
    """The file is moved away in use, then comes back: entries wait, in order; the station hears of both."""
    journal = opened()
    faults: asyncio.Queue[str] = asyncio.Queue()
    journal.watch(
        on_fault=lambda fault: faults.put_nowait(str(fault)), on_recovered=lambda: faults.put_nowait("well again")
    )
    await answer(journal, 1)
    path.rename(path.with_suffix(".away"))
    journal.open_trigger(trigger(2))
    durable = journal.append(verdict(2))

    assert "cannot be written" in await faults.get()
    assert not durable.done()
    assert (1, Counters(triggers=1, passed=1)) == (journal.last_sequence, journal.counters())
    assert journal.fault is not None

    path.with_suffix(".away").rename(path)
    await durable
    while await faults.get() != "well again":
        pass
    assert journal.fault is None
    assert journal.last_sequence == 2


async def test_when_too_much_waits_triggers_are_refused_but_accepted_ones_are_answered(
    opened: Open, path: Path
) -> None:
    journal = opened(max_pending=10)
    await answer(journal, 1)
    path.rename(path.with_suffix(".away"))
    numbers = range(2, 12)
    for number in numbers:
        journal.open_trigger(trigger(number))

    with pytest.raises(JournalFault, match="10 entries wait for the journal's disk; expected less than 10"):
        journal.open_trigger(trigger(12))

    durable = [journal.append(verdict(number)) for number in numbers]
    path.with_suffix(".away").rename(path)
    await asyncio.gather(*durable)
    assert Counters(triggers=11, passed=11) == journal.counters()


async def test_closing_in_time_makes_all_durable_and_says_so(opened: Open) -> None:
    journal = opened()
    journal.open_trigger(trigger(1))
    durable = journal.append(verdict(1))

    assert await journal.close()
    assert durable.done()
    assert await journal.close()
    with pytest.raises(JournalFault, match="is closed"):
        journal.open_trigger(trigger(2))


async def test_closing_while_the_disk_fails_gives_up_in_time_and_names_what_is_lost(opened: Open, path: Path) -> None:
    journal = opened()
    await answer(journal, 1)
    path.rename(path.with_suffix(".away"))
    journal.open_trigger(trigger(2))
    durable = journal.append(verdict(2))

    assert not await journal.close(timeout_s=0.2)
    with pytest.raises(JournalFault, match="closed before this became durable"):
        await durable
