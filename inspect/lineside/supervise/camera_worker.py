"""The life of a camera process: connect, then answer captures, or deliver frames at the camera's own pace."""

from __future__ import annotations

import time
from collections import deque

from lineside.core.errors import CameraLost, FrameError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.ports import Camera, EndOfSource
from lineside.core.reason import Reason
from lineside.supervise.frame_order import InOrder
from lineside.supervise.frame_pool import FrameNotice, SlotMemory
from lineside.supervise.link import Link
from lineside.supervise.messages import Beat, CameraUp, Capture, Captured, Gone, Missed, Offer, SourceEnded, Stop

__all__ = ["run_asked_camera", "run_pacing_camera"]

_BEAT_S = 0.25
_READING_MS = 5_000
"""A picture of 100 megapixels takes seconds to decode: a camera that reads files may be silent for so long."""
_WAIT_MS = 100


def run_asked_camera(link: Link, camera: Camera, memory: SlotMemory) -> None:
    """Runs a camera that exposes when asked, until Stop. Raises: ConfigError, CameraLost, LinkClosed."""
    camera = InOrder(camera)
    try:
        link.send_waiting(CameraUp(report=camera.connect()))
        while True:
            match link.receive(timeout_s=_BEAT_S):
                case None:
                    link.send(Beat())
                case Stop():
                    return
                case Capture() as request:
                    try:
                        link.send_waiting(_captured(camera, memory, request))
                    except CameraLost as error:  # its part must not wait until the camera is closed
                        link.send_waiting(Gone(number=request.number, why=str(error)))
                        raise
    finally:
        camera.close()


def _captured(camera: Camera, memory: SlotMemory, request: Capture) -> Captured | Missed | SourceEnded:
    try:
        shot = camera.capture(request.number, request.timeout_ms)
    except EndOfSource:
        return SourceEnded(number=request.number)
    if isinstance(shot, Frame):
        written = _written(memory, request.slot, shot)
        if not isinstance(written, MissedFrame):
            return Captured(number=request.number, slot=request.slot, notice=written)
        shot = written
    return Missed(number=request.number, slot=request.slot, missed=shot, mono_ns=time.monotonic_ns())


def _written(memory: SlotMemory, slot: int, frame: Frame) -> FrameNotice | MissedFrame:
    try:
        return memory.write(slot, frame.check())
    except (ValueError, FrameError) as error:
        return _spoilt(frame, Reason.FRAME_DAMAGED, str(error))


def _spoilt(frame: Frame, reason: Reason, detail: str) -> MissedFrame:
    return MissedFrame(
        view=frame.view,
        reason=reason,
        detail=detail,
        part_id=frame.part_id,
        triggers_ignored=frame.triggers_ignored,
    )


def run_pacing_camera(link: Link, camera: Camera, memory: SlotMemory) -> None:
    """Runs a camera whose frames are the triggers, until Stop. Raises: ConfigError, CameraLost, LinkClosed."""
    camera = InOrder(camera)
    slots: deque[int] = deque()
    try:
        report = camera.connect()
        link.send_waiting(CameraUp(report=report))
        ended = False
        beaten_s = time.monotonic()
        while True:
            held_back = ended or (report.waits_for_reader and not slots)
            if _stopped(link, slots, wait_s=_BEAT_S if held_back else 0.0):
                return
            shot = None
            if report.waits_for_reader and time.monotonic() - beaten_s >= _BEAT_S:
                link.send(Beat(quiet_ms=_READING_MS))
                beaten_s = time.monotonic()
            if not (ended or (report.waits_for_reader and not slots)):
                try:
                    shot = camera.wait(_WAIT_MS)
                except EndOfSource:
                    ended = True
                    link.send_waiting(SourceEnded())
            if shot is not None:
                link.send_waiting(_delivered(memory, slots, shot))
            elif time.monotonic() - beaten_s >= _BEAT_S:
                link.send(Beat())
                beaten_s = time.monotonic()
    finally:
        camera.close()


def _stopped(link: Link, slots: deque[int], *, wait_s: float) -> bool:
    """Takes in all offers that lie ready; True on Stop."""
    message = link.receive(timeout_s=wait_s)
    while message is not None:
        if isinstance(message, Stop):
            return True
        if isinstance(message, Offer):
            slots.append(message.slot)
        message = link.receive()
    return False


def _delivered(memory: SlotMemory, slots: deque[int], shot: Frame | MissedFrame) -> Captured | Missed:
    now = time.monotonic_ns()
    if isinstance(shot, MissedFrame):  # takes a slot as well: parts without a frame must not run ahead of the others
        return Missed(number=0, slot=slots.popleft() if slots else None, missed=shot, mono_ns=now)
    if not slots:
        missed = _spoilt(shot, Reason.QUEUE_FULL, f"frame {shot.frame_id} came while every slot was taken")
        return Missed(number=0, slot=None, missed=missed, mono_ns=now)
    slot = slots.popleft()
    written = _written(memory, slot, shot)
    if isinstance(written, MissedFrame):
        return Missed(number=0, slot=slot, missed=written, mono_ns=now)
    return Captured(number=0, slot=slot, notice=written)
