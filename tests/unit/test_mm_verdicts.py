"""A recipe in mm gives the same verdicts wherever the camera is mounted, and its uncertainties are honest."""

from __future__ import annotations

import numpy as np
import pytest
from mounted_camera import SD, SIZE_PX, Bar, InkDetector, calibration_of, frame_of, mounted, picture_of, truth_of

from lineside.core.calibration import Calibration, Plane, Scale
from lineside.core.errors import ConfigError
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.recipe import Limit, Recipe, Region, ViewRecipe
from lineside.core.verdict import Judgement, Outcome
from lineside.imaging.lens import mm_per_px
from lineside.inspector import Inspector

LIMIT_MM = 12.0
NEAR = mounted(focal_px=900.0, k1=-0.15, rotation_rad=(0.02, -0.03, 0.1), distance_mm=200.0)
FAR = mounted(focal_px=1500.0, k1=0.06, rotation_rad=(-0.28, 0.2, 3.0), distance_mm=420.0)
"""The second is tilted by 20°, mounted nearly upside down, and has another lens at twice the distance."""

FACE = Region(
    name="face",
    include_mm=(((25, 20), (95, 20), (95, 70), (25, 70)),),
    exclude_mm=(((55, 25), (65, 25), (65, 35), (55, 35)),),
)
LONG = Limit(name="long", max_length_mm=LIMIT_MM)


def inspector(
    calibration: Calibration, *limits: Limit, regions: tuple[Region, ...] = (FACE,), **view: float
) -> Inspector:
    wanted = ViewRecipe(
        view="face",
        package="ink",
        pixel_format=PixelFormat.MONO8,
        width_px=SIZE_PX[0],
        height_px=SIZE_PX[1],
        regions=regions,
        **view,
    )
    recipe = Recipe(
        identity=Identity(id="r", revision=1, sha256="a" * 64),
        product_id="plate",
        due_ms=100,
        views={"face": wanted},
        limits=limits or (LONG,),
    )
    return Inspector(recipe, calibration, {"face": InkDetector()})


def judged(judge: Inspector, bars: list[Bar], camera: Plane, seed: int) -> Judgement:
    return judge.judge({"face": frame_of(picture_of(bars, camera, np.random.default_rng(seed)))})


@pytest.fixture(scope="module")
def both() -> list[tuple[Inspector, Plane]]:
    """Two stations with the same recipe; each camera really is a little other than its calibration says."""
    random = np.random.default_rng(11)
    return [(inspector(calibration_of(believed)), truth_of(believed, random)) for believed in (NEAR, FAR)]


def reach_mm(judgement: Judgement) -> float:
    return LONG.coverage_factor * (judgement.defects[0].length_uncertainty_mm or 0.0)


@pytest.mark.parametrize("middle_mm", [(60.0, 50.0), (34.0, 28.0), (84.0, 60.0)])
def test_two_cameras_give_the_same_verdicts_on_parts_around_the_limit(
    both: list[tuple[Inspector, Plane]], middle_mm: tuple[float, float]
) -> None:
    """Beyond twice the guard band below the limit both pass; from just below it on both reject."""
    clear = [judged(judge, [Bar(middle_mm=middle_mm, length_mm=14.0)], camera, 0) for judge, camera in both]
    guard_mm = max(map(reach_mm, clear))
    assert 0.05 < guard_mm < 0.7
    shorter = [LIMIT_MM - guard_mm * factor for factor in (2.0, 2.6, 4.0)]
    longer = [LIMIT_MM - guard_mm * 0.1, LIMIT_MM + 0.01, LIMIT_MM + guard_mm, LIMIT_MM + 2.5]

    for seed, length_mm in enumerate([*shorter, *longer]):
        bars = [Bar(middle_mm=middle_mm, length_mm=length_mm, turn_rad=0.3 + seed)]
        outcomes = [judged(judge, bars, camera, seed).outcome for judge, camera in both]

        expected = Outcome.PASS if length_mm in shorter else Outcome.FAIL
        assert outcomes == [expected, expected], f"{length_mm} mm"


def test_the_same_defect_has_the_same_sizes_within_what_is_stated(both: list[tuple[Inspector, Plane]]) -> None:
    bars = [Bar(middle_mm=(80.0, 58.0), length_mm=20.0, width_mm=5.0)]
    near, far = (judged(judge, bars, camera, 3).defects[0] for judge, camera in both)

    assert abs(near.finding.length_px / far.finding.length_px - 1) > 0.2, "in pixels they are far from the same"
    for size, sd, true in (
        ("length_mm", "length_uncertainty_mm", 20.0),
        ("width_mm", "width_uncertainty_mm", 5.0),
        ("area_mm2", "area_uncertainty_mm2", 100.0),
        ("diameter_mm", "diameter_uncertainty_mm", np.sqrt(400 / np.pi)),
    ):
        for defect in (near, far):
            assert abs(getattr(defect, size) - true) < 2.5 * getattr(defect, sd), size
            assert getattr(defect, sd) < 0.12 * true


