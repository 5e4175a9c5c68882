"""From a verdict to whoever waits for it: recorded first, then told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from lineside.core.clock import Clock
from lineside.core.errors import JournalFault
from lineside.core.ports import VerdictJournal
from lineside.core.record import VerdictRecord
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome, Verdict

__all__ = ["Accepted", "Teller"]

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """An accepted trigger. `durable` is done when it is on disk, `told` when its verdict is."""

    trigger: Trigger
    durable: asyncio.Future[None]
    told: asyncio.Future[VerdictRecord]


class Teller:
    """Hands triggers and verdicts to the journal; the feed tells what is durable. Lives on the station's event loop."""

    def __init__(
        self,
        journal: VerdictJournal,
        encode: Callable[[Verdict], bytes],
        clock: Clock,
        *,
        on_late: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._encode = encode
        self._clock = clock
        self._on_late = on_late
        self._untold: dict[int, asyncio.Future[VerdictRecord]] = {}
        self._newest: asyncio.Future[VerdictRecord] | None = None

    def accept(self, trigger: Trigger) -> Accepted:
        """Records an accepted trigger. Raises: JournalFault when the journal has no room for another part."""
        durable = self._journal.open_trigger(trigger)
        return Accepted(trigger=trigger, durable=durable, told=self.expect(trigger.number))

    def expect(self, trigger_number: int) -> asyncio.Future[VerdictRecord]:
        """A verdict of this trigger will come."""
        told = self._untold[trigger_number] = asyncio.get_running_loop().create_future()
        return told

    def tell(self, verdict: Verdict) -> None:
        """Records a verdict; once it is durable the feed tells it."""
        record = VerdictRecord(
            sequence=verdict.sequence,
            trigger_number=verdict.trigger.number,
            part_id=verdict.part_id,
            outcome=verdict.outcome,
            reason=verdict.reason,
            decided_utc_ns=verdict.decided_utc_ns,
            payload=self._encode(verdict),
            due_mono_ns=verdict.trigger.due_mono_ns,
        )
        # Untold until it is durable: whoever asks before would not find it in the journal.
        told = self._newest = self._untold[verdict.trigger.number]
        told.add_done_callback(lambda _: self._untold.pop(verdict.trigger.number))
        self._journal.append(record).add_done_callback(lambda durable: self._hand_on(durable, told, record))

    def note_late(self, trigger_number: int, detail: str) -> None:
        """Records, for people, an answer that came after its part's verdict."""
        try:
            self._journal.note_late(trigger_number, detail)
        except JournalFault as error:  # notes give way when the disk is stuck; verdicts do not
            _log.error("a late answer was not noted", trigger_number=trigger_number, detail=detail, error=str(error))

    def told(self, trigger_number: int) -> asyncio.Future[VerdictRecord] | None:
        """The verdict to come of a trigger in flight; None when it is in the journal already, or never was."""
        return self._untold.get(trigger_number)

    async def settled(self, timeout_s: float) -> None:
        """Waits until every verdict handed in is durable, but not longer than that."""
        if self._newest is not None:  # verdicts become durable in order: the newest is the last
            await asyncio.wait({self._newest}, timeout=timeout_s)

    def _hand_on(
        self, durable: asyncio.Future[None], told: asyncio.Future[VerdictRecord], record: VerdictRecord
    ) -> None:
        if durable.cancelled() or durable.exception() is not None:
            told.cancel()
            return
        if not told.done():
            told.set_result(record)
        overdue_ns = self._clock.mono_ns() - record.due_mono_ns
        if overdue_ns > 0 and record.outcome is not Outcome.NOT_INSPECTED:  # whoever is told, is told that it is late
            self._on_late()
            detail = f"{record.outcome.name} was durable {overdue_ns / 1e6:.0f} ms after the due time"
            self.note_late(record.trigger_number, detail)
