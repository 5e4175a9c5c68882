"""Frames are corrected by the station's flat field once, in the one place that live and re-inspection share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.core.calibration import Calibration, FlatMaps
from lineside.core.errors import ConfigError, FrameError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.recipe import Limit, Recipe, ViewRecipe
from lineside.core.verdict import Outcome
from lineside.imaging.flat_field import FlatField
from lineside.inspector import Inspector
from lineside.testing import FakeDetector

WIDTH_PX, HEIGHT_PX = 24, 16
CLEAN = Detection(score=0.0)


def maps_of(pixel_format: PixelFormat, seed: int = 0) -> FlatMaps:
    """Shading of 30 %, an offset, and one dead pixel."""
    random = np.random.default_rng(seed)
    shape = pixel_format.shape(WIDTH_PX, HEIGHT_PX)
    bad = np.zeros(shape, np.bool_)
    bad[5, 7] = True
    return FlatMaps(
        pixel_format=pixel_format,
        offset=random.uniform(0, 4, shape).astype(np.float32),
        gain=random.uniform(1.0, 1.3, shape).astype(np.float32),
        bad=bad,
    )


def frame_of(pixel_format: PixelFormat, view: str = "face") -> Frame:
    shape = pixel_format.shape(WIDTH_PX, HEIGHT_PX)
    pixels: NDArray[Any] = np.random.default_rng(1).integers(20, pixel_format.max_value // 2, shape)
    return Frame(
        view=view,
        pixels=pixels.astype(pixel_format.dtype),
        pixel_format=pixel_format,
        frame_id=1,
        captured_utc_ns=1,
        captured_mono_ns=1,
        camera_serial="A7",
    )


def inspector(pixel_format: PixelFormat, flats: dict[str, FlatMaps], detectors: dict[str, FakeDetector]) -> Inspector:
    recipe = Recipe(
        identity=Identity(id="r", revision=1, sha256="a" * 64),
        product_id="plate",
        due_ms=100,
        views={
            view: ViewRecipe(
                view=view, package="fake", pixel_format=pixel_format, width_px=WIDTH_PX, height_px=HEIGHT_PX
            )
            for view in detectors
        },
        limits=(Limit(name="any"),),
    )
    return Inspector(recipe, Calibration(identity=Identity(id="s"), flats=flats), detectors)


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO12, PixelFormat.MONO16, PixelFormat.RGB8])
def test_the_model_sees_corrected_pixels_and_the_frame_itself_is_not_touched(pixel_format: PixelFormat) -> None:
    detector = FakeDetector(CLEAN, pixel_format=pixel_format)
    maps = maps_of(pixel_format)
    frame = frame_of(pixel_format)
    before = frame.pixels.copy()

    judgement = inspector(pixel_format, {"face": maps}, {"face": detector}).judge({"face": frame})

    assert Outcome.PASS is judgement.outcome
    (seen,) = detector.seen
    assert seen.pixels.dtype == before.dtype
    assert np.array_equal(seen.pixels, FlatField(maps).apply(before))
    assert not np.array_equal(seen.pixels, before)
    assert np.array_equal(frame.pixels, before)


def test_looking_again_shows_the_model_the_same_pixels_as_judging() -> None:
    detector = FakeDetector(CLEAN)
    judge = inspector(PixelFormat.MONO8, {"face": maps_of(PixelFormat.MONO8)}, {"face": detector})

    judge.judge({"face": frame_of(PixelFormat.MONO8)})
    judge.look("face", frame_of(PixelFormat.MONO8))

    judged, looked = detector.seen
    assert np.array_equal(judged.pixels, looked.pixels)


def test_each_view_has_its_own_flat_field_or_none() -> None:
    detectors = {view: FakeDetector(CLEAN) for view in ("face", "back", "side")}
    flats = {"face": maps_of(PixelFormat.MONO8), "back": maps_of(PixelFormat.MONO8, seed=9)}
    frames = {view: frame_of(PixelFormat.MONO8, view) for view in detectors}

    inspector(PixelFormat.MONO8, flats, detectors).judge(frames)

    face, back, side = (detectors[view].seen[0].pixels for view in detectors)
    assert np.array_equal(side, frames["side"].pixels)
    assert np.array_equal(face, FlatField(flats["face"]).apply(frames["face"].pixels))
    assert np.array_equal(back, FlatField(flats["back"]).apply(frames["back"].pixels))


def test_a_flat_field_of_another_depth_than_the_frames_is_refused_before_it_starts() -> None:
    """Both are 16 bits wide in memory: the numbers alone would not show it."""
    detector = FakeDetector(CLEAN, pixel_format=PixelFormat.MONO16)

    with pytest.raises(ConfigError, match=r"calibrated with frames in Mono12 24x16 px; expected Mono16 24x16 px"):
        inspector(PixelFormat.MONO16, {"face": maps_of(PixelFormat.MONO12)}, {"face": detector})


def test_frames_of_another_size_than_declared_are_not_corrected() -> None:
    detector = FakeDetector(CLEAN)
    judge = inspector(PixelFormat.MONO8, {"face": maps_of(PixelFormat.MONO8)}, {"face": detector})
    frame = frame_of(PixelFormat.MONO8)
    cut = replace(frame, pixels=np.ascontiguousarray(frame.pixels[:-1]))

    assert Reason.FRAME_DAMAGED is judge.judge({"face": cut}).reason
    assert detector.seen == []
    with pytest.raises(FrameError):
        judge.look("face", cut)
