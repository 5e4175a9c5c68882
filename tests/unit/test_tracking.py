"""Reject tracking against a belt of unbounded integers: no PASS opens the gate for another part, whatever slips."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from lineside.bridges.tracking import Decision, Layout, Tracker, Why, due_ms, nearest
from lineside.core.errors import ConfigError

PITCH, GATE, WINDOW, LEAD, EYE, TOLERANCE = 1000, 3200, 200, 80, 2700, 150
WATCHDOG = 700
"""How far the belt may run until an output that no scan renews falls back."""


def layout(*, bits: int = 32, eye: bool = True) -> Layout:
    return Layout(
        gate_counts=GATE,
        window_counts=WINDOW,
        pitch_counts=PITCH,
        lead_counts=LEAD,
        eye_counts=EYE if eye else None,
        tolerance_counts=TOLERANCE if eye else 0,
        bits=bits,
    )


def raw(count: int, bits: int) -> int:
    return count % (1 << bits)


# One part.


def decided(tracker: Tracker, *counts: int) -> list[Decision]:
    return [decision for count in counts for decision in tracker.scan(count).decided]


def test_a_pass_in_time_opens_the_gate_around_the_part_for_the_stated_number_of_counts() -> None:
    tracker = Tracker(layout(eye=False), count=0)
    tracker.trigger(7, 0)
    assert tracker.verdict(7, passed=True)

    opened = [count for count in range(0, 4000, 10) if tracker.scan(count).accept]

    assert [GATE - WINDOW - LEAD, GATE + WINDOW - LEAD - 10] == [opened[0], opened[-1]]
    assert 2 * WINDOW // 10 == len(opened)


@pytest.mark.parametrize(
    ("verdicts", "why"), [([], Why.NO_VERDICT), ([False], Why.NOT_PASSED), ([True, False], Why.NOT_PASSED)]
)
def test_a_missing_a_bad_and_a_contradicted_verdict_reject(verdicts: list[bool], why: Why) -> None:
    tracker = Tracker(layout(eye=False), count=0)
    tracker.trigger(7, 0)
    for passed in verdicts:
        tracker.verdict(7, passed=passed)

    image = tracker.scan(GATE - WINDOW - LEAD)

    assert (Decision(part_id=7, accepted=False, why=why),) == image.decided
    assert (False, True) == (image.accept, image.reject)


def test_a_pass_after_the_last_safe_moment_is_of_no_use() -> None:
    tracker = Tracker(layout(eye=False), count=0)
    tracker.trigger(7, 0)
    tracker.scan(layout().commit_counts)

    assert not tracker.verdict(7, passed=True)
    assert not any(tracker.scan(count).accept for count in range(layout().commit_counts, 5000, 50))


def test_a_scan_that_comes_when_the_gate_can_no_longer_be_set_rejects() -> None:
    tracker = Tracker(layout(eye=False), count=0)
    tracker.trigger(7, 0)
    tracker.verdict(7, passed=True)

    assert [Decision(part_id=7, accepted=False, why=Why.SCAN_LATE)] == decided(tracker, GATE - LEAD + 1)


def test_a_second_trigger_for_one_part_rejects_it() -> None:
    tracker = Tracker(layout(eye=False), count=0)
    assert tracker.trigger(7, 0)
    assert not tracker.trigger(8, 30)
    tracker.verdict(7, passed=True)

    assert [Decision(part_id=7, accepted=False, why=Why.SECOND_TRIGGER)] == decided(tracker, layout().commit_counts)
    assert not tracker.verdict(8, passed=True)


def test_an_id_that_is_on_the_belt_twice_rejects_both() -> None:
    tracker = Tracker(layout(eye=False), count=0)
    tracker.trigger(7, 0)
    assert not tracker.trigger(7, PITCH)
    tracker.verdict(7, passed=True)

    assert [False, False] == [each.accepted for each in decided(tracker, 3000, 4000)]


def test_after_a_restart_parts_are_rejected_until_the_unknown_ones_have_gone_by() -> None:
    tracker = Tracker(layout(), count=0)
    tracker.trigger(7, 100)
    tracker.trigger(8, EYE + 100)
    for part_id in (7, 8):
        tracker.verdict(part_id, passed=True)
    first = decided(tracker, 500)
    assert tracker.arrival(600), "an unknown part is no surprise now"
    tracker.arrival(EYE + 100)
    first += decided(tracker, EYE + 100, 100 + GATE - WINDOW)
    tracker.arrival(2 * EYE + 100)

    assert [Decision(part_id=7, accepted=False, why=Why.IN_DOUBT)] == first
    assert [Decision(part_id=8, accepted=True, why=Why.PASSED)] == decided(tracker, EYE + 100 + GATE - WINDOW - LEAD)


def test_a_pass_that_was_decided_is_taken_back_when_tracking_is_lost_before_the_gate() -> None:
    tracker = Tracker(layout(), count=0, belt_empty=True)
    tracker.trigger(7, 0)
    tracker.verdict(7, passed=True)
    tracker.arrival(EYE)
    assert [True] == [each.accepted for each in decided(tracker, layout().commit_counts)]
    assert not tracker.arrival(layout().commit_counts + 20), "nothing is expected here"

    image = tracker.scan(GATE - 100)

    assert (Decision(part_id=7, accepted=False, why=Why.TRACKING_LOST),) == image.decided
    assert not image.accept


# Layouts and times.


@pytest.mark.parametrize(
    "wrong",
    [
        {"bits": 24},
        {"window_counts": 0},
        {"window_counts": 400},
        {"lead_counts": 3100},
        {"eye_counts": 2900},
        {"bits": 16, "gate_counts": 20_000},
    ],
)
def test_a_layout_that_cannot_work_is_refused(wrong: dict[str, int]) -> None:
    fine = {"gate_counts": GATE, "window_counts": WINDOW, "pitch_counts": PITCH, "lead_counts": LEAD, "bits": 32}
    fine |= {"eye_counts": EYE, "tolerance_counts": TOLERANCE}
    Layout(**fine)

    with pytest.raises(ConfigError):
        Layout(**{**fine, **wrong})


def test_the_due_time_ends_at_the_last_safe_moment() -> None:
    assert 2920 == layout().commit_counts
    assert 730 == due_ms(layout(), counts_per_s=4000)
    assert 705 == due_ms(layout(), counts_per_s=4000, travelled_counts=99)
    assert 645 == due_ms(layout(), counts_per_s=4000, travelled_counts=99, margin_ms=60)
    assert 0 == due_ms(layout(), counts_per_s=4000, travelled_counts=2920)


@given(count=st.integers(-(2**40), 2**40), move=st.integers(-(2**15), 2**15 - 1), bits=st.sampled_from([16, 32]))
def test_a_count_is_found_again_behind_any_wrap(count: int, move: int, bits: int) -> None:
    assert count + move == nearest(raw(count + move, bits), count, bits)


# Many parts, against a belt of unbounded integers.


@dataclass
class Run:
    """A belt that moves `step` counts a scan; the encoder shows `slips` more or less from given moments on."""

    gaps: list[int]
    good: list[bool]
    delays: list[int | None]
    steps: list[int]
    slips: dict[int, int] = field(default_factory=dict)
    start: int = 0
    bits: int = 32
    eye: bool = True
    passed: list[int] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def go(self) -> Run:
        """Parts pass sensor, eye and gate by the belt's own way; the tracker knows the encoder only."""
        tracker = Tracker(layout(bits=self.bits, eye=self.eye), count=raw(self.start, self.bits), belt_empty=True)
        places = [sum(self.gaps[: index + 1]) for index in range(len(self.gaps))]
        verdict_at = [
            None if delay is None else place + delay for place, delay in zip(places, self.delays, strict=True)
        ]
        belt = slip = 0
        accept = False
        turn = 0
        while belt < places[-1] + GATE + 10 * PITCH:
            step = self.steps[turn % len(self.steps)]
            before, belt = belt, belt + step
            slip_before, slip = slip, slip + self.slips.get(turn, 0)
            turn += 1
            # The gate stands as it was told when the belt was the lead farther back.
            held = min(belt, before + WATCHDOG)
            self.passed += [i for i, place in enumerate(places) if accept and before < place + GATE - LEAD <= held]

            def shown(at: int, slip_then: int = slip_before) -> int:
                return raw(at + slip_then + self.start, self.bits)

            triggered = [i for i, place in enumerate(places) if before < place <= belt]
            for index in reversed(triggered):  # told out of order
                tracker.trigger(index, shown(places[index]))
            if self.eye:
                for place in (place for place in places if before < place + EYE <= belt):
                    tracker.arrival(shown(place + EYE))
            for index, at in enumerate(verdict_at):
                if at is not None and before < at <= belt:
                    tracker.verdict(index, passed=self.good[index])
            image = tracker.scan(raw(belt + slip + self.start, self.bits))
            accept = image.accept
            self.decisions += image.decided
        return self


