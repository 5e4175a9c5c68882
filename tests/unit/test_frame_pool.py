"""Frames in shared memory: a slot belongs to those who hold it, and to nobody else until the last lets go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.core.frame import Frame, MissedFrame
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.supervise.frame_pool import FramePool, FrameReference, SlotMemory
from lineside.supervise.pools import Pools

SLOTS = 3


@pytest.fixture
def pool() -> Iterator[FramePool]:
    made = FramePool("top", slots=SLOTS, slot_bytes=64 * 48 * 2)
    yield made
    made.close()


def frame_of(pixel_format: PixelFormat, *, width_px: int = 64, height_px: int = 48, seed: int = 0) -> Frame:
    chance = np.random.default_rng(seed)
    shape = pixel_format.shape(width_px, height_px)
    return Frame(
        view="top",
        pixels=chance.integers(0, pixel_format.max_value, shape, endpoint=True).astype(pixel_format.dtype),
        pixel_format=pixel_format,
        frame_id=5,
        captured_utc_ns=6,
        captured_mono_ns=7,
        camera_serial="serial",
        part_id="part",
        simulated=True,
    )


@given(st.lists(st.tuples(st.sampled_from(["take", "hold", "release"]), st.integers(0, SLOTS - 1))))
def test_no_slot_is_given_out_while_anybody_holds_it(steps: list[tuple[str, int]]) -> None:
    pool = FramePool("top", slots=SLOTS, slot_bytes=1)
    holders = dict.fromkeys(range(SLOTS), 0)
    for step, slot in steps:
        if step == "take":
            taken = pool.take()
            if taken is None:
                assert all(holders.values()), "there was a free one"
            else:
                assert holders[taken] == 0
                holders[taken] = 1
        elif not holders[slot]:
            with pytest.raises(ValueError, match=f"slot {slot} of pool top"):
                (pool.hold if step == "hold" else pool.release)(slot)
        elif step == "hold":
            pool.hold(slot)
            holders[slot] += 1
        else:
            pool.release(slot)
            holders[slot] -= 1
        assert pool.free == list(holders.values()).count(0)
    pool.close()


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO12])
def test_a_frame_comes_out_as_it_went_in(pixel_format: PixelFormat, pool: FramePool) -> None:
    frames = [frame_of(pixel_format, seed=seed) for seed in range(SLOTS)]
    writer, reader = SlotMemory(pool.key), SlotMemory(pool.key)
    notices = [writer.write(slot, frame) for slot, frame in enumerate(frames)]
    for slot, (frame, notice) in enumerate(zip(frames, notices, strict=True)):
        out = reader.read(slot, notice)
        np.testing.assert_array_equal(out.pixels, frame.pixels)
        assert out.pixels.dtype == frame.pixels.dtype
        assert (out.view, out.frame_id, out.part_id, out.simulated) == ("top", 5, "part", True)
        assert (out.captured_utc_ns, out.captured_mono_ns, out.camera_serial) == (6, 7, "serial")


def test_a_frame_that_does_not_fit_is_refused_and_harms_no_neighbour(pool: FramePool) -> None:
    memory = pool.memory()
    neighbour = frame_of(PixelFormat.MONO8, seed=3)
    notice = memory.write(1, neighbour)
    with pytest.raises(ValueError, match=f"{SLOTS} slots of {64 * 48 * 2} bytes"):
        memory.write(0, frame_of(PixelFormat.MONO12, width_px=65))
    with pytest.raises(ValueError, match="in slot 3"):
        memory.write(SLOTS, neighbour)
    with pytest.raises(ValueError, match="in slot -1"):
        memory.write(-1, neighbour)
    np.testing.assert_array_equal(memory.read(1, notice).pixels, neighbour.pixels)


def test_the_memory_has_no_name_that_could_outlive_the_processes(pool: FramePool) -> None:
    assert str(Path(f"/proc/self/fd/{pool.key.fd}").readlink()).startswith("/memfd:lineside-top")
    assert os.fstat(pool.key.fd).st_nlink == 0


def test_letting_go_of_captures_frees_each_frame_and_passes_over_what_was_missed(pool: FramePool) -> None:
    slot = pool.take()
    assert slot is not None
    notice = pool.memory().write(slot, frame_of(PixelFormat.MONO8))
    reference = FrameReference(pool="top", slot=slot, notice=notice)
    pools = Pools([pool])
    pools.hold(reference)
    captures = {"top": reference, "side": MissedFrame(view="side", reason=Reason.NO_FRAME)}
    pools.release(captures)
    assert pool.free == SLOTS - 1
    pools.release_one(reference)
    assert pool.free == SLOTS
