"""The life of the archiver process: store the frames that it is told to keep, one after the other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from lineside.core.errors import FrameError
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.core.record import ImageRecord, ImageState, StationEvent
from lineside.core.verdict import Outcome
from lineside.supervise.frame_pool import FrameReference, SlotMemory
from lineside.supervise.inspector_worker import Decode, frame_of
from lineside.supervise.link import Link
from lineside.supervise.messages import ArchiverUp, Beat, Expired, Keep, Kept, Stop

__all__ = ["Stores", "failed", "run_archiver"]

_BEAT_S = 0.25
_NICENESS = 5
"""Storing pictures must not take the processor from judging them."""


class Step(Protocol):
    """A step of the disk-pressure ladder."""

    @property
    def words(self) -> str: ...


class Tended(Protocol):
    """What tending the archive did."""

    @property
    def removed(self) -> tuple[str, ...]: ...

    @property
    def events(self) -> tuple[StationEvent, ...]: ...


class Stores(Protocol):
    """What the worker needs of an image archive."""

    def store(
        self, frame: Frame, *, image_id: str, trigger_number: int, outcome: Outcome, part_id: str
    ) -> ImageRecord: ...

    def tend(self) -> Tended:
        """Removes what the limits no longer allow, a little at a time. Raises: StationFault."""
        ...

    @property
    def step(self) -> Step: ...

    @property
    def free_bytes(self) -> int: ...


def run_archiver(link: Link, archive: Stores, memories: Mapping[str, SlotMemory], decode: Decode) -> None:
    """Stores until Stop; what was asked for before Stop is still stored. Raises: ConfigError, LinkClosed."""
    os.nice(_NICENESS)
    link.send_waiting(ArchiverUp())
    while True:
        message = link.receive(timeout_s=_BEAT_S)
        match message:
            case Stop():
                return
            case Keep() as request:
                record = _stored(archive, memories, decode, request)
                link.send_waiting(Kept(record=record, free_bytes=archive.free_bytes, step=archive.step.words))
            case _:
                link.send(Beat())
        tended = archive.tend()
        if tended.removed or tended.events:
            link.send_waiting(Expired(image_ids=tended.removed, events=tended.events))


def _stored(archive: Stores, memories: Mapping[str, SlotMemory], decode: Decode, request: Keep) -> ImageRecord:
    try:
        frame = frame_of(request.reference, memories, decode)
        return archive.store(
            frame,
            image_id=request.image_id,
            trigger_number=request.trigger_number,
            outcome=request.outcome,
            part_id=request.part_id,
        )
    except (FrameError, OSError) as error:
        return failed(request, str(error))


def failed(request: Keep, why: str, state: ImageState = ImageState.FAILED) -> ImageRecord:
    """The record of an image that was not stored."""
    reference = request.reference
    if isinstance(reference, FrameReference):
        view, form = reference.notice.view, reference.notice.pixel_format
        height_px, width_px = reference.notice.shape[:2]
    else:
        view, form = reference.view, reference.pixel_format
        width_px, height_px = reference.width_px, reference.height_px
    return ImageRecord(
        image_id=request.image_id,
        trigger_number=request.trigger_number,
        view=view,
        state=state,
        outcome=request.outcome,
        pixel_format=PixelFormat(form),
        width_px=width_px,
        height_px=height_px,
        detail=why,
    )
