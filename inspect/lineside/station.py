"""The life of a part, top to bottom: a trigger becomes looks, a judgement, one verdict, a record, and is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass

import structlog

from lineside.core.clock import Clock
from lineside.core.errors import NotReady
from lineside.core.ports import VerdictJournal
from lineside.core.reason import Reason
from lineside.core.recipe import Recipe
from lineside.core.trigger import Trigger
from lineside.core.verdict import Judgement, Verdict
from lineside.ledger import JudgedBy, Ledger, Part
from lineside.supervise.archivist import Archivist
from lineside.supervise.crew import Crew
from lineside.supervise.messages import Captures
from lineside.supervise.pools import Pools
from lineside.supervise.rig import Rig
from lineside.telling import Accepted, Teller

__all__ = ["Look", "Setup", "Station"]

_log = structlog.get_logger()

Look = Callable[[Trigger], Awaitable[Captures]]
"""Gets every view of the trigger's part: a frame or the reason why there is none. Never raises."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What judges: the recipe, the processes that carry it out, how verdicts name them. Replaced as a whole."""

    recipe: Recipe
    crew: Crew
    judged_by: JudgedBy


class Station:
    """Answers triggers. Lives on one event loop and does no heavy work on it: that is for the child processes."""

    def __init__(
        self,
        *,
        margin_ms: int,
        rig: Rig,
        journal: VerdictJournal,
        archivist: Archivist,
        pools: Pools,
        setup: Setup,
        encode: Callable[[Verdict], bytes],
        clock: Clock,
    ) -> None:
        self.rig, self.archivist, self.pools = rig, archivist, pools
        self.setup = setup
        self.paused = ""
        self.held: Callable[[], str] = lambda: ""
        """Why no part may be judged though all is at work: a check that is due; empty when nothing is."""
        self.wanted: asyncio.Future[Captures] | None = None
        """Set by who wants to see the next refused part; it then releases its frames."""
        self.stopping = False
        self._journal = journal
        self._clock = clock
        self._answering: set[asyncio.Task[None]] = set()
        self.ledger = Ledger(
            counters=journal.counters(),
            next_sequence=journal.next_sequence,
            margin_ns=margin_ms * 1_000_000,
            clock=clock,
            why_overdue=self._why_overdue,
            on_overdue=self._overdue,
        )
        self.teller = Teller(journal, encode, clock, on_late=self.ledger.count_late)

    async def answer(self, part: Part, look: Look, crew: Crew) -> None:
        """From an open entry to its verdict. What hinders it becomes NOT_INSPECTED with its reason."""
        captures = await look(part.trigger)
        part.saw(captures, self._clock.mono_ns())
        answer = await crew.judge(captures, decide_by_mono_ns=self.ledger.decide_by_mono_ns(part))
        part.judged(answer.begun_mono_ns, answer.done_mono_ns)
        number, keeping = part.trigger.number, part.judged_by.keeping
        judgement, settled = await self.archivist.secure(number, part.part_id, captures, answer.judgement, keeping)
        verdict = self.ledger.close(part, judgement)  # exactly once: None when the due time came first
        if verdict is None:
            self.teller.note_late(number, judgement.summary)
        else:
            self.teller.tell(verdict)  # recorded, then told
        self.archivist.keep_images(number, part.part_id, captures, verdict, settled)
        self.pools.release(captures)
        self.rig.refill()

    def accept(
        self,
        look: Look,
        *,
        part_id: str = "",
        encoder_count: int | None = None,
        due_ms: int | None = None,
        exposed: bool = False,
    ) -> Accepted:
        """Numbers a trigger, opens its entry and begins to answer it. `exposed`: the frames are there already.

        Raises: NotReady while stopping; JournalFault when the journal has no room for another part.
        """
        if self.stopping:
            raise NotReady("the station is stopping", remedy="trigger again when it is back")
        setup = self.setup  # a change-over takes place between two triggers: this part keeps what it began with
        trigger = Trigger(
            number=self._journal.next_trigger_number,
            part_id=part_id,
            received_utc_ns=self._clock.utc_ns(),
            received_mono_ns=(now := self._clock.mono_ns()),
            due_mono_ns=now + (setup.judged_by.due_ms if due_ms is None else due_ms) * 1_000_000,
            encoder_count=encoder_count,
        )
        accepted = self.teller.accept(trigger)
        refusal = self._refusal()
        part = self.ledger.open(trigger, setup.judged_by)
        if refusal is None:
            self._run(self.answer(part, look, setup.crew))
        else:
            self._run(self._refuse(part, refusal, look if exposed else None))
        return accepted

    def recover(self, unfinished: Sequence[Trigger]) -> None:
        """Called once, before the first trigger: answers what an earlier start accepted and never answered."""
        for trigger in unfinished:
            self.teller.expect(trigger.number)
            self.teller.tell(self.ledger.answer_unfinished(trigger, self.setup.judged_by))

    async def answered(self) -> None:
        """Waits until the parts that are in flight now have been answered, whatever comes after them."""
        if self._answering:
            await asyncio.wait(set(self._answering))

    async def settled(self) -> None:
        """Waits until no part is in flight."""
        while self._answering:
            await asyncio.wait(self._answering)

    async def drain(self, timeout_s: float) -> None:
        """Accepts no more, lets parts in flight be answered for so long, and closes the rest as NOT_INSPECTED.

        Returns when all verdicts are durable, or after as long again.
        """
        self.stopping = True
        if self._answering:
            await asyncio.wait(self._answering, timeout=timeout_s)
        for verdict in self.ledger.close_all(Reason.STATION_STOPPING):
            self.teller.tell(verdict)
        await self.teller.settled(timeout_s)

    def _refusal(self) -> Judgement | None:
        if self.paused:
            return Judgement.not_inspected(Reason.OPERATOR_OFFLINE, self.paused)
        if held := self.held():
            return Judgement.not_inspected(Reason.NOT_READY, held)
        limit = self.setup.judged_by.max_in_flight
        if self.ledger.in_flight >= limit:
            detail = f"{self.ledger.in_flight} parts are in flight, limit {limit}"
            return Judgement.not_inspected(Reason.QUEUE_FULL, detail)
        return None

    async def _refuse(self, part: Part, judgement: Judgement, look: Look | None) -> None:
        verdict = self.ledger.close(part, judgement)
        if verdict is not None:
            self.teller.tell(verdict)
        if look is not None:
            captures = await look(part.trigger)
            if self.wanted is not None and not self.wanted.done():
                self.wanted.set_result(captures)
            else:
                self.pools.release(captures)
            self.rig.refill()

    def _overdue(self, verdict: Verdict) -> None:
        self.teller.tell(verdict)

    def _why_overdue(self, part: Part) -> Judgement:
        if part.seen:
            lost, reasons, what = self.setup.crew.why_not_ready(), (Reason.DEVICE_LOST, Reason.DUE_TIME), "an inspector"
        else:
            lost, reasons, what = self.rig.why_not_ready(), (Reason.CAMERA_LOST, Reason.NO_FRAME), "a frame"
        detail = f"the due time came while waiting for {what}"
        return Judgement.not_inspected(reasons[0] if lost else reasons[1], f"{detail}: {lost}" if lost else detail)

    def _run(self, answering: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(answering)
        self._answering.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The part itself is safe: the ledger closes it at its due time. The defect must be seen.
            _log.critical("answering a part failed", exc_info=error)
