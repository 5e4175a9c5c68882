"""A limit in mm errs towards reject by the uncertainty of the size, unless it says otherwise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.core.calibration import Calibration, Scale
from lineside.core.finding import Box, Detection, Finding, ScoreMap
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import Errs, Limit, Recipe, ViewRecipe
from lineside.core.verdict import Judgement, Outcome
from lineside.imaging.measure import exceeds
from lineside.inspector import MAX_DEFECTS, Inspector
from lineside.testing import FakeDetector

PIXEL_SD = 1 / math.sqrt(12)
FRAME = Frame(
    view="face",
    pixels=np.zeros((80, 400), np.uint8),
    pixel_format=PixelFormat.MONO8,
    frame_id=1,
    captured_utc_ns=1,
    captured_mono_ns=1,
    camera_serial="1",
)


def bar(length_px: float, x_px: float = 10.0, score: float = 0.9) -> Finding:
    box = Box(x_px=x_px, y_px=10, width_px=length_px, height_px=2)
    return Finding(class_name="scratch", score=score, box=box, area_px=length_px * 2, length_px=length_px)


def judged(
    *findings: Finding,
    limit: Limit,
    uncertainty: float = 0.0,
    edge_sd_px: float | None = 0.0,
    maps: tuple[ScoreMap, ...] = (),
) -> Judgement:
    view = ViewRecipe(
        view="face",
        package="fake",
        pixel_format=PixelFormat.MONO8,
        width_px=400,
        height_px=80,
        edge_sd_px=edge_sd_px,
    )
    recipe = Recipe(
        identity=Identity(id="r", revision=1, sha256="a" * 64),
        product_id="plate",
        due_ms=100,
        views={"face": view},
        limits=(limit,),
    )
    calibration = Calibration(
        identity=Identity(id="s", sha256="c" * 64),
        scales={"face": Scale(mm_per_px=0.1, mm_per_px_uncertainty=uncertainty)},
    )
    answer = Detection(score=0.9, findings=findings, maps=maps)
    detector = FakeDetector(answer, class_names=("scratch",))
    return Inspector(recipe, calibration, {"face": detector}).judge({"face": FRAME})


def limit(**more: object) -> Limit:
    return Limit(name="long", max_length_mm=10.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("errs", "passes_px", "fails_px"),
    [("reject", 98.0, 98.1), ("neither", 100.0, 100.1), ("pass", 102.0, 102.1)],
)
def test_a_scale_that_is_uncertain_moves_the_limit_to_the_side_that_it_says(
    errs: Errs, passes_px: float, fails_px: float
) -> None:
    """1 % of about 10 mm, twice, is a guard band of about 0.2 mm."""
    rule = limit(errs=errs, coverage_factor=2.0)

    assert Outcome.PASS is judged(bar(passes_px), limit=rule, uncertainty=0.001).outcome
    assert Outcome.FAIL is judged(bar(fails_px), limit=rule, uncertainty=0.001).outcome


def test_a_limit_that_says_nothing_errs_towards_reject_with_95_percent() -> None:
    assert limit().errs == "reject"
    assert limit().coverage_factor == 1.96
    assert Outcome.FAIL is judged(bar(99.0), limit=limit(), uncertainty=0.001).outcome


def test_the_sentence_tells_the_uncertainty_that_rejected_the_part() -> None:
    judgement = judged(bar(99.0), limit=limit(), uncertainty=0.001)

    assert judgement.detail == "scratch 9.9 ± 0.19 mm in face (limit 10 mm), score 0.90"


def test_every_size_is_told_with_its_standard_uncertainty() -> None:
    (defect,) = judged(bar(120.0), limit=limit(), uncertainty=0.001, edge_sd_px=0.5).defects

    edges_mm = 2 * 0.5 * 0.1
    assert defect.length_mm == pytest.approx(12.0)
    assert defect.length_uncertainty_mm == pytest.approx(math.hypot(0.12, edges_mm))
    assert defect.width_mm == pytest.approx(0.2)
    assert defect.width_uncertainty_mm == pytest.approx(math.hypot(0.002, edges_mm))
    assert defect.area_mm2 == pytest.approx(2.4)
    assert defect.area_uncertainty_mm2 == pytest.approx(math.hypot(0.048, 12.2 * edges_mm))
    assert defect.diameter_mm == pytest.approx(math.sqrt(4 * 2.4 / math.pi))
    assert defect.diameter_uncertainty_mm == pytest.approx(defect.diameter_mm * defect.area_uncertainty_mm2 / (2 * 2.4))


@pytest.mark.parametrize(("step", "edge_sd_px"), [(1, None), (4, None), (4, 0.2)])
def test_an_edge_is_known_to_a_pixel_of_the_map_unless_the_recipe_says(step: int, edge_sd_px: float | None) -> None:
    values = np.zeros((80 // step, 400 // step), np.float32)
    values[10 // step, : 160 // step] = 0.9
    heat = ScoreMap(class_name="scratch", values=values, step_x_px=step, step_y_px=step)

    (defect,) = judged(limit=limit(), maps=(heat,), edge_sd_px=edge_sd_px).defects

    expected_px = step * PIXEL_SD if edge_sd_px is None else edge_sd_px
    assert defect.length_uncertainty_mm == pytest.approx(2 * expected_px * 0.1)


def test_limits_in_pixels_have_no_guard_band() -> None:
    rule = Limit(name="l", max_length_px=100)

    assert Outcome.PASS is judged(bar(100.0), limit=rule, uncertainty=0.05, edge_sd_px=3.0).outcome


def test_a_size_that_is_no_number_never_passes() -> None:
    (defect,) = judged(bar(120.0), limit=limit()).defects

    for errs in ("reject", "neither", "pass"):
        assert exceeds(replace(defect, length_mm=math.nan), limit(errs=errs))


def test_defects_of_a_limit_in_pixels_are_told_in_mm_too_and_no_more_than_are_told_are_measured() -> None:
    findings = [bar(20.0, x_px=3.0 * number, score=0.6 + number / 1000) for number in range(120)]

    judgement = judged(*findings, limit=Limit(name="any"), uncertainty=0.001)

    assert judgement.defects_total == 120
    assert len(judgement.defects) == MAX_DEFECTS
    assert all(defect.length_mm == pytest.approx(2.0) for defect in judgement.defects)


@settings(max_examples=80, deadline=None)
@given(length_px=st.floats(20, 300), uncertainty=st.floats(0, 0.02), factor=st.floats(0, 5))
def test_erring_towards_reject_never_passes_what_erring_towards_pass_rejects(
    length_px: float, uncertainty: float, factor: float
) -> None:
    def fails(errs: Errs) -> bool:
        rule = limit(errs=errs, coverage_factor=factor)
        return judged(bar(length_px), limit=rule, uncertainty=uncertainty).outcome is Outcome.FAIL

    assert fails("pass") <= fails("neither") <= fails("reject")