def test_one_scale_for_a_tilted_camera_is_wrong_by_more_than_it_says(both: list[tuple[Inspector, Plane]]) -> None:
    """What the plane is for: with the scale of the middle the same limit fails where the camera sees things larger."""
    _, camera = both[1]
    scale = float(mm_per_px(np.array([[319.5, 239.5]]), FAR)[0])
    simple = Calibration(
        identity=Identity(id="s"), scales={"face": Scale(mm_per_px=scale, mm_per_px_uncertainty=0.001 * scale)}
    )
    everywhere = (Region(name="all"),)
    errors = [
        judged(inspector(simple, Limit(name="any"), regions=everywhere), [Bar(middle_mm=at, length_mm=20.0)], camera, 0)
        .defects[0].length_mm - 20.0  # type: ignore[operator]
        for at in ((15.0, 10.0), (105.0, 80.0))
    ]  # fmt: skip

    assert max(errors) - min(errors) > 1.0, "and no more than 0.3 mm are stated"


@pytest.mark.parametrize(
    ("middle_mm", "outcome"),
    [
        ((60.0, 50.0), Outcome.FAIL),
        ((60.0, 30.0), Outcome.PASS),
        ((60.0, 12.0), Outcome.PASS),
        ((16.0, 45.0), Outcome.PASS),
    ],
    ids=["inside", "left out", "beyond an edge", "beyond the other"],
)
def test_a_region_in_mm_means_the_same_places_of_the_part_to_both(
    middle_mm: tuple[float, float], outcome: Outcome
) -> None:
    spot = [Bar(middle_mm=middle_mm, length_mm=4.0, width_mm=4.0)]
    for believed in (NEAR, FAR):
        judge = inspector(calibration_of(believed), Limit(name="any"))

        assert outcome is judged(judge, spot, believed, 0).outcome


def test_a_region_in_mm_that_a_camera_does_not_see_refuses_to_start() -> None:
    wide = Region(name="wide", include_mm=(((25, 20), (200, 20), (200, 70)),))

    with pytest.raises(ConfigError, match=r"region wide of view face reaches .* which the camera does not see"):
        inspector(calibration_of(NEAR), Limit(name="any"), regions=(wide,))


def test_a_camera_that_sees_the_horizon_of_its_plane_refuses_to_start() -> None:
    """Beyond it rays meet the plane behind the camera: sizes there would be numbers, and wrong."""
    flat = mounted(focal_px=900.0, k1=0.0, rotation_rad=(-1.4, 0.0, 0.0), distance_mm=300.0)

    with pytest.raises(ConfigError, match="view face sees the horizon of its calibrated plane"):
        inspector(calibration_of(flat), Limit(name="any"), regions=(Region(name="all"),))


def test_a_region_in_mm_without_a_plane_refuses_to_start() -> None:
    simple = Calibration(identity=Identity(id="s"), scales={"face": Scale(mm_per_px=0.2, mm_per_px_uncertainty=0.0)})

    with pytest.raises(ConfigError, match="is in mm, and the view has no plane"):
        inspector(simple, Limit(name="any"))


def test_what_is_stated_of_a_length_covers_the_truth_as_often_as_it_says() -> None:
    """200 cameras, each really another one than its calibration says, as often as that says; seen through pictures and
    the inspector. Both errors matter here: the calibration's and the outline's. Chance allows 3 points around 95 %.
    """
    random = np.random.default_rng(4)
    coarse = SD * 4
    covered, scores = 0, []
    for number in range(200):
        believed = mounted(
            focal_px=random.uniform(1200, 1500),
            k1=random.uniform(-0.1, 0.1),
            rotation_rad=(random.uniform(-0.15, 0.15), random.uniform(-0.15, 0.15), random.uniform(-3, 3)),
            distance_mm=random.uniform(230, 260),
            sd=coarse,
        )
        bar = Bar(
            middle_mm=(60 + random.uniform(-8, 8), 45 + random.uniform(-5, 5)),
            length_mm=random.uniform(45, 60),
            width_mm=2.0,
            turn_rad=random.uniform(-0.3, 0.3) - believed.rotation_rad[2],
        )
        judge = inspector(calibration_of(believed), Limit(name="any"), regions=(Region(name="all"),))
        (defect,) = judged(judge, [bar], truth_of(believed, random), number).defects
        assert defect.length_mm is not None
        assert defect.length_uncertainty_mm is not None
        score = (defect.length_mm - bar.length_mm) / defect.length_uncertainty_mm
        scores.append(score)
        covered += abs(score) < 1.96

    assert 0.92 < covered / 200 < 0.985
    assert 0.85 < np.sqrt(np.mean(np.square(scores))) < 1.15


def test_a_frame_of_another_camera_than_the_calibrated_one_is_not_measured() -> None:
    judge = inspector(calibration_of(NEAR, serial="A7"))
    pixels = np.full((SIZE_PX[1], SIZE_PX[0]), 200, np.uint8)

    assert Outcome.PASS is judge.judge({"face": frame_of(pixels, serial="A7")}).outcome
    assert Outcome.PASS is judge.judge({"face": frame_of(pixels, serial="")}).outcome  # a client's picture, a file
    other = judge.judge({"face": frame_of(pixels, serial="B9")})
    assert Reason.FRAME_DAMAGED is other.reason
    assert "frame of camera B9; expected camera A7, which view face is calibrated with" in other.detail
