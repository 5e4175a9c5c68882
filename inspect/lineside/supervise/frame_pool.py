"""Frames in shared memory: slots that a camera process writes and inspector and archiver processes read.

The memory is anonymous (memfd): it has no name, is passed to children as a file descriptor, and is gone with the last
process that holds it, also after `kill -9`.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import cast

import numpy as np

from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["FrameNotice", "FramePool", "FrameReference", "PoolKey", "SlotMemory"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolKey:
    """All that a child needs to map a pool: the inherited file descriptor and the layout."""

    fd: int
    slots: int
    slot_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameNotice:
    """A Frame without its pixels."""

    view: str
    shape: tuple[int, ...]
    pixel_format: PixelFormat
    frame_id: int
    captured_utc_ns: int
    captured_mono_ns: int
    camera_serial: str
    part_id: str
    simulated: bool
    triggers_ignored: int | None = None

    @classmethod
    def of(cls, frame: Frame) -> FrameNotice:
        return cls(
            view=frame.view,
            shape=tuple(int(side) for side in frame.pixels.shape),
            pixel_format=frame.pixel_format,
            frame_id=frame.frame_id,
            captured_utc_ns=frame.captured_utc_ns,
            captured_mono_ns=frame.captured_mono_ns,
            camera_serial=frame.camera_serial,
            part_id=frame.part_id,
            simulated=frame.simulated,
            triggers_ignored=frame.triggers_ignored,
        )

    def frame(self, pixels: Pixels) -> Frame:
        """The Frame again, around pixels of the noted shape."""
        return Frame(
            view=self.view,
            pixels=pixels,
            pixel_format=self.pixel_format,
            frame_id=self.frame_id,
            captured_utc_ns=self.captured_utc_ns,
            captured_mono_ns=self.captured_mono_ns,
            camera_serial=self.camera_serial,
            part_id=self.part_id,
            simulated=self.simulated,
            triggers_ignored=self.triggers_ignored,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameReference:
    """A frame lying in `slot` of the pool of that name."""

    pool: str
    slot: int
    notice: FrameNotice


class FramePool:
    """The station's side: owns the memory and counts who still needs each slot. Used on the event loop only."""

    def __init__(self, name: str, *, slots: int, slot_bytes: int) -> None:
        self.name = name
        self.key = PoolKey(fd=os.memfd_create(f"lineside-{name}", os.MFD_CLOEXEC), slots=slots, slot_bytes=slot_bytes)
        os.ftruncate(self.key.fd, slots * slot_bytes)
        self._free = list(range(slots))  # a stack: the slot used last is still in the processor's cache
        self._holders = [0] * slots

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return len(self._free)

    def take(self) -> int | None:
        """A free slot, held once; None when all are taken."""
        if not self._free:
            return None
        slot = self._free.pop()
        self._holders[slot] = 1
        return slot

    def hold(self, slot: int) -> None:
        """One more holder of a slot that is already held."""
        if not self._holders[slot]:
            raise ValueError(f"slot {slot} of pool {self.name} is free: nothing lies in it")
        self._holders[slot] += 1

    def release(self, slot: int) -> None:
        """One holder less; the last one frees the slot."""
        if not self._holders[slot]:
            raise ValueError(f"slot {slot} of pool {self.name} was released more often than held")
        self._holders[slot] -= 1
        if not self._holders[slot]:
            self._free.append(slot)

    def memory(self) -> SlotMemory:
        """Maps the pool in this process, to put a client's image into it."""
        return SlotMemory(self.key)

    def close(self) -> None:
        """Lets go of the memory; children that still map it keep it alive."""
        os.close(self.key.fd)


class SlotMemory:
    """A process's view of a pool: arrays that lie directly in the shared memory, without copies."""

    def __init__(self, key: PoolKey) -> None:
        self._key = key
        self._map = mmap.mmap(key.fd, key.slots * key.slot_bytes)

    def array(self, slot: int, shape: tuple[int, ...], dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> Pixels:
        """The slot as a writable array of that shape.

        Raises: ValueError when it does not fit or the slot does not exist.
        """
        count = int(np.prod(shape))
        if not 0 <= slot < self._key.slots or count * dtype.itemsize > self._key.slot_bytes:
            raise ValueError(
                f"array {dtype}{list(shape)} in slot {slot}; "
                f"the pool has {self._key.slots} slots of {self._key.slot_bytes} bytes"
            )
        offset = slot * self._key.slot_bytes
        flat = cast("Pixels", np.frombuffer(self._map, dtype=dtype, count=count, offset=offset))
        return flat.reshape(shape)

    def write(self, slot: int, frame: Frame) -> FrameNotice:
        """Copies the frame's pixels into the slot. Raises: ValueError when they do not fit."""
        np.copyto(self.array(slot, frame.pixels.shape, frame.pixel_format.dtype), frame.pixels)
        return FrameNotice.of(frame)

    def read(self, slot: int, notice: FrameNotice) -> Frame:
        """The frame as it lies in the slot; valid only as long as the slot is held."""
        return notice.frame(self.array(slot, notice.shape, notice.pixel_format.dtype))
