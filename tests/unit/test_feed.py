"""The feed follows the journal: every durable verdict, in order, once, for any number of readers."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lineside.core.clock import SystemClock
from lineside.core.errors import InvalidRequest
from lineside.core.record import VerdictQuery, VerdictRecord
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome
from lineside.journal.feed import JournalFeed
from lineside.journal.journal import Journal
from lineside.journal.queries import JournalQueries


def open_journal(folder: Path, boot: int = 1) -> Journal:
    return Journal.open(
        folder / "journal.sqlite", boot_id=f"boot-{boot}", station_id="station-1", line_id="line-1", clock=SystemClock()
    )


def append(journal: Journal, outcome: Outcome = Outcome.PASS, payload: bytes = b"0123456789") -> VerdictRecord:
    number = journal.next_trigger_number
    journal.open_trigger(
        Trigger(number=number, part_id=f"part-{number}", received_utc_ns=1, received_mono_ns=1, due_mono_ns=2)
    )
    record = VerdictRecord(
        sequence=journal.next_sequence,
        trigger_number=number,
        part_id=f"part-{number}",
        outcome=outcome,
        reason=0,
        decided_utc_ns=number,
        payload=payload,
    )
    journal.append(record)
    return record


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = open_journal(tmp_path)
    yield journal
    await journal.close()


@pytest.fixture
async def feed(journal: Journal) -> AsyncIterator[JournalFeed]:
    feed = JournalFeed(journal, keep=16)
    yield feed
    await feed.close()


async def follow(feed: JournalFeed, until: int, *, max_records: int = 7) -> list[int]:
    """What a reader hears that handles everything to `until`."""
    heard: list[int] = []
    while not heard or heard[-1] < until:
        assert await feed.wait_beyond(heard[-1] if heard else 0, 30.0)
        records = await feed.read(heard[-1] if heard else 0, max_records=max_records, max_bytes=1 << 20)
        heard.extend(record.sequence for record in records)
    return heard


async def test_thirty_two_readers_each_hear_every_verdict_once_in_order(journal: Journal, feed: JournalFeed) -> None:
    readers = [asyncio.create_task(follow(feed, 300, max_records=1 + number)) for number in range(32)]
    for _ in range(30):
        for _ in range(10):
            append(journal)
        await asyncio.sleep(0)

    assert [list(range(1, 301))] * 32 == await asyncio.gather(*readers)


async def test_nothing_is_heard_before_it_is_durable(journal: Journal, feed: JournalFeed) -> None:
    append(journal)

    assert feed.last_sequence == 0
    assert feed.first_sequence == 1
    assert await feed.read(0, max_records=10, max_bytes=100) == ()

    assert await feed.wait_beyond(0, 30.0)
    assert (feed.first_sequence, feed.last_sequence) == (1, 1)


async def test_waiting_ends_when_the_time_is_over_and_when_cancelled(feed: JournalFeed) -> None:
    assert not await feed.wait_beyond(0, 0.01)

    waiting = asyncio.create_task(feed.wait_beyond(0, 30.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_read_ends_at_the_byte_limit_but_always_brings_one(journal: Journal, feed: JournalFeed) -> None:
    for _ in range(40):
        append(journal)
    await feed.wait_beyond(39, 30.0)

    for after in (0, 30):  # from the file, from memory
        assert len(await feed.read(after, max_records=10, max_bytes=25)) == 2
        assert len(await feed.read(after, max_records=10, max_bytes=1)) == 1
        assert len(await feed.read(after, max_records=3, max_bytes=1000)) == 3
    assert await feed.read(40, max_records=10, max_bytes=1000) == ()


async def test_a_reader_reads_on_where_it_was_before_a_restart(tmp_path: Path) -> None:
    first = open_journal(tmp_path)
    for _ in range(20):
        append(first)
    await first.close()
    second = open_journal(tmp_path, boot=2)
    feed = JournalFeed(second, keep=4)
    append(second)

    assert list(range(1, 22)) == await follow(feed, 21)
    await feed.close()
    await second.close()


class FeedAndJournalAgainstAList(RuleBasedStateMachine):
    """Feed, queries and restarts against a plain list of what was appended."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.model: list[VerdictRecord] = []
        self.cursors: dict[str, int] = {}
        self.boot = 0
        self.runner.run(self.start())

    async def start(self) -> None:
        self.boot += 1
        self.journal = open_journal(Path(self.folder.name), self.boot)
        self.feed = JournalFeed(self.journal, keep=5)
        self.queries = JournalQueries(self.journal, Path(self.folder.name))

    async def stop(self) -> None:
        await self.queries.close()
        await self.feed.close()
        assert await self.journal.close()

    @rule(
        outcomes=st.lists(st.sampled_from([Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED]), min_size=1, max_size=9)
    )
    def append(self, outcomes: list[Outcome]) -> None:
        async def run() -> None:
            self.model.extend(append(self.journal, outcome) for outcome in outcomes)
            assert await self.feed.wait_beyond(len(self.model) - 1, 30.0)

        self.runner.run(run())

    @rule()
    def restart(self) -> None:
        self.runner.run(self.stop())
        self.runner.run(self.start())

    @rule(after=st.integers(0, 60), max_records=st.integers(1, 12), max_bytes=st.integers(1, 100))
    def read(self, after: int, max_records: int, max_bytes: int) -> None:
        count = min(max_records, max(1, max_bytes // 10))  # every payload has ten bytes
        found = self.runner.run(self.feed.read(after, max_records=max_records, max_bytes=max_bytes))
        assert self.model[after : after + count] == list(found)

    @rule(
        after=st.integers(0, 60),
        limit=st.integers(1, 12),
        outcomes=st.sets(st.sampled_from([Outcome.PASS, Outcome.FAIL])),
        newest_first=st.booleans(),
    )
    def list_verdicts(self, after: int, limit: int, outcomes: set[Outcome], newest_first: bool) -> None:
        query = VerdictQuery(after_sequence=after, limit=limit, outcomes=tuple(outcomes), newest_first=newest_first)
        wanted = [record for record in self.model if not outcomes or record.outcome in outcomes]
        if newest_first:
            wanted = [record for record in reversed(wanted) if not after or record.sequence < after]
        else:
            wanted = [record for record in wanted if record.sequence > after]
        assert wanted[:limit] == list(self.runner.run(self.queries.list(query)))

    @rule(reader=st.sampled_from(["bridge", "page"]), sequence=st.integers(0, 60))
    def acknowledge(self, reader: str, sequence: int) -> None:
        if self.cursors.get(reader, 0) <= sequence <= len(self.model):
            self.runner.run(self.queries.acknowledge(reader, sequence))
            self.cursors[reader] = sequence
        else:
            with pytest.raises(InvalidRequest):
                self.runner.run(self.queries.acknowledge(reader, sequence))

    @invariant()
    def numbers_agree(self) -> None:
        assert len(self.model) == self.feed.last_sequence == self.journal.counters().triggers
        assert self.feed.first_sequence == 1
        for reader in ("bridge", "page"):
            assert self.cursors.get(reader, 0) == self.runner.run(self.queries.cursor(reader))

    def teardown(self) -> None:
        self.runner.run(self.stop())
        self.runner.close()
        self.folder.cleanup()


TestFeedAndJournalAgainstAList = FeedAndJournalAgainstAList.TestCase
TestFeedAndJournalAgainstAList.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
