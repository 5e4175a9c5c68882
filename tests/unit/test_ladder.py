"""The disk-pressure ladder: pass samples go first, reject images last, and nothing flutters."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from lineside.core.errors import ConfigError
from lineside.core.verdict import Outcome
from lineside.journal.ladder import ArchiveLimits, Step, next_step

LIMITS = ArchiveLimits(max_bytes=2000, min_free_bytes=500)  # one step is 100 bytes high
REJECTS = (Outcome.FAIL, Outcome.NOT_INSPECTED)


def walk(rooms: list[int], *, has_passes: bool = True) -> list[Step]:
    """The steps taken while the disk leaves so much room, one after another."""
    step, steps = Step.NORMAL, []
    for room in rooms:
        step = next_step(step, LIMITS, free_bytes=500 + room, used_bytes=0, has_passes=has_passes)
        steps.append(step)
    return steps


def test_each_step_is_taken_as_the_disk_fills_and_left_again_only_with_room_to_spare() -> None:
    assert walk([200, 199, 99, 0]) == [Step.NORMAL, Step.NO_PASS_SAMPLES, Step.REMOVING_PASS_SAMPLES, Step.NO_IMAGES]
    assert walk([0, 49, 50, 199, 200, 299, 300]) == [
        Step.NO_IMAGES, Step.NO_IMAGES, Step.REMOVING_PASS_SAMPLES, Step.REMOVING_PASS_SAMPLES,
        Step.NO_PASS_SAMPLES, Step.NO_PASS_SAMPLES, Step.NORMAL,
    ]  # fmt: skip


def test_reject_images_are_removed_only_when_no_pass_sample_is_left() -> None:
    assert walk([50], has_passes=True) == [Step.REMOVING_PASS_SAMPLES]
    assert walk([50], has_passes=False) == [Step.REMOVING_REJECT_IMAGES]


@pytest.mark.parametrize(("step", "passes", "rejects"), [
    (Step.NORMAL, True, True),
    (Step.NO_PASS_SAMPLES, False, True),
    (Step.REMOVING_PASS_SAMPLES, False, True),
    (Step.REMOVING_REJECT_IMAGES, False, True),
    (Step.NO_IMAGES, False, False),
])  # fmt: skip
def test_what_each_step_still_stores(step: Step, passes: bool, rejects: bool) -> None:
    assert passes is step.stores(Outcome.PASS)
    assert [rejects, rejects] == [step.stores(outcome) for outcome in REJECTS]


@pytest.mark.parametrize(("free_bytes", "used_bytes"), [(560, 0), (10**6, 1940)], ids=["full disk", "full archive"])
def test_the_smaller_of_both_limits_counts(free_bytes: int, used_bytes: int) -> None:
    step = next_step(Step.NORMAL, LIMITS, free_bytes=free_bytes, used_bytes=used_bytes, has_passes=True)

    assert Step.REMOVING_PASS_SAMPLES is step


@given(present=st.sampled_from(Step), room=st.integers(-600, 700), less=st.integers(0, 300), has_passes=st.booleans())
def test_less_room_never_gives_up_less(present: Step, room: int, less: int, has_passes: bool) -> None:
    much, little = (
        next_step(present, LIMITS, free_bytes=500 + left, used_bytes=0, has_passes=has_passes)
        for left in (room, room - less)
    )

    assert little >= much


@given(present=st.sampled_from(Step), room=st.integers(-600, 700), has_passes=st.booleans())
def test_with_the_same_room_the_step_stays(present: Step, room: int, has_passes: bool) -> None:
    once = next_step(present, LIMITS, free_bytes=500 + room, used_bytes=0, has_passes=has_passes)

    assert once is next_step(once, LIMITS, free_bytes=500 + room, used_bytes=0, has_passes=has_passes)


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(ConfigError, match="max_bytes 0"):
        ArchiveLimits(max_bytes=0, min_free_bytes=0)
