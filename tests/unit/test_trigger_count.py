"""A camera's counters and the looks that the station had of it add up, or it is said by how much they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.core.frame import MissedFrame
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.supervise.frame_pool import FrameNotice
from lineside.supervise.trigger_count import TriggerCount


def frame(number: int, ignored: int | None) -> FrameNotice:
    return FrameNotice(
        view="top",
        shape=(2, 2),
        pixel_format=PixelFormat.MONO8,
        frame_id=number,
        captured_utc_ns=1,
        captured_mono_ns=1,
        camera_serial="S",
        part_id="",
        simulated=False,
        triggers_ignored=ignored,
    )


def missed(reason: Reason, ignored: int | None) -> MissedFrame:
    return MissedFrame(view="top", reason=reason, triggers_ignored=ignored)


OVER, LOST = Reason.OVERTRIGGER, Reason.FRAME_LOST


@given(st.lists(st.sampled_from(["frame", "lost", "ignored"]), max_size=30), st.integers(0, 9))
def test_a_camera_whose_every_trigger_had_its_look_adds_up(triggers: list[str], first_frame: int) -> None:
    count, frame_id, ignored = TriggerCount(), first_frame, 0
    for trigger in triggers:
        if trigger == "ignored":
            ignored += 1
            assert count.take(missed(OVER, ignored)) == ""
        else:
            frame_id += 1
            look = frame(frame_id, ignored) if trigger == "frame" else missed(LOST, ignored)
            assert count.take(look) == ""

    assert (count.ignored or 0, count.unexplained) == (ignored, 0)


def test_an_ignored_trigger_that_is_no_part_is_told_once_and_counted() -> None:
    count = TriggerCount()
    told = [count.take(look) for look in (frame(1, 0), frame(2, 2), frame(3, 2), missed(OVER, 3))]

    assert told == ["", "the camera says that it ignored 2 triggers, 0 parts got OVERTRIGGER for it: +2", "", ""]
    assert (count.ignored, count.unexplained) == (3, 2)


def test_a_part_named_as_ignored_of_which_the_camera_knows_nothing_is_told() -> None:
    count = TriggerCount()
    count.take(frame(1, 0))

    assert count.take(missed(OVER, 0)).endswith("it ignored 0 triggers, 1 part got OVERTRIGGER for it: -1")
    assert count.unexplained == 1


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([frame(1, 0), frame(4, 0)], "went from 1 to 4, the station had 0 looks without a frame between: +2"),
        ([frame(1, 0), missed(LOST, 0), frame(2, 0)], "went from 1 to 2, the station had 1 look without a frame"),
        ([frame(9, 0), frame(1, 0)], ""),
        ([frame(1, None), frame(4, None)], ""),
    ],
    ids=["exposed and never seen", "seen and never exposed", "begun anew", "no counter of ignored triggers"],
)
def test_the_frame_counter_is_held_against_the_looks(looks: list[FrameNotice | MissedFrame], told: str) -> None:
    count = TriggerCount()

    last = [count.take(look) for look in looks][-1]

    assert bool(last) == bool(told)
    assert told in last


def test_a_new_connection_begins_anew_and_the_sums_go_on() -> None:
    count = TriggerCount()
    for look in (frame(7, 0), missed(OVER, 1), frame(9, 1)):
        count.take(look)
    count.begin()
    told = [count.take(look) for look in (frame(1, 0), missed(OVER, 1), frame(2, 1))]

    assert told == ["", "", ""]
    assert (count.ignored, count.unexplained) == (2, 1)
