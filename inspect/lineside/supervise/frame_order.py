"""No picture is taken for another part's: a camera's frames come in the order of its own counter, each once."""

from __future__ import annotations

from lineside.core.frame import Frame, MissedFrame
from lineside.core.ports import Camera, CameraReport
from lineside.core.reason import Reason

__all__ = ["InOrder"]

_LONGEST_WAY_BACK = 1000
"""A counter that is further back has begun anew: those of some cameras have 16 bits."""


class InOrder:
    """A camera whose frames are held against the one before: an old one is missed by name, as its part's never came."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._newest: int | None = None

    def connect(self) -> CameraReport:
        self._newest = None
        return self._camera.connect()

    def capture(self, trigger_number: int, timeout_ms: int) -> Frame | MissedFrame:
        shot = self._camera.capture(trigger_number, timeout_ms)
        return self._in_order(shot) if isinstance(shot, Frame) else shot

    def wait(self, timeout_ms: int) -> Frame | MissedFrame | None:
        shot = self._camera.wait(timeout_ms)
        return self._in_order(shot) if isinstance(shot, Frame) else shot

    def close(self) -> None:
        self._camera.close()

    def _in_order(self, frame: Frame) -> Frame | MissedFrame:
        if self._newest is not None and 0 <= self._newest - frame.frame_id < _LONGEST_WAY_BACK:
            detail = f"frame {frame.frame_id} came after frame {self._newest}: an old picture, of another part"
            return MissedFrame(view=frame.view, reason=Reason.FRAME_LOST, detail=detail)
        self._newest = frame.frame_id
        return frame
