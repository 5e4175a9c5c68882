"""What the inspector makes of frames: the rules of the recipe, and that nothing unknown ever passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.core.calibration import Calibration, Scale
from lineside.core.errors import ConfigError, FrameError, ModelError
from lineside.core.finding import Box, Detection, Finding, ScoreMap
from lineside.core.frame import Frame, MissedFrame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.recipe import Limit, Recipe, Region, ReviewBand, ViewRecipe
from lineside.core.verdict import Judgement, Outcome
from lineside.inspector import MAX_DEFECTS, Inspector
from lineside.testing import FakeDetector

LEFT_HALF = Region(name="left", include=(((0, 0), (50, 0), (50, 80), (0, 80)),))
ANYTHING = Limit(name="anything")
CLEAN = Detection(score=0.0)


def recipe(*limits: Limit, views: tuple[str, ...] = ("face",), review: ReviewBand | None = None, **view: Any) -> Recipe:
    declared = {"package": "fake", "pixel_format": PixelFormat.MONO8, "width_px": 100, "height_px": 80} | view
    return Recipe(
        identity=Identity(id="r", revision=1, sha256="a" * 64),
        product_id="plate",
        due_ms=100,
        views={name: ViewRecipe(view=name, **declared) for name in views},
        limits=limits or (ANYTHING,),
        review=review,
    )


def calibration(mm_per_px: float | None = 0.1) -> Calibration:
    scales = {} if mm_per_px is None else {"face": Scale(mm_per_px=mm_per_px, mm_per_px_uncertainty=0.001)}
    return Calibration(identity=Identity(id="s", sha256="c" * 64), scales=scales)


def frame(view: str = "face", pixel_format: PixelFormat = PixelFormat.MONO8, width_px: int = 100) -> Frame:
    return Frame(
        view=view,
        pixels=np.zeros(pixel_format.shape(width_px, 80), pixel_format.dtype),
        pixel_format=pixel_format,
        frame_id=1,
        captured_utc_ns=1,
        captured_mono_ns=1,
        camera_serial="1",
    )


def finding(
    x: float = 10, y: float = 10, *, length: float = 5, score: float = 0.9, class_name: str = "scratch"
) -> Finding:
    box = Box(x_px=x, y_px=y, width_px=length, height_px=2)
    return Finding(class_name=class_name, score=score, box=box, area_px=length * 2, length_px=length)


def seen(*findings: Finding) -> Detection:
    return Detection(score=max((each.score for each in findings), default=0.0), findings=findings)


def judge(answer: Detection | Exception, *limits: Limit, scale: float | None = 0.1, **more: Any) -> Judgement:
    classes = more.pop("class_names", ("scratch", "dent"))
    inspector = Inspector(
        recipe(*limits, **more), calibration(scale), {"face": FakeDetector(answer, class_names=classes)}
    )
    return inspector.judge({"face": frame()})


def test_a_part_without_findings_passes_and_needs_no_words():
    judgement = judge(CLEAN)

    assert Outcome.PASS is judgement.outcome
    assert Reason.NONE is judgement.reason
    assert judgement.detail == ""
    assert judgement.models == (Identity(id="fake", revision=1, sha256="f" * 64),)
    assert judgement.provider == "cpu"
    assert 0 < judgement.infer_ns <= judgement.total_ns


def test_a_finding_longer_than_its_limit_fails_the_part_and_says_so_in_mm():
    judgement = judge(seen(finding(length=32, score=0.91)), Limit(name="scratches", max_length_mm=0.8))

    assert Outcome.FAIL is judgement.outcome
    assert Reason.DEFECTS is judgement.reason
    assert judgement.detail == "scratch 3.2 ± 0.13 mm in face (limit 0.8 mm), score 0.91"
    assert judgement.defects[0].limit == "scratches"
    assert judgement.defects[0].region == "all"
    assert judgement.defects[0].length_mm == pytest.approx(3.2)
    assert judgement.defects[0].area_mm2 == pytest.approx(0.64)


def test_several_parts_in_a_row_are_judged_as_each_alone():
    views = ("face", "back")
    detectors = {
        "face": FakeDetector(seen(finding(length=32))),
        "back": FakeDetector(ModelError("NaN")),
    }
    inspector = Inspector(recipe(views=views), calibration(), detectors)
    whole = {view: frame(view) for view in views}
    parts = [whole, {"face": frame("face")}, whole, {"face": frame("face", width_px=90), "back": frame("back")}]
    face_only = Inspector(recipe(), calibration(), {"face": detectors["face"]})

    for judging in (inspector, face_only):
        alone = [judging.judge(captures) for captures in parts]
        assert [judging.decide(each) for each in judging.see_each(parts)] == alone
    assert [each.reason for each in alone] == [Reason.DEFECTS] * 3 + [Reason.FRAME_DAMAGED]
    assert inspector.see_each([]) == []


@pytest.mark.parametrize(
    ("limit", "length_px", "outcome"),
    [
        (Limit(name="l", max_length_mm=0.625, errs="neither"), 5.0, Outcome.PASS),  # as large as allowed is allowed
        (Limit(name="l", max_length_mm=0.625, errs="neither"), 5.1, Outcome.FAIL),
        (Limit(name="l", max_area_mm2=0.15625, errs="neither"), 5.0, Outcome.PASS),
        (Limit(name="l", max_area_mm2=0.15625, errs="neither"), 5.1, Outcome.FAIL),
        (Limit(name="l", max_length_px=5), 5.0, Outcome.PASS),
        (Limit(name="l", max_length_px=5), 5.1, Outcome.FAIL),
        (Limit(name="l", max_area_px=10), 5.0, Outcome.PASS),
        (Limit(name="l", max_area_px=10), 5.1, Outcome.FAIL),
        (Limit(name="l", max_area_px=1000, max_length_px=5), 5.1, Outcome.FAIL),  # one of them is enough
    ],
)
def test_a_size_limit_is_broken_by_what_is_larger_than_it(limit: Limit, length_px: float, outcome: Outcome):
    assert outcome is judge(seen(finding(length=length_px)), limit, scale=0.125).outcome


def test_a_count_limit_allows_so_many_and_then_each_of_them_is_a_defect():
    two, three = [finding(x) for x in (10, 30)], [finding(x) for x in (10, 30, 60)]
    limit = Limit(name="few", max_count=2)

    assert Outcome.PASS is judge(seen(*two), limit).outcome
    judgement = judge(seen(*three), limit)
    assert Outcome.FAIL is judgement.outcome
    assert len(judgement.defects) == 3
    assert judgement.detail == "scratch in face, 3 of them (limit 2), score 0.90"


def test_a_limit_about_one_class_does_not_see_another():
    assert Outcome.PASS is judge(seen(finding(class_name="dent")), Limit(name="l", class_name="scratch")).outcome
    assert Outcome.FAIL is judge(seen(finding(class_name="dent")), Limit(name="l", class_name="dent")).outcome


def test_the_package_s_threshold_holds_where_a_limit_names_no_score():
    assert Outcome.PASS is judge(seen(finding(score=0.49))).outcome
    assert Outcome.FAIL is judge(seen(finding(score=0.5))).outcome
    assert Outcome.FAIL is judge(seen(finding(score=0.3)), Limit(name="strict", min_score=0.3)).outcome
    assert Outcome.PASS is judge(seen(finding(score=0.8)), Limit(name="lax", min_score=0.9)).outcome


def test_a_finding_that_only_reaches_into_a_region_counts_there():
    limit = Limit(name="l", region="left")

    assert Outcome.FAIL is judge(seen(finding(x=49.5)), limit, regions=(LEFT_HALF,)).outcome
    assert Outcome.PASS is judge(seen(finding(x=50)), limit, regions=(LEFT_HALF,)).outcome


def test_a_defect_names_the_region_that_it_lies_in():
    rest = Region(name="rest", exclude=LEFT_HALF.include)
    judgement = judge(seen(finding(x=70)), regions=(LEFT_HALF, rest))

    assert judgement.defects[0].region == "rest"
    assert judgement.detail == "scratch in face/rest, score 0.90"


def test_the_view_score_is_the_highest_inside_the_regions():
    outside = finding(x=70, score=0.99)
    inside = finding(x=10, score=0.2)

    judgement = judge(seen(outside, inside), regions=(LEFT_HALF,))

    assert Outcome.PASS is judgement.outcome
    assert judgement.view_scores[0].score == 0.2
    assert judgement.view_scores[0].threshold == 0.5


@pytest.mark.parametrize(("score", "review"), [(0.29, False), (0.3, True), (0.49, True), (0.5, False)])
def test_a_close_call_keeps_its_verdict_and_asks_for_a_person(score: float, review: bool):
    judgement = judge(seen(finding(score=score)), review=ReviewBand(from_score=0.3, to_score=0.5))

    assert review is judgement.review
    assert (Outcome.FAIL if score >= 0.5 else Outcome.PASS) is judgement.outcome


def test_a_score_map_is_judged_by_its_places():
    values = np.zeros((40, 50), np.float32)  # half the frame's resolution
    values[10, 5:20] = 0.8
    heat = ScoreMap(class_name="scratch", values=values, step_x_px=2, step_y_px=2)

    judgement = judge(Detection(score=0.8, maps=(heat,)), Limit(name="l", max_length_mm=2.5))

    assert judgement.detail == "scratch 3 ± 0.23 mm in face (limit 2.5 mm), score 0.80"
    assert judgement.defects[0].finding.area_px == 15 * 4
    assert judgement.defects[0].finding.box == Box(x_px=10, y_px=20, width_px=30, height_px=2)


def test_several_views_are_one_part_and_a_limit_counts_over_all_of_them():
    both = recipe(Limit(name="few", max_count=1), views=("face", "back"))
    detectors = {"face": FakeDetector(seen(finding())), "back": FakeDetector(seen(finding()))}

    judgement = Inspector(both, calibration(), detectors).judge({"face": frame(), "back": frame("back")})

    assert Outcome.FAIL is judgement.outcome
    assert [defect.view for defect in judgement.defects] == ["back", "face"]
    assert [score.view for score in judgement.view_scores] == ["face", "back"]
    assert len(judgement.models) == 1


def test_a_missing_view_is_not_inspected_whatever_the_other_views_show():
    both = recipe(views=("face", "back"))
    detectors = {"face": FakeDetector(CLEAN), "back": FakeDetector(CLEAN)}

    judgement = Inspector(both, calibration(), detectors).judge({"face": frame()})

    assert Outcome.NOT_INSPECTED is judgement.outcome
    assert Reason.NO_FRAME is judgement.reason
    assert judgement.detail == "back: no frame of this view came"
    assert detectors["face"].seen == []


def test_of_several_missed_frames_the_worst_reason_is_told_and_all_are_named():
    both = recipe(views=("face", "back"))
    detectors = {"face": FakeDetector(CLEAN), "back": FakeDetector(CLEAN)}
    missed = {
        "face": MissedFrame(view="face", reason=Reason.NO_FRAME, detail="nothing within 90 ms"),
        "back": MissedFrame(view="back", reason=Reason.CAMERA_LOST),
    }

    judgement = Inspector(both, calibration(), detectors).judge(missed)

    assert Reason.CAMERA_LOST is judgement.reason
    assert judgement.detail == "face: nothing within 90 ms; back: the camera is gone or no longer answers"


@pytest.mark.parametrize(
    "wrong",
    [frame(width_px=99), frame(pixel_format=PixelFormat.RGB8), frame(pixel_format=PixelFormat.MONO12)],
    ids=["width", "colour", "depth"],
)
def test_a_frame_that_is_not_as_declared_is_not_inspected_and_not_shown_to_the_model(wrong: Frame):
    detector = FakeDetector(CLEAN)

    judgement = Inspector(recipe(), calibration(), {"face": detector}).judge({"face": wrong})

    assert Outcome.NOT_INSPECTED is judgement.outcome
    assert Reason.FRAME_DAMAGED is judgement.reason
    assert "expected Mono8 of 100x80 px" in judgement.detail
    assert detector.seen == []


@pytest.mark.parametrize("error", [ModelError("the model answered with NaN"), FrameError("a torn frame")])
def test_a_part_that_the_model_cannot_judge_is_not_inspected_with_the_error_s_reason(error: ModelError | FrameError):
    judgement = judge(error)

    assert Outcome.NOT_INSPECTED is judgement.outcome
    assert error.reason is judgement.reason
    assert judgement.detail == f"face: {error}"


def test_an_error_in_our_own_code_is_not_taken_for_a_bad_part():
    with pytest.raises(ZeroDivisionError):
        judge(ZeroDivisionError())


_NAN_MAP = np.zeros((80, 100), np.float32)
_NAN_MAP[3, 4] = np.nan


@pytest.mark.parametrize(
    "answer",
    [
        Detection(score=float("nan")),
        Detection(score=float("inf")),
        seen(finding(score=float("nan"))),
        seen(finding(x=float("nan"))),
        seen(finding(length=float("inf"))),
        Detection(score=0.0, maps=(ScoreMap(class_name="scratch", values=_NAN_MAP),)),
        Detection(score=0.0, maps=(ScoreMap(class_name="scratch", values=-np.inf + np.zeros((8, 8), np.float32)),)),
        Detection(score=0.0, maps=(ScoreMap(class_name="scratch", values=np.zeros((8,), np.float32)),)),
        Detection(score=0.0, maps=(ScoreMap(class_name="scratch", values=np.zeros((0, 8), np.float32)),)),
    ],
    ids=["nan", "inf", "finding-nan", "place-nan", "length-inf", "map-nan", "map-inf", "map-flat", "map-empty"],
)
def test_an_answer_that_is_no_number_never_passes(answer: Detection):
    judgement = judge(answer)

    assert Outcome.NOT_INSPECTED is judgement.outcome
    assert Reason.MODEL_ERROR is judgement.reason


def test_a_map_that_does_not_reach_a_region_never_passes():
    right = Region(name="right", include=(((60, 0), (100, 0), (100, 80), (60, 80)),))
    heat = ScoreMap(class_name="scratch", values=np.zeros((80, 50), np.float32))

    judgement = judge(Detection(score=0.0, maps=(heat,)), regions=(right,))

    assert Reason.MODEL_ERROR is judgement.reason
    assert "does not reach region" in judgement.detail


def test_a_ruined_part_tells_its_worst_defects_and_how_many_there_were():
    findings = [finding(x, y, length=1, score=0.5 + x / 1000) for x in range(0, 100, 4) for y in range(0, 80, 4)]

    judgement = judge(seen(*findings))

    assert judgement.defects_total == len(findings) == 500
    assert len(judgement.defects) == MAX_DEFECTS
    assert min(defect.finding.score for defect in judgement.defects) == pytest.approx(0.58)


@pytest.mark.parametrize(
    ("limits", "scale", "words"),
    [
        ([Limit(name="l", class_name="hole")], 0.1, "one of dent, scratch or *"),
        ([Limit(name="l", max_length_mm=1)], None, "[scales.face]"),
        ([Limit(name="l", max_length_mm=20)], 0.1, "can never be broken"),
        ([Limit(name="l", max_area_mm2=80)], 0.1, "can never be broken"),
        ([Limit(name="l", region="rim")], 0.1, "a view and a region of the recipe"),
    ],
)
def test_a_limit_that_means_nothing_here_is_refused_at_the_start(limits: list[Limit], scale: float | None, words: str):
    with pytest.raises(ConfigError, match=words.replace("[", r"\[").replace("*", r"\*")):
        judge(CLEAN, *limits, scale=scale)


def test_a_model_for_other_frames_is_refused_at_the_start():
    detector = FakeDetector(CLEAN, pixel_format=PixelFormat.RGB8)

    with pytest.raises(ConfigError, match=r"frames in Mono8 .* expected RGB8"):
        Inspector(recipe(), calibration(), {"face": detector})


def test_a_view_without_a_model_is_refused_at_the_start():
    with pytest.raises(ConfigError, match="view face has no model"):
        Inspector(recipe(), calibration(), {})


# Properties

places = st.tuples(st.floats(0, 95), st.floats(0, 75), st.floats(0, 1), st.floats(1, 30))
findings_of_a_part = st.lists(
    st.builds(lambda place: finding(place[0], place[1], score=place[2], length=place[3]), places), max_size=12
)
quick = settings(max_examples=60, deadline=None)


@quick
@given(findings=findings_of_a_part, seed=st.randoms(use_true_random=False))
def test_the_same_findings_in_any_order_are_the_same_judgement(findings: list[Finding], seed: Any):
    shuffled = list(findings)
    seed.shuffle(shuffled)

    assert judge(seen(*findings)) == judge(seen(*shuffled))


@quick
@given(findings=findings_of_a_part, low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_min_score_never_adds_a_defect(findings: list[Finding], low: float, high: float):
    low, high = sorted((low, high))
    lax, strict = (judge(seen(*findings), Limit(name="l", min_score=score)) for score in (high, low))

    assert set(lax.defects) <= set(strict.defects)


@quick
@given(findings=findings_of_a_part, fewer=st.integers(0, 12), more=st.integers(0, 12))
def test_a_larger_max_count_never_turns_pass_into_fail(findings: list[Finding], fewer: int, more: int):
    fewer, more = sorted((fewer, more))
    strict, lax = (judge(seen(*findings), Limit(name="l", max_count=count)) for count in (fewer, more))

    assert not (strict.outcome is Outcome.PASS and lax.outcome is Outcome.FAIL)


@quick
@given(x=st.floats(0, 94))
def test_a_finding_counts_exactly_while_a_pixel_of_it_is_in_the_region(x: float):
    judgement = judge(seen(finding(x)), Limit(name="l", region="left"), regions=(LEFT_HALF,))

    assert (x < 50) is (judgement.outcome is Outcome.FAIL)


@quick
@given(reason=st.sampled_from(Reason), others=findings_of_a_part, which=st.sampled_from(["face", "back"]))
def test_a_missed_frame_never_passes(reason: Reason, others: list[Finding], which: str):
    both = recipe(views=("face", "back"))
    detectors = {"face": FakeDetector(seen(*others)), "back": FakeDetector(seen(*others))}
    captures: dict[str, Frame | MissedFrame] = {"face": frame(), "back": frame("back")}
    captures[which] = MissedFrame(view=which, reason=reason)

    assert Outcome.NOT_INSPECTED is Inspector(both, calibration(), detectors).judge(captures).outcome
