"""The ledger against a plain model of it: whatever happens in whatever order, one verdict for each trigger."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from lineside.core.frame import MissedFrame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.recipe import ImageKeeping
from lineside.core.status import Counters
from lineside.core.trigger import Trigger
from lineside.core.verdict import Judgement, Outcome, Verdict
from lineside.ledger import JudgedBy, Ledger, Part
from lineside.supervise.frame_pool import FrameNotice, FrameReference

MARGIN_NS = 20_000_000
JUDGED_BY = JudgedBy(
    line_id="line",
    station_id="station",
    boot_id="boot",
    recipe=Identity(id="plate", sha256="a"),
    calibration=Identity(id="station", sha256="b"),
    config_fingerprint="c",
    keeping=ImageKeeping(),
    due_ms=100,
    max_in_flight=16,
)
PASS = Judgement(outcome=Outcome.PASS, reason=Reason.NONE)
FAIL = Judgement(outcome=Outcome.FAIL, reason=Reason.DEFECTS)
DAMAGED = Judgement.not_inspected(Reason.FRAME_DAMAGED)
OVERDUE = Judgement.not_inspected(Reason.DUE_TIME, "nobody answered")


class HandClock:
    """Both clocks, moved by hand; each reading of the monotonic one takes a nanosecond, as a real reading does."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def mono_ns(self) -> int:
        self.now_ns += 1
        return self.now_ns

    def utc_ns(self) -> int:
        return self.now_ns


class HandLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers go by a clock that is moved by hand."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self._hand_clock = clock
        self.troubles: list[object] = []
        """What went wrong in callbacks, where an exception reaches nobody."""
        self.set_exception_handler(lambda loop, context: self.troubles.append(context))

    def time(self) -> float:
        return self._hand_clock.now_ns / 1e9

    def turn(self) -> None:
        """Lets timers run that are due now."""
        self.run_until_complete(asyncio.sleep(0))


def trigger_of(number: int, clock: HandClock, *, due_in_ns: int) -> Trigger:
    return Trigger(
        number=number,
        part_id=f"part {number}",
        received_utc_ns=clock.utc_ns(),
        received_mono_ns=clock.now_ns,
        due_mono_ns=clock.now_ns + due_in_ns,
    )


class LedgerMachine(RuleBasedStateMachine):
    """Opens, closes and lets time pass in any order, and keeps the books once more, plainly."""

    parts = Bundle("parts")

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.loop = HandLoop(self.clock)
        self.told: list[Verdict] = []
        self.open: dict[int, Part] = {}
        self.late = 0
        self.first_number = 1

    @initialize(unfinished=st.integers(0, 3), passed=st.integers(0, 5))
    def begin(self, unfinished: int, passed: int) -> None:
        """A journal with some verdicts, and parts that an earlier start left in flight."""
        self.before = Counters(triggers=passed + unfinished, passed=passed, in_flight=unfinished)
        self.ledger = Ledger(
            counters=self.before,
            next_sequence=passed + 1,
            margin_ns=MARGIN_NS,
            clock=self.clock,
            why_overdue=lambda part: OVERDUE,
            on_overdue=self.note_overdue,
        )
        for number in range(passed + 1, passed + unfinished + 1):
            verdict = self.ledger.answer_unfinished(trigger_of(number, self.clock, due_in_ns=5), JUDGED_BY)
            assert verdict.reason is Reason.STATION_RESTARTED
            self.told.append(verdict)
        self.first_number = passed + 1
        self.next_number = passed + unfinished + 1

    def note_overdue(self, verdict: Verdict) -> None:
        part = self.open.pop(verdict.trigger.number)
        assert self.clock.now_ns >= part.trigger.due_mono_ns - MARGIN_NS - 1_000, "not before it must be"
        assert verdict.judgement == OVERDUE
        self.told.append(verdict)

    @rule(target=parts, due_in_ms=st.integers(1, 200))
    def open_part(self, due_in_ms: int) -> Part:
        trigger = trigger_of(self.next_number, self.clock, due_in_ns=due_in_ms * 1_000_000)
        self.next_number += 1

        async def opened() -> Part:  # timers may run before and after it, this part's own among them
            part = self.open[trigger.number] = self.ledger.open(trigger, JUDGED_BY)
            return part

        return self.loop.run_until_complete(opened())

    @rule(part=parts, judgement=st.sampled_from([PASS, FAIL, DAMAGED]))
    def close_part(self, part: Part, judgement: Judgement) -> None:
        """Also parts that have their verdict: whatever comes then is late and told to nobody."""
        verdict = self.ledger.close(part, judgement)
        if self.open.pop(part.trigger.number, None) is None:
            assert verdict is None
            self.late += 1
            return
        assert verdict is not None
        if self.clock.now_ns <= part.trigger.due_mono_ns:
            assert verdict.judgement == judgement
        self.told.append(verdict)

    @rule(ms=st.integers(0, 150))
    def time_passes(self, ms: int) -> None:
        """The loop is held up: nothing runs meanwhile."""
        self.clock.now_ns += ms * 1_000_000

    @rule()
    def loop_turns(self) -> None:
        self.loop.turn()
        latest_ns = self.clock.now_ns - 1_000
        assert all(part.trigger.due_mono_ns - MARGIN_NS > latest_ns for part in self.open.values())

    @rule()
    def close_all(self) -> None:
        verdicts = self.ledger.close_all(Reason.STATION_STOPPING)
        assert [verdict.trigger.number for verdict in verdicts] == sorted(self.open)
        assert {verdict.reason for verdict in verdicts} <= {Reason.STATION_STOPPING}
        self.open.clear()
        self.told += verdicts

    @invariant()
    def nothing_went_wrong_in_a_timer(self) -> None:
        assert not self.loop.troubles

    @invariant()
    def books_agree(self) -> None:
        if not hasattr(self, "ledger"):
            return
        counters = self.ledger.counters()
        total = counters.passed + counters.failed + counters.not_inspected + counters.in_flight
        assert counters.triggers == total == self.next_number - 1
        assert counters.in_flight == self.ledger.in_flight == len(self.open)
        assert counters.late == self.late
        outcomes = [verdict.outcome for verdict in self.told]
        assert counters.passed == self.before.passed + outcomes.count(Outcome.PASS)
        assert counters.failed == outcomes.count(Outcome.FAIL)

    @invariant()
    def each_trigger_has_one_verdict_and_sequences_have_no_gap(self) -> None:
        sequences = [verdict.sequence for verdict in self.told]
        assert sequences == list(range(self.first_number, self.first_number + len(sequences)))
        numbers = [verdict.trigger.number for verdict in self.told]
        assert len(set(numbers)) == len(numbers)
        assert not set(numbers) & self.open.keys()

    @invariant()
    def no_pass_or_fail_is_late(self) -> None:
        for verdict in self.told:
            assert verdict.outcome is Outcome.NOT_INSPECTED or verdict.slack_ns >= 0

    def teardown(self) -> None:
        for part in self.open.values():
            if part.timer is not None:
                part.timer.cancel()
        self.loop.close()


