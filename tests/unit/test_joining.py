"""Looks of several cameras at one part: also a look that comes late, without a time of its own, joins no other part."""

from __future__ import annotations

import time

import pytest

from lineside.core.frame import MissedFrame
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.supervise.frame_pool import FrameNotice, FrameReference
from lineside.supervise.joining import Arrival, Joining, Look

TAKT_NS = 100_000_000
JOIN_MS = 20
"""Far less than a takt: a look of one part is never in time for another's."""


def frame(view: str, exposed_mono_ns: int) -> FrameReference:
    notice = FrameNotice(
        view=view,
        shape=(2, 2),
        pixel_format=PixelFormat.MONO8,
        frame_id=1,
        captured_utc_ns=1,
        captured_mono_ns=exposed_mono_ns,
        camera_serial="S",
        part_id="",
        simulated=False,
    )
    return FrameReference(pool=view, slot=0, notice=notice)


class Line:
    """Parts that pass two cameras, one each takt; `top` and `side` place a look and note the part that it joined."""

    def __init__(self, *views: str) -> None:
        self.joining = Joining(frozenset({"top", "side", *views}), join_ms=JOIN_MS, why_lost=lambda view: "")
        self.begun_ns = time.monotonic_ns()
        self.parts: list[Arrival] = []
        self.looks: dict[int, dict[str, int | Reason]] = {}

    def place(self, view: str, look: Look, said: int | Reason, mono_ns: int) -> None:
        _, arrival = self.joining.place(view, look, mono_ns)
        if arrival not in self.parts:
            self.parts.append(arrival)
        self.looks.setdefault(self.parts.index(arrival), {})[view] = said

    def exposed(self, view: str, part: int) -> None:
        at_ns = self.begun_ns + part * TAKT_NS
        self.place(view, frame(view, at_ns), part, at_ns)

    def told(self, view: str, reason: Reason, *, with_part: int) -> None:
        """The camera says, while that part is there, that it has no picture of one before."""
        self.place(view, MissedFrame(view=view, reason=reason), reason, self.begun_ns + with_part * TAKT_NS)


@pytest.mark.parametrize("reason", [Reason.OVERTRIGGER, Reason.FRAME_LOST])
@pytest.mark.parametrize("side_first", [True, False], ids=["the other camera is ahead", "the other camera is behind"])
def test_a_trigger_that_one_camera_ignored_is_that_parts_and_no_picture_moves(side_first: bool, reason: Reason) -> None:
    line = Line()
    side = [lambda part=part: line.exposed("side", part) for part in range(5)]
    top = [
        lambda: line.exposed("top", 0),
        lambda: line.exposed("top", 1),
        lambda: line.told("top", reason, with_part=3),  # of part 2, and only now
        lambda: line.exposed("top", 3),
        lambda: line.exposed("top", 4),
    ]
    for step in [*side, *top] if side_first else [*top, *side]:
        step()

    assert list(line.looks.values()) == [{"side": part, "top": reason if part == 2 else part} for part in range(5)]


def test_two_triggers_ignored_one_after_the_other_are_two_parts() -> None:
    line = Line()
    line.exposed("top", 0)
    line.exposed("side", 0)
    line.told("top", Reason.OVERTRIGGER, with_part=3)
    line.told("top", Reason.OVERTRIGGER, with_part=3)
    line.exposed("top", 3)
    for part in (1, 2, 3):
        line.exposed("side", part)

    assert list(line.looks.values()) == [
        {"top": 0, "side": 0},
        {"top": Reason.OVERTRIGGER, "side": 1},
        {"top": Reason.OVERTRIGGER, "side": 2},
        {"top": 3, "side": 3},
    ]


def test_a_part_that_an_ignored_trigger_began_takes_no_younger_picture() -> None:
    line = Line()
    line.told("top", Reason.OVERTRIGGER, with_part=1)
    line.exposed("side", 2)

    assert list(line.looks.values()) == [{"top": Reason.OVERTRIGGER}, {"side": 2}]


def test_the_first_picture_of_a_part_that_an_ignored_trigger_began_says_when_it_was_there() -> None:
    line = Line("back")
    line.told("top", Reason.OVERTRIGGER, with_part=2)
    line.exposed("side", 1)
    line.exposed("back", 2)
    line.exposed("back", 1)

    assert list(line.looks.values()) == [{"top": Reason.OVERTRIGGER, "side": 1, "back": 1}, {"back": 2}]
