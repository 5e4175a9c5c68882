"""One entry per trigger, closed exactly once and never later than its due time, whatever hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lineside.core.clock import Clock
from lineside.core.frame import MissedFrame
from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.recipe import ImageKeeping
from lineside.core.record import image_id
from lineside.core.status import Counters
from lineside.core.trigger import Trigger, clean_part_id
from lineside.core.verdict import ImageReference, Judgement, Latency, Outcome, Verdict
from lineside.supervise.frame_pool import FrameReference
from lineside.supervise.messages import Captures

__all__ = ["JudgedBy", "Ledger", "Part"]


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedBy:
    """What judges the parts that are opened from now on; named in each of their verdicts."""

    line_id: str
    station_id: str
    boot_id: str
    recipe: Identity
    calibration: Identity
    config_fingerprint: str
    keeping: ImageKeeping
    due_ms: int
    max_in_flight: int
    calibration_files: tuple[Identity, ...] = ()


@dataclass(slots=True, eq=False, kw_only=True)
class Part:
    """One part in flight: an open entry of the ledger, and what is known of it so far."""

    trigger: Trigger
    judged_by: JudgedBy
    part_id: str
    seen: bool = False
    """True from when its looks are there: it waits for an inspector."""
    closed: bool = False
    simulated: bool = False
    captured_utc_ns: int = 0
    frame_mono_ns: int = 0
    begun_mono_ns: int = 0
    done_mono_ns: int = 0
    images: tuple[ImageReference, ...] = ()
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def saw(self, captures: Captures, now_mono_ns: int) -> None:
        """The looks are there."""
        self.seen = True
        self.frame_mono_ns = now_mono_ns
        for view, look in captures.items():
            known = look.notice if isinstance(look, FrameReference) else look
            self.part_id = self.part_id or clean_part_id(known.part_id)
            if not isinstance(known, MissedFrame):
                self.captured_utc_ns = self.captured_utc_ns or known.captured_utc_ns
                self.simulated |= known.simulated
                name = image_id(self.trigger.number, view)
                self.images += (ImageReference(view=view, image_id=name, kept=True),)

    def judged(self, begun_mono_ns: int, done_mono_ns: int) -> None:
        """An inspector has looked at it between these times."""
        self.begun_mono_ns, self.done_mono_ns = begun_mono_ns, done_mono_ns


class Ledger:
    """The count equation in person. Lives on the event loop; its timers run on the monotonic clock.

    An entry that nobody closed by `margin_ns` before its due time is closed NOT_INSPECTED and handed to `on_overdue`:
    the margin leaves time to make the verdict durable and to tell it.
    """

    def __init__(
        self,
        *,
        counters: Counters,
        next_sequence: int,
        margin_ns: int,
        clock: Clock,
        why_overdue: Callable[[Part], Judgement],
        on_overdue: Callable[[Verdict], None],
    ) -> None:
        self._margin_ns = margin_ns
        self._clock = clock
        self._next_sequence = next_sequence
        self._why_overdue = why_overdue
        self._on_overdue = on_overdue
        self._open: dict[int, Part] = {}
        self._triggers = counters.triggers
        self._late = counters.late
        self._outcomes = {
            Outcome.PASS: counters.passed,
            Outcome.FAIL: counters.failed,
            Outcome.NOT_INSPECTED: counters.not_inspected,
        }

    def open(self, trigger: Trigger, judged_by: JudgedBy) -> Part:
        """Opens the entry and starts its clock. Raises: ValueError when the trigger already has an open entry."""
        if trigger.number in self._open:
            raise ValueError(f"trigger {trigger.number} is already open")
        part = Part(trigger=trigger, judged_by=judged_by, part_id=trigger.part_id)
        self._open[trigger.number] = part
        self._triggers += 1
        loop = asyncio.get_running_loop()  # its clock is CLOCK_MONOTONIC, as ours
        part.timer = loop.call_at(self.decide_by_mono_ns(part) / 1e9, self._overdue, part)
        return part

    def answer_unfinished(self, trigger: Trigger, judged_by: JudgedBy) -> Verdict:
        """The verdict of a trigger that an earlier start accepted and never answered; it is counted already.

        Its monotonic times are of another boot and mean nothing now: the verdict's latency and slack are 0.
        """
        now = self._clock.mono_ns()
        part = Part(
            trigger=replace(trigger, received_mono_ns=now, due_mono_ns=now),
            judged_by=judged_by,
            part_id=trigger.part_id,
        )
        self._open[trigger.number] = part
        return self._closed(part, Judgement.not_inspected(Reason.STATION_RESTARTED), now)

    def close(self, part: Part, judgement: Judgement) -> Verdict | None:
        """The part's one verdict; None when it already has one, and this answer is late."""
        if part.closed:
            self.count_late()
            return None
        now = self._clock.mono_ns()  # read once: the verdict's slack must say the same as this comparison
        if judgement.outcome is not Outcome.NOT_INSPECTED and now > part.trigger.due_mono_ns:
            # The loop itself was held up past the due time: an answer that cannot be used must not be told as PASS.
            detail = f"{judgement.outcome.name} was decided after the due time"
            judgement = Judgement.not_inspected(Reason.DUE_TIME, detail)
        return self._closed(part, judgement, now)

    def count_late(self) -> None:
        """An answer that the line can no longer use."""
        self._late += 1

    def close_all(self, reason: Reason) -> list[Verdict]:
        """Closes every open entry as NOT_INSPECTED, oldest trigger first."""
        judgement = Judgement.not_inspected(reason)
        now = self._clock.mono_ns()
        return [self._closed(part, judgement, now) for part in sorted(self._open.values(), key=_number)]

    def decide_by_mono_ns(self, part: Part) -> int:
        """When the ledger closes the entry if nobody else has."""
        return part.trigger.due_mono_ns - self._margin_ns

    def counters(self) -> Counters:
        """The counts, for which triggers = passed + failed + not_inspected + in_flight always holds."""
        return Counters(
            triggers=self._triggers,
            passed=self._outcomes[Outcome.PASS],
            failed=self._outcomes[Outcome.FAIL],
            not_inspected=self._outcomes[Outcome.NOT_INSPECTED],
            in_flight=len(self._open),
            late=self._late,
        )

    @property
    def in_flight(self) -> int:
        return len(self._open)

    def _overdue(self, part: Part) -> None:
        self._on_overdue(self._closed(part, self._why_overdue(part), self._clock.mono_ns()))

    def _closed(self, part: Part, judgement: Judgement, now_mono_ns: int) -> Verdict:
        del self._open[part.trigger.number]
        part.closed = True
        if part.timer is not None:
            part.timer.cancel()
        self._outcomes[judgement.outcome] += 1
        sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
        return _verdict(part, judgement, sequence, now_mono_ns, self._clock.utc_ns())