def test_whatever_happens_the_books_balance() -> None:
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)
    )


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ledger(clock: HandClock) -> Ledger:
    return Ledger(
        counters=Counters(),
        next_sequence=1,
        margin_ns=MARGIN_NS,
        clock=clock,
        why_overdue=lambda part: OVERDUE,
        on_overdue=lambda verdict: None,
    )


async def test_an_answer_at_the_due_time_counts_and_one_after_it_does_not(clock: HandClock, ledger: Ledger) -> None:
    parts = [ledger.open(trigger_of(number, clock, due_in_ns=10**12), JUDGED_BY) for number in (1, 2)]
    due_ns = parts[0].trigger.due_mono_ns
    clock.now_ns = due_ns - 1  # the reading itself takes the last nanosecond
    in_time = ledger.close(parts[0], PASS)
    clock.now_ns = parts[1].trigger.due_mono_ns
    too_late = ledger.close(parts[1], PASS)
    assert in_time is not None
    assert too_late is not None
    assert (in_time.outcome, in_time.slack_ns) == (Outcome.PASS, 0)
    assert (too_late.outcome, too_late.reason) == (Outcome.NOT_INSPECTED, Reason.DUE_TIME)
    assert "PASS" in too_late.judgement.detail


async def test_a_trigger_is_opened_once(clock: HandClock, ledger: Ledger) -> None:
    trigger = trigger_of(1, clock, due_in_ns=10**12)
    ledger.open(trigger, JUDGED_BY)
    with pytest.raises(ValueError, match="trigger 1 is already open"):
        ledger.open(trigger, JUDGED_BY)
    ledger.close_all(Reason.STATION_STOPPING)


async def test_a_verdict_tells_what_was_seen_of_the_part(clock: HandClock, ledger: Ledger) -> None:
    trigger = Trigger(number=7, part_id="", received_utc_ns=1, received_mono_ns=clock.now_ns, due_mono_ns=10**15)
    part = ledger.open(trigger, JUDGED_BY)
    notice = FrameNotice(
        view="top",
        shape=(2, 2),
        pixel_format=PixelFormat.MONO8,
        frame_id=1,
        captured_utc_ns=55,
        captured_mono_ns=1,
        camera_serial="x",
        part_id="plate-1",
        simulated=True,
    )
    looks = {
        "top": FrameReference(pool="top", slot=0, notice=notice),
        "side": MissedFrame(view="side", reason=Reason.FRAME_LOST),
    }
    part.saw(looks, trigger.received_mono_ns + 5)
    part.judged(trigger.received_mono_ns + 7, trigger.received_mono_ns + 17)
    verdict = ledger.close(part, FAIL)
    assert verdict is not None
    assert (verdict.part_id, verdict.captured_utc_ns, verdict.simulated) == ("plate-1", 55, True)
    assert [(image.view, image.kept) for image in verdict.images] == [("top", True)]
    latency = verdict.latency
    assert (latency.capture_ns, latency.queue_ns, latency.inspect_ns) == (5, 2, 10)
    assert latency.decide_ns == verdict.decided_mono_ns - trigger.received_mono_ns
