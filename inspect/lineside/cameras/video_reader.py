"""Reads a live video source on a thread of its own, because OpenCV's read blocks and must not go unread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
from numpy.typing import NDArray

__all__ = ["Arrival", "VideoReader"]

_ROOM: Final = 8
"""Frames kept for a reader that is late; an older one is lost, and counted."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Arrival:
    """One picture as it came out of the decoder: (H, W, 3) uint8 BGR, numbered from 1 in order of arrival."""

    pixels: NDArray[Any]
    number: int
    mono_ns: int
    utc_ns: int


class VideoReader:
    """Owns an open `cv2.VideoCapture` until the source ends or `stop` is called; then its thread releases it.

    All other calls are for one other thread.
    """

    def __init__(self, video: cv2.VideoCapture, name: str) -> None:
        self._video = video
        self._arrived = threading.Condition()
        self._kept: deque[Arrival] = deque()
        self._count = 0
        self._broken: str | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._read_on, name=f"video {name}", daemon=True)
        self._thread.start()

    def _read_on(self) -> None:
        try:
            while not self._stopping:
                read, pixels = self._video.read()
                mono_ns, utc_ns = time.monotonic_ns(), time.time_ns()
                if not read:
                    self._end("the source sends no more")
                    return
                self._keep(pixels, mono_ns, utc_ns)
        except cv2.error as error:
            self._end(f"OpenCV cannot read on: {error.err}")
        finally:
            self._video.release()

    def _keep(self, pixels: NDArray[Any], mono_ns: int, utc_ns: int) -> None:
        with self._arrived:
            self._count += 1
            if len(self._kept) == _ROOM:
                self._kept.popleft()
            self._kept.append(Arrival(pixels=pixels, number=self._count, mono_ns=mono_ns, utc_ns=utc_ns))
            self._arrived.notify()

    def _end(self, why: str) -> None:
        with self._arrived:
            self._broken = why
            self._arrived.notify()

    @property
    def broken(self) -> str | None:
        """Why nothing will come any more after what is kept; None while the source is alive."""
        with self._arrived:
            return None if self._kept else self._broken

    def next(self, timeout_s: float, accept: Callable[[Arrival], bool] = lambda _: True) -> Arrival | None:
        """The oldest kept picture that `accept` takes; those before it are dropped. None after the time, or at the
        end of the source.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._arrived:
            while True:
                while self._kept:
                    arrival = self._kept.popleft()
                    if accept(arrival):
                        return arrival
                remaining_s = deadline_s - time.monotonic()
                if self._broken is not None or remaining_s <= 0:
                    return None
                self._arrived.wait(remaining_s)

    def drop_kept(self) -> int:
        """Forgets the pictures that are kept; returns the number of the last that arrived."""
        with self._arrived:
            self._kept.clear()
            return self._count

    def stop(self, timeout_s: float) -> bool:
        """Asks the thread to end; False when OpenCV still held it after the time, and it is left to end by itself."""
        self._stopping = True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()