def a_run(*, slips: bool, eye: bool = True) -> st.SearchStrategy[Run]:
    def of_length(count: int) -> st.SearchStrategy[Run]:
        def all_of(each: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
            return st.lists(each, min_size=count, max_size=count)

        return st.builds(
            Run,
            gaps=all_of(st.integers(PITCH, PITCH + 700)),
            good=all_of(st.booleans()),
            delays=all_of(st.none() | st.integers(0, 4000)),
            steps=st.lists(st.integers(20, 90) | st.sampled_from([700, 2500]), min_size=1, max_size=6),
            slips=st.dictionaries(
                st.integers(0, 300),
                st.integers(-3000, 3000) | st.sampled_from([PITCH, -PITCH, 2 * PITCH]),
                max_size=3,
            )
            if slips
            else st.just({}),
            start=st.integers(-(2**17), 2**17),
            bits=st.sampled_from([16, 32]),
            eye=st.just(eye),
        )

    return st.integers(1, 9).flatmap(of_length)


@settings(max_examples=80, deadline=None)
@given(run=a_run(slips=True))
def test_whatever_slips_only_good_parts_get_past_the_gate(run: Run) -> None:
    run.go()

    event(f"accepted: {bool(run.passed)}, lost: {any(each.why == Why.TRACKING_LOST for each in run.decisions)}")
    assert [] == [index for index in run.passed if not run.good[index]]


@settings(max_examples=40, deadline=None)
@given(run=a_run(slips=False), eye=st.booleans())
def test_without_slip_exactly_the_parts_with_a_pass_in_time_get_past(run: Run, eye: bool) -> None:
    run.steps, run.eye = [step for step in run.steps if step <= 90] or [50], eye
    run.go()

    longest = max(run.steps)
    commit = layout().commit_counts
    certainly = {i for i, delay in enumerate(run.delays) if run.good[i] and delay is not None and delay <= commit}
    possibly = {
        i for i, delay in enumerate(run.delays) if run.good[i] and delay is not None and delay <= commit + longest
    }
    assert certainly <= set(run.passed) <= possibly


@settings(max_examples=30, deadline=None)
@given(run=a_run(slips=True), bits=st.sampled_from([16, 32]))
def test_where_the_count_wraps_makes_no_difference(run: Run, bits: int) -> None:
    run.bits = bits
    elsewhere = Run(**{**vars(run), "start": 0, "bits": 32, "passed": [], "decisions": []}).go()
    run.go()

    assert elsewhere.decisions == run.decisions
    assert elsewhere.passed == run.passed


def test_every_part_is_decided_once_where_nothing_slips() -> None:
    run = Run(gaps=[PITCH] * 10, good=[True, False] * 5, delays=[500] * 10, steps=[40, 700]).go()

    assert list(range(10)) == [each.part_id for each in run.decisions]


def test_a_slip_of_one_pitch_costs_parts_and_then_tracking_is_back() -> None:
    run = Run(gaps=[PITCH] * 20, good=[True] * 20, delays=[500] * 20, steps=[40], slips={200: PITCH}).go()

    lost = {each.part_id for each in run.decisions if not each.accepted}
    assert 3 <= len(lost) <= 8, lost
    assert set(range(12, 20)) <= set(run.passed) <= set(range(20)) - lost
    assert {Why.TRACKING_LOST, Why.IN_DOUBT} == {each.why for each in run.decisions if not each.accepted}


def test_without_the_eye_a_slip_of_one_pitch_lets_the_wrong_part_through() -> None:
    """What the eye is there for; and this belt would show it if the tracker with an eye did so."""
    run = Run(gaps=[PITCH] * 8, good=[True, False] * 4, delays=[500] * 8, steps=[40], slips={100: PITCH}, eye=False)

    assert [index for index in run.go().passed if not run.good[index]]
