"""From where an image lies to its pixels, as declared: read, checked, decoded; or the reason why not."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.cameras.pixels import to_house
from lineside.core.errors import FrameError
from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.picture_file import MAX_PIXELS, as_declared, check_declared, decode_checked, size_within
from lineside.imaging.picture_structure import check_plain
from lineside.journal import image_format
from lineside.reinspect import storage
from lineside.reinspect.part import ImageRef, RawFormat

__all__ = ["ReadImage", "ReadLimits", "read_image", "stored_as"]

_COLOUR = {PixelFormat.RGB8, PixelFormat.BGR8}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadLimits:
    """How much an image may take, and how far ahead of the judge images are read.

    An image that claims more than `max_pixels` is not decoded, and a file of more than 4 bytes for each of them is not
    read. At most `window_images` images and `window_bytes` of pixels wait for the judge at any time, whatever
    their size; one that is larger than the window waits alone. `readers` is the number of reading threads: one keeps a
    core busy with decoding, more of them wait for a remote storage at the same time.
    """

    max_pixels: int = MAX_PIXELS
    window_images: int = 32
    window_bytes: int = 256 << 20
    readers: int = 4

    @property
    def max_file_bytes(self) -> int:
        """No file of use is larger: four bytes for each pixel, and a megabyte for what else is in it."""
        return 4 * self.max_pixels + (1 << 20)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReadImage:
    """An image by the pixel formats that were asked for, each as a frame or as the reason why there is none.

    `sha256` is of the bytes as read, empty where they could not be; `nbytes` is what `admit` was told.
    """

    frames: Mapping[PixelFormat, Frame | FrameError]
    sha256: str = ""
    nbytes: int = 0
    read_ns: int = 0
    decode_ns: int = 0


@dataclass(slots=True)
class _Reading:
    """What is known so far, whatever comes of it."""

    sha256: str = ""
    nbytes: int = 0
    begun_ns: int = field(default_factory=time.perf_counter_ns)
    read_ns: int = 0
    waited_ns: int = 0


def read_image(
    ref: ImageRef,
    wanted: Iterable[PixelFormat],
    limits: ReadLimits,
    admit: Callable[[int], None] = lambda nbytes: None,
    *,
    files_hold: PixelFormat | None = None,
) -> ReadImage:
    """Reads the file, holds its hash against what it must be, and decodes it once for all formats. Blocks.

    A picture must be what is wanted; with `files_hold` it must be that, and is converted as a camera's frames are. Raw
    pixels and the archive's own files say themselves what they are. `admit` is called with the bytes that the pixels
    will take, before they are decoded; it may wait for room. Nothing is raised for a bad file: each format has its
    reason.
    """
    formats = tuple(wanted)
    so_far = _Reading()
    frames: Mapping[PixelFormat, Frame | FrameError]
    try:
        frames = _frames(ref, formats, limits, admit, files_hold, so_far)
    except FrameError as error:
        frames = dict.fromkeys(formats, error)
    ended_ns = time.perf_counter_ns()
    read_ns = so_far.read_ns or ended_ns - so_far.begun_ns
    return ReadImage(
        frames=frames,
        sha256=so_far.sha256,
        nbytes=so_far.nbytes,
        read_ns=read_ns,
        decode_ns=ended_ns - so_far.begun_ns - read_ns - so_far.waited_ns,
    )


def stored_as(files_hold: PixelFormat) -> PixelFormat:
    """What such a file decodes to: the order of colours is the decoder's affair, not the file's."""
    return PixelFormat.BGR8 if files_hold is PixelFormat.RGB8 else files_hold


def _frames(
    ref: ImageRef,
    formats: tuple[PixelFormat, ...],
    limits: ReadLimits,
    admit: Callable[[int], None],
    files_hold: PixelFormat | None,
    so_far: _Reading,
) -> Mapping[PixelFormat, Frame | FrameError]:
    data = storage.read(ref, max_bytes=limits.max_file_bytes)
    so_far.sha256 = hashlib.sha256(data).hexdigest()
    so_far.read_ns = time.perf_counter_ns() - so_far.begun_ns
    if ref.sha256 and so_far.sha256 != ref.sha256:
        raise FrameError(
            f"file is damaged: {len(data)} bytes with SHA-256 {so_far.sha256}",
            expected=f"{ref.sha256}, as was recorded",
            remedy="check the disk; fetch the file from a backup",
        )
    if not data:
        raise FrameError("file of 0 bytes", expected="a picture")
    size_px = (ref.raw.width_px, ref.raw.height_px) if ref.raw else _size_px(data, limits)
    so_far.nbytes = sum(each.nbytes(*size_px) for each in formats)
    asked_ns = time.perf_counter_ns()
    admit(so_far.nbytes)
    so_far.waited_ns = time.perf_counter_ns() - asked_ns
    if ref.raw:
        return _of_one_frame(_raw_frame(data, ref.raw), formats)
    if image_format.is_archived(data):
        return _of_one_frame(_archived_frame(data), formats)
    pixels = decode_checked(np.frombuffer(data, np.uint8))
    return {each: _as_declared(pixels, each, files_hold) for each in formats}


def _size_px(data: bytes, limits: ReadLimits) -> tuple[int, int]:
    """Width and height as the header claims, of a file that holds one plain picture within the limit."""
    check_plain(data)
    return size_within(np.frombuffer(data, np.uint8), limits.max_pixels)


def _as_declared(pixels: NDArray[Any], pixel_format: PixelFormat, files_hold: PixelFormat | None) -> Frame | FrameError:
    """A picture that does not say what it is: it must be what is declared of it, or else what the recipe wants."""
    try:
        if files_hold is None:
            return _frame(as_declared(pixels, pixel_format), pixel_format)
        return _frame(to_house(pixels, stored_as(files_hold), pixel_format), pixel_format)
    except FrameError as error:
        return FrameError(error.what, expected=error.expected, remedy="declare what files hold: --file-pixel-format")


def _of_one_frame(frame: Frame, formats: tuple[PixelFormat, ...]) -> Mapping[PixelFormat, Frame | FrameError]:
    """A frame that says what it is, for whoever wants it. The inspector refuses what is not as its recipe declares."""
    return {each: _reordered(frame, each) for each in formats}


def _reordered(frame: Frame, wanted: PixelFormat) -> Frame:
    if frame.pixel_format is wanted or {frame.pixel_format, wanted} != _COLOUR:
        return frame
    other_order = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2RGB), np.uint8)
    return replace(frame, pixels=other_order, pixel_format=wanted)


def _archived_frame(data: bytes) -> Frame:
    try:
        return image_format.decode(data)[0]
    except ValueError as error:
        raise FrameError(f"file of the image archive says of itself what cannot be read ({error})") from error


def _raw_frame(data: bytes, raw: RawFormat) -> Frame:
    form = raw.pixel_format
    wanted_bytes = form.nbytes(raw.width_px, raw.height_px)
    if len(data) != wanted_bytes:
        raise FrameError(
            f"{len(data)} bytes of pixels",
            expected=f"{wanted_bytes} bytes for {raw.width_px}x{raw.height_px} px {form}",
            remedy="declare the size and format that the pixels have",
        )
    pixels = np.frombuffer(data, form.dtype.newbyteorder("<")).reshape(form.shape(raw.width_px, raw.height_px))
    return _frame(check_declared(pixels, form), form)


def _frame(pixels: Pixels, pixel_format: PixelFormat) -> Frame:
    return Frame(
        view="",
        pixels=pixels,
        pixel_format=pixel_format,
        frame_id=0,
        captured_utc_ns=0,
        captured_mono_ns=0,
        camera_serial="",
    )
