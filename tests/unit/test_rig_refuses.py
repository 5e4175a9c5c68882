"""A camera that connects and is not the one that was calibrated gives no frames, until the right one is back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lineside.core.errors import ConfigError
from lineside.core.frame import MissedFrame
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport
from lineside.core.reason import Reason
from lineside.supervise.frame_pool import FramePool
from lineside.supervise.messages import CameraUp
from lineside.supervise.rig import CameraPlan, Rig


@dataclass
class Line:
    """A rig of one camera whose process is never started: it is told by hand what the process would say."""

    rig: Rig
    pool: FramePool
    events: list[tuple[str, str]] = field(default_factory=list)

    def connects(self, serial: str) -> None:
        report = CameraReport(serial=serial, model="m", pixel_format=PixelFormat.MONO8, width_px=8, height_px=8)
        self.seat.up(CameraUp(report=report))

    @property
    def seat(self) -> Any:
        return self.rig._seats["face"]


def only_a7(view: str, report: CameraReport) -> None:
    if report.serial != "A7":
        raise ConfigError(f"{view}: calibrated with serial A7, the camera has {report.serial}")


@pytest.fixture
def line() -> Iterator[Line]:
    pool = FramePool("face", slots=2, slot_bytes=64)
    plan = CameraPlan(view="face", backend="fake", entry="none:none", argument=None, pool=pool, paces=False)
    events: list[tuple[str, str]] = []
    rig = Rig(
        {"face": plan}, join_ms=10, check=only_a7, on_change=lambda *said: events.append(said), on_end=lambda: None
    )
    yield Line(rig, pool, events)
    pool.close()


async def test_another_camera_is_not_used_and_it_says_why(line: Line) -> None:
    line.connects("B9")

    assert line.rig.reports() == {}
    assert "calibrated with serial A7, the camera has B9" in line.rig.why_not_ready()
    assert [kind for kind, _ in line.events] == ["camera face refused"]
    look = (await line.rig.capture(1, time.monotonic_ns() + 10**9))["face"]
    assert isinstance(look, MissedFrame)
    assert look.reason is Reason.CAMERA_LOST
    assert "the camera has B9" in look.detail


async def test_the_right_camera_is_used_again_when_it_is_back(line: Line) -> None:
    line.connects("A7")
    line.seat.down("unplugged", None)
    line.connects("B9")
    assert line.rig.reports() == {}

    line.connects("A7")

    assert line.rig.reports()["face"].serial == "A7"
    assert line.rig.why_not_ready() == ""
