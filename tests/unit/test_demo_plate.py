"""The shipped package `demo-plate`: made again by its command, and what it says of parts that it was not made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineside.assemble import open_inspector, read_files
from lineside.cameras.scenes import SceneOptions, render
from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import OnnxDetector, open_detector
from lineside.detectors.package import GRAPH, load_package
from lineside.train.demo_plate import DEMO_ORDER, PARTS, SEED, train_demo_plate

PROJECT = Path(__file__).parents[2]
SHIPPED = PROJECT / "models" / "demo-plate"
TEST_SEED = 77


def frame_of(pixels: Pixels) -> Frame:
    return Frame(
        view="face",
        pixels=pixels,
        pixel_format=PixelFormat.MONO8,
        frame_id=1,
        captured_utc_ns=1,
        captured_mono_ns=1,
        camera_serial="test",
    )


@pytest.fixture(scope="module")
def shipped() -> OnnxDetector:
    return open_detector(load_package(SHIPPED))


def test_the_shipped_package_can_be_made_again(shipped: OnnxDetector, tmp_path: Path) -> None:
    """To the byte on the kind of machine that made it; elsewhere it answers alike."""
    ticks: list[None] = []

    again = train_demo_plate(tmp_path / "demo-plate", tick=lambda: ticks.append(None)).package

    assert PARTS + 1 == len(ticks)
    assert shipped_settings() == again.manifest.training["settings"]
    assert load_package(SHIPPED).manifest.threshold == again.manifest.threshold
    other = open_detector(again)
    for index, rate in enumerate((0, 0, 1, 1)):
        frame = frame_of(render("plate", TEST_SEED, 500 + index, SceneOptions(defect_rate=rate)).pixels)
        one, two = (detector.detect(frame).maps[0].values for detector in (shipped, other))
        np.testing.assert_allclose(one, two, rtol=0.02, atol=0.02)


def shipped_settings() -> object:
    return load_package(SHIPPED).manifest.training["settings"]


def test_the_shipped_package_is_small_and_was_not_made_of_the_demo_parts() -> None:
    assert (SHIPPED / GRAPH).stat().st_size < 2_000_000
    assert str(SEED) in load_package(SHIPPED).manifest.training["source"]["rendered"]
    assert SEED not in {1, TEST_SEED}
    assert (640, 480) == DEMO_ORDER.size_px


def test_the_shipped_package_lets_no_bad_plate_through_and_rejects_no_good_one(shipped: OnnxDetector) -> None:
    options = SceneOptions(defect_rate=0.3)
    parts = [render("plate", TEST_SEED, index, options) for index in range(200)]
    scores = [(part.truth, shipped.detect(frame_of(part.pixels)).score) for part in parts]

    assert [] == [truth for truth, score in scores if not truth.good and score < shipped.threshold]
    assert [] == [truth for truth, score in scores if truth.good and score >= shipped.threshold]


def test_the_map_is_above_the_limit_where_the_defect_is(shipped: OnnxDetector) -> None:
    inside: Callable[[float, float, float], bool] = lambda low, size, at: low - 4 <= at <= low + size + 4  # noqa: E731
    for index in range(40):
        part = render("plate", TEST_SEED, index, SceneOptions(defect_rate=1))
        (found,) = shipped.detect(frame_of(part.pixels)).maps
        row, column = np.unravel_index(int(found.values.argmax()), found.values.shape)
        x_px, y_px = (float(column) + 0.5) * found.step_x_px, (float(row) + 0.5) * found.step_y_px

        assert any(
            inside(defect.box.x_px, defect.box.width_px, x_px) and inside(defect.box.y_px, defect.box.height_px, y_px)
            for defect in part.truth.defects
        )


def test_the_demo_recipe_states_how_far_its_outlines_lie_beyond_the_true_edges() -> None:
    """Root mean square over plates with one defect, at either end of its length; a tenth of it is chance."""
    station, recipe = read_files(PROJECT / "calibration" / "stations" / "demo.toml")
    declared_px = recipe.views["face"].edge_sd_px
    inspector = open_inspector(recipe, station.calibration, {"face": SHIPPED}, providers=("cpu",), intra_op_threads=1)
    beyond_px = []
    for index in range(120):
        part = render("plate", TEST_SEED, 1000 + index, SceneOptions(defect_rate=1))
        defects = inspector.judge({"face": frame_of(part.pixels)}).defects
        if len(defects) == len(part.truth.defects) == 1:
            true_px = max(cv2.minAreaRect(cv2.findNonZero(part.mask.astype(np.uint8)))[1]) + 1
            beyond_px.append((defects[0].finding.length_px - true_px) / 2)

    assert len(beyond_px) >= 60
    assert declared_px == pytest.approx(np.sqrt(np.mean(np.square(beyond_px))), rel=0.1)
