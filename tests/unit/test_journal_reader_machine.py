"""Named readers against a plain model: they read, acknowledge, die and come back, over restarts of the journal."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lineside.core.clock import SystemClock
from lineside.core.errors import InvalidRequest
from lineside.core.record import VerdictRecord
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome
from lineside.journal.feed import JournalFeed
from lineside.journal.journal import Journal
from lineside.journal.queries import JournalQueries

KEPT_IN_MEMORY = 6
"""So few that readers are often behind what is kept, and read from the file."""

READERS = st.sampled_from(["plc", "page", "archive"])


class JournalReaders(RuleBasedStateMachine):
    """The model: a list of payloads, and for each reader how far it has read and how far it has acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.boots = 0
        self.told: list[bytes] = []
        self.position: dict[str, int] = {}
        self.cursors: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        self.boots += 1
        self.journal = Journal.open(
            self.folder / "journal.sqlite",
            boot_id=f"boot-{self.boots}",
            station_id="station",
            line_id="line",
            clock=SystemClock(),
        )
        self.feed = JournalFeed(self.journal, keep=KEPT_IN_MEMORY)
        self.queries = JournalQueries(self.journal, self.folder / "images")

    async def close(self) -> None:
        await self.feed.close()
        await self.queries.close()
        assert await self.journal.close()

    def teardown(self) -> None:
        self.runner.run(self.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 9), size=st.integers(1, 60))
    def parts_pass_by(self, count: int, size: int) -> None:
        async def judge() -> None:
            for _ in range(count):
                number = len(self.told) + 1
                payload = number.to_bytes(4, "big") * size
                self.journal.open_trigger(
                    Trigger(number=number, part_id="", received_utc_ns=1, received_mono_ns=1, due_mono_ns=1)
                )
                record = VerdictRecord(
                    sequence=number,
                    trigger_number=number,
                    part_id="",
                    outcome=Outcome.PASS,
                    reason=0,
                    decided_utc_ns=1,
                    payload=payload,
                )
                self.told.append(payload)
                durable = self.journal.append(record)
            await durable

        self.runner.run(judge())

    @rule(reader=READERS, max_records=st.sampled_from([1, 4, 5, 12]), max_bytes=st.sampled_from([1, 300, 100_000]))
    def reader_reads(self, reader: str, max_records: int, max_bytes: int) -> None:
        """From where it is, or from its cursor when it has just come (back): the next ones, in order, none twice."""
        at = self.position.get(reader)
        if at is None:
            at = self.runner.run(self.queries.cursor(reader))
            assert at == self.cursors.get(reader, 0)
        records = self.runner.run(self.feed.read(at, max_records=max_records, max_bytes=max_bytes))

        assert [record.payload for record in records] == self.told[at : at + len(records)]
        assert [record.sequence for record in records] == list(range(at + 1, at + 1 + len(records)))
        assert len(records) <= max_records
        assert sum(len(record.payload) for record in records) <= max_bytes or len(records) == 1
        assert records or at == len(self.told), "a reader that is behind gets something"
        self.position[reader] = at + len(records)

    @rule(reader=READERS, share=st.floats(0, 1))
    def reader_acknowledges(self, reader: str, share: float) -> None:
        """Something between its cursor and what it has read."""
        low, high = self.cursors.get(reader, 0), self.position.get(reader, 0)
        if high < low:
            return
        sequence = low + round(share * (high - low))
        assert self.runner.run(self.queries.acknowledge(reader, sequence)) == sequence
        self.cursors[reader] = sequence

    @rule(reader=READERS, beyond=st.integers(1, 5))
    def reader_acknowledges_what_it_may_not(self, reader: str, beyond: int) -> None:
        for wrong in (len(self.told) + beyond, self.cursors.get(reader, 0) - beyond):
            try:
                self.runner.run(self.queries.acknowledge(reader, wrong))
            except InvalidRequest:
                continue
            raise AssertionError(f"{wrong} was taken")

    @rule(reader=READERS, bursts=st.lists(st.integers(1, 9), min_size=1, max_size=4))
    def reader_keeps_up(self, reader: str, bursts: list[int]) -> None:
        """Live: it reads what is left, and then every burst as it comes."""
        for count in (0, *bursts):
            if count:
                self.parts_pass_by(count, size=10)
            while self.position.get(reader, -1) < len(self.told):
                self.reader_reads(reader, max_records=12, max_bytes=100_000)

    @rule(reader=READERS)
    def reader_is_killed(self, reader: str) -> None:
        self.position.pop(reader, None)

    @rule()
    def station_restarts(self) -> None:
        self.runner.run(self.close())
        self.open()
        self.position.clear()

    @invariant()
    def the_feed_ends_where_the_record_ends(self) -> None:
        assert self.feed.last_sequence == self.journal.last_sequence == len(self.told)

    @invariant()
    def cursors_are_where_they_were_left(self) -> None:
        for reader, sequence in self.cursors.items():
            assert self.journal.cursor(reader) == sequence


def test_named_readers_get_each_verdict_in_order_whatever_happens_to_them_and_to_the_station() -> None:
    run_state_machine_as_test(
        JournalReaders, settings=settings(max_examples=20, stateful_step_count=20, deadline=None, database=None)
    )
