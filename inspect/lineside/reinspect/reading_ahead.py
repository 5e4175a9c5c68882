"""Images for the judge: read and decoded while another one is judged, within a window of images and bytes; or in turn
with the judging, where that is quicker.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from lineside.core.pixel_format import PixelFormat
from lineside.reinspect import storage
from lineside.reinspect.part import ImageRef
from lineside.reinspect.reading import ReadImage, ReadLimits, read_image

__all__ = ["Reader", "Wanted", "read_ahead"]

_WAITED_S = 0.1
_WAITED_SHARE = 0.1
_CALLS_AHEAD = 16
"""A storage that has kept the judge waiting for so long, and for such a share of the time, is read ahead of, now and in
so many calls that follow; then it is asked anew whether it is still slow: it may have been a moment's stall.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """An image, the pixel formats in which it is wanted, and what is declared of picture files (see `read_image`)."""

    ref: ImageRef
    formats: Iterable[PixelFormat]
    files_hold: PixelFormat | None = None

    def read(self, limits: ReadLimits, admit: Callable[[int], None] = lambda nbytes: None) -> ReadImage:
        """Reads it. Blocks."""
        return read_image(self.ref, self.formats, limits, admit, files_hold=self.files_hold)


class Reader:
    """Reads for one judge. Used by one thread.

    Where the judge has one core and computes on it, a thread that reads ahead gains nothing: decoding and judging still
    take turns on that core, but wherever the system breaks in, and each finds the processor's caches full of the
    other's numbers. So images are read when they are asked for, as many in a row as the judge asks for, as long as the
    storage gives them at once.
    """

    def __init__(self, limits: ReadLimits, *, one_core: bool) -> None:
        """`one_core`: whoever takes the images computes on the only core that there is."""
        self._limits = limits
        self._one_core = one_core
        self._ahead = 0

    def read(self, images: Sequence[Wanted]) -> Generator[ReadImage, None, None]:
        """The images in their order. Each is done with when the next one is asked for; closing it ends all threads."""
        begun_s, waited_s, done = time.perf_counter(), 0.0, 0
        in_turn = self._one_core and not self._ahead
        self._ahead = max(0, self._ahead - 1)
        while in_turn and done < len(images) and storage.is_local(images[done].ref.url):
            asked_s, cpu_s = time.perf_counter(), time.thread_time()
            image = images[done].read(self._limits)
            now_s = time.perf_counter()
            waited_s += now_s - asked_s - (time.thread_time() - cpu_s)
            if waited_s >= max(_WAITED_S, _WAITED_SHARE * (now_s - begun_s)):
                in_turn, self._ahead = False, _CALLS_AHEAD
            done += 1
            yield image
        yield from read_ahead(images[done:], self._limits)


def read_ahead(images: Sequence[Wanted], limits: ReadLimits) -> Generator[ReadImage, None, None]:
    """The images in their order. Each is done with when the next one is asked for.

    Threads read ahead: files, hashes and decoders need no Python, so that they run beside whoever takes the images.
    Each thread reads some images in a row: one at a time, the Python in between would find the processor's caches full
    of the model's numbers every time, and take several times as long. Closing the iterator ends the threads.
    """
    window = _Window(limits.window_bytes)
    pool = ThreadPoolExecutor(limits.readers, thread_name_prefix="reading-ahead")
    groups = iter(_groups(images, max(1, limits.window_images // limits.readers)))
    coming: deque[tuple[range, _Read, Future[None]]] = deque()

    def submit(numbers: range) -> None:
        read: _Read = queue.SimpleQueue()
        coming.append((numbers, read, pool.submit(_read, images, numbers, limits, window, read)))

    try:
        for numbers in itertools.islice(groups, limits.readers):
            submit(numbers)
        while coming:
            numbers, read, reading = coming.popleft()
            for number in numbers:
                if (image := read.get()) is None:
                    reading.result()  # raises why it has ended
                    return
                yield image
                window.pass_on(number, image.nbytes)
            if (more := next(groups, None)) is not None:
                submit(more)
    finally:
        window.close()
        pool.shutdown(cancel_futures=True)


_Read = queue.SimpleQueue[ReadImage | None]
"""What was read of a group so far; None when its thread reads no more."""


def _groups(images: Sequence[Wanted], size: int) -> Iterator[range]:
    for first in range(0, len(images), size):
        yield range(first, min(first + size, len(images)))


def _read(images: Sequence[Wanted], numbers: range, limits: ReadLimits, window: _Window, read: _Read) -> None:
    try:
        for number in numbers:
            read.put(images[number].read(limits, partial(window.take, number)))
            if window.closed:
                break
    finally:
        read.put(None)


class _Window:
    """The bytes of pixels that may wait for the judge. The oldest image always gets in, so that all move on."""

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self._oldest = 0
        self.closed = False
        self._waiting = 0
        self._changed = threading.Condition()

    def take(self, number: int, nbytes: int) -> None:
        """Waits until there is room for its pixels."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: self.closed or number == self._oldest or nbytes <= self._room_bytes)
            self._waiting -= 1
            self._room_bytes -= nbytes

    def pass_on(self, number: int, nbytes: int) -> None:
        """The image is done with."""
        with self._changed:
            self._oldest = number + 1
            self._room_bytes += nbytes
            if self._waiting:
                self._changed.notify_all()

    def close(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
