"""Reads and decodes the next images while the present one is judged, within a window of images and bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.part import ImageRef
from lineside.reinspect.reading import ReadImage, ReadLimits, read_image

__all__ = ["Wanted", "read_ahead"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """An image, the pixel formats in which it is wanted, and what is declared of picture files (see `read_image`)."""

    ref: ImageRef
    formats: Iterable[PixelFormat]
    files_hold: PixelFormat | None = None

    def read(self, limits: ReadLimits, admit: Callable[[int], None] = lambda nbytes: None) -> ReadImage:
        """Reads it. Blocks."""
        return read_image(self.ref, self.formats, limits, admit, files_hold=self.files_hold)


def read_ahead(images: Sequence[Wanted], limits: ReadLimits) -> Generator[ReadImage, None, None]:
    """The images in their order. Each is done with when the next one is asked for.

    Threads read ahead: files, hashes and decoders need no Python, so that they run beside whoever takes the images.
    Closing the iterator ends the threads.
    """
    window = _Window(limits)
    pool = ThreadPoolExecutor(limits.readers, thread_name_prefix="reading-ahead")
    try:
        coming = deque(pool.submit(_read, number, image, limits, window) for number, image in enumerate(images))
        for number in range(len(images)):
            image = coming.popleft().result()
            yield image
            window.pass_on(number, image.nbytes)
    finally:
        window.close()
        pool.shutdown(cancel_futures=True)


def _read(number: int, image: Wanted, limits: ReadLimits, window: _Window) -> ReadImage:
    window.enter(number)
    return image.read(limits, lambda nbytes: window.take(number, nbytes))


class _Window:
    """What waits for the judge, and what is being read for it. The oldest image always gets in, so that all move on."""

    def __init__(self, limits: ReadLimits) -> None:
        self._images = max(limits.window_images, limits.readers)
        self._room_bytes = limits.window_bytes
        self._oldest = 0
        self._closed = False
        self._changed = threading.Condition()

    def enter(self, number: int) -> None:
        """Waits until the image is within the window."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or number < self._oldest + self._images)

    def take(self, number: int, nbytes: int) -> None:
        """Waits until there is room for its pixels."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or number == self._oldest or nbytes <= self._room_bytes)
            self._room_bytes -= nbytes

    def pass_on(self, number: int, nbytes: int) -> None:
        """The image is done with."""
        with self._changed:
            self._oldest = number + 1
            self._room_bytes += nbytes
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
