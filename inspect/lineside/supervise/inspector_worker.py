"""The life of an inspector process: judge frames where they lie, one part after the other, and stay warm when idle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from lineside.core.errors import FrameError
from lineside.core.frame import Frame, MissedFrame, Pixels
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.verdict import Judgement
from lineside.supervise.frame_pool import FrameReference, SlotMemory
from lineside.supervise.link import Link, MessageTooLarge
from lineside.supervise.messages import Beat, ImageReference, InspectorUp, Judge, Judged, Stop

__all__ = ["Decode", "Judges", "frame_of", "run_inspector"]

_BEAT_S = 0.25

Decode = Callable[[Pixels, PixelFormat, tuple[int, int]], Pixels]
"""Turns the bytes of an image file (uint8, one-dimensional) into pixels of the declared format, width and height.

Raises: FrameError.
"""


class Judges(Protocol):
    """What the worker needs of an Inspector."""

    def judge(self, captures: Mapping[str, Frame | MissedFrame]) -> Judgement: ...


def run_inspector(
    link: Link,
    inspector: Judges,
    memories: Mapping[str, SlotMemory],
    decode: Decode,
    *,
    provider: str,
    models: tuple[Identity, ...],
    keep_warm: Callable[[], None],
    keep_warm_ms: int,
    hang_ms: int,
) -> None:
    """Judges until Stop. Raises: LinkClosed; InspectorLost when it gets no more memory and is to be replaced."""
    link.send_waiting(InspectorUp(provider=provider, models=models))
    warm_s = time.monotonic()
    while True:
        match link.receive(timeout_s=_BEAT_S):
            case None:
                if keep_warm_ms and (time.monotonic() - warm_s) * 1000 >= keep_warm_ms:
                    link.send(Beat(quiet_ms=hang_ms))  # a large model is silent for longer than an idle child may be
                    keep_warm()
                    warm_s = time.monotonic()
                link.send(Beat())
            case Stop():
                return
            case Judge() as request:
                _answer(link, inspector, memories, decode, request)
                warm_s = time.monotonic()


def _answer(link: Link, inspector: Judges, memories: Mapping[str, SlotMemory], decode: Decode, request: Judge) -> None:
    begun = time.monotonic_ns()
    try:
        captures = {
            view: look if isinstance(look, MissedFrame) else frame_of(look, memories, decode)
            for view, look in request.captures.items()
        }
        judgement = inspector.judge(captures)
    except FrameError as error:  # a client's image that does not decode
        judgement = Judgement.not_inspected(error.reason, str(error))
    done = time.monotonic_ns()
    try:
        link.send_waiting(Judged(job=request.job, judgement=judgement, begun_mono_ns=begun, done_mono_ns=done))
    except MessageTooLarge as error:
        judgement = Judgement.not_inspected(Reason.MODEL_ERROR, f"the judgement is too large to be told: {error}")
        link.send_waiting(Judged(job=request.job, judgement=judgement, begun_mono_ns=begun, done_mono_ns=done))


def frame_of(look: FrameReference | ImageReference, memories: Mapping[str, SlotMemory], decode: Decode) -> Frame:
    """The frame as it lies in its slot, or as the client's image decodes. Raises: FrameError."""
    if isinstance(look, FrameReference):
        return memories[look.pool].read(look.slot, look.notice)
    whole = memories[look.pool].array(look.slot, (look.length,), np.dtype(np.uint8))
    size_px = (look.width_px, look.height_px)
    pixels = decode(whole, look.pixel_format, size_px) if look.encoded else _unpadded(whole, look)
    return Frame(
        view=look.view,
        pixels=pixels,
        pixel_format=look.pixel_format,
        frame_id=look.frame_id,
        captured_utc_ns=look.captured_utc_ns,
        captured_mono_ns=look.captured_mono_ns,
        camera_serial="",
        part_id=look.part_id,
    ).check()


def _unpadded(whole: Pixels, look: ImageReference) -> Pixels:
    form = look.pixel_format
    row_bytes = look.width_px * form.channels * form.dtype.itemsize
    stride = look.stride_bytes or row_bytes
    if look.width_px < 1 or look.height_px < 1 or stride < row_bytes or stride * look.height_px != look.length:
        raise FrameError(
            f"{look.length} bytes for {look.width_px}x{look.height_px} px {form} with rows of {stride} bytes",
            expected=f"rows of at least {row_bytes} bytes and {stride * look.height_px} bytes in all",
            remedy="declare the size, format and stride that the pixels have",
        )
    rows = whole.reshape(look.height_px, stride)[:, :row_bytes]
    pixels = np.ascontiguousarray(rows).view(form.dtype).reshape(form.shape(look.width_px, look.height_px))
    if form.max_value < np.iinfo(form.dtype).max and int(pixels.max()) > form.max_value:
        raise FrameError(
            f"a pixel of value {int(pixels.max())} in an image declared {form}",
            expected=f"0 to {form.max_value}",
            remedy="declare the pixel format that the pixels have",
        )
    return pixels