def _number(part: Part) -> int:
    return part.trigger.number


def _verdict(part: Part, judgement: Judgement, sequence: int, now_mono_ns: int, now_utc_ns: int) -> Verdict:
    trigger, by = part.trigger, part.judged_by
    latency = Latency(
        capture_ns=max(0, part.frame_mono_ns - trigger.received_mono_ns),
        queue_ns=max(0, part.begun_mono_ns - part.frame_mono_ns),
        inspect_ns=part.done_mono_ns - part.begun_mono_ns,
        infer_ns=judgement.infer_ns,
        decide_ns=now_mono_ns - trigger.received_mono_ns,
    )
    return Verdict(
        sequence=sequence,
        boot_id=by.boot_id,
        line_id=by.line_id,
        station_id=by.station_id,
        trigger=trigger,
        part_id=part.part_id,
        judgement=judgement,
        captured_utc_ns=part.captured_utc_ns,
        decided_utc_ns=now_utc_ns,
        decided_mono_ns=now_mono_ns,
        latency=latency,
        recipe=by.recipe,
        calibration=by.calibration,
        calibration_files=by.calibration_files,
        config_fingerprint=by.config_fingerprint,
        simulated=part.simulated,
        images=tuple(replace(image, kept=by.keeping.keeps(image.image_id, judgement)) for image in part.images),
    )
