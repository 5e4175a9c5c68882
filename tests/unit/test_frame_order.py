"""A frame that was delivered before, or is older than one that was, is never taken for the next part's."""

import numpy as np
import pytest

from lineside.core.frame import Frame, MissedFrame
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport
from lineside.core.reason import Reason
from lineside.supervise.frame_order import InOrder


class Script:
    """A camera that delivers frames of these numbers."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = list(numbers)

    def connect(self) -> CameraReport:
        return CameraReport(serial="S", model="M", pixel_format=PixelFormat.MONO8, width_px=2, height_px=2)

    def capture(self, trigger_number: int, timeout_ms: int) -> Frame | MissedFrame:
        return Frame(
            view="top",
            pixels=np.zeros((2, 2), np.uint8),
            pixel_format=PixelFormat.MONO8,
            frame_id=self._numbers.pop(0),
            captured_utc_ns=1,
            captured_mono_ns=1,
            camera_serial="S",
            part_id="the frame's own",
        )

    def wait(self, timeout_ms: int) -> Frame | MissedFrame | None:
        return self.capture(0, timeout_ms)

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("numbers", "taken"),
    [
        ((1, 2, 3), [1, 2, 3]),
        ((1, 1, 2), [1, None, 2]),
        ((5, 7, 6, 8), [5, 7, None, 8]),
        ((1, 9, 3, 4, 10), [1, 9, None, None, 10]),
        ((65_535, 0, 1), [65_535, 0, 1]),
    ],
    ids=["in order", "twice", "swapped", "old buffers", "a 16-bit counter begins anew"],
)
def test_only_a_newer_frame_is_a_parts_picture(numbers: tuple[int, ...], taken: list[int | None]) -> None:
    asked, pacing = InOrder(Script(*numbers)), InOrder(Script(*numbers))
    looks = [(asked.capture(number, 100), pacing.wait(100)) for number in range(len(numbers))]

    assert [[look.frame_id if isinstance(look, Frame) else None for look in both] for both in looks] == [
        [number, number] for number in taken
    ]


def test_an_old_frame_is_missed_by_name_and_does_not_lend_its_part_id() -> None:
    camera = InOrder(Script(4, 4))
    camera.capture(1, 100)
    missed = camera.capture(2, 100)

    assert isinstance(missed, MissedFrame)
    assert (missed.reason, missed.part_id) == (Reason.FRAME_LOST, "")
    assert missed.detail == "frame 4 came after frame 4: an old picture, of another part"


def test_after_a_new_connection_the_counter_may_begin_anew() -> None:
    camera = InOrder(Script(9, 1))
    camera.capture(1, 100)
    camera.connect()

    assert isinstance(camera.capture(2, 100), Frame)
