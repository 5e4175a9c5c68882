"""Lens and plane from rendered pictures of a known camera: what is found, what is stated, and what is refused."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, chi2
from simulated_calibration import (
    DECLARED,
    SIZE_PX,
    Truth,
    calibrated,
    lens_pictures,
    measured,
    own_part,
    pose,
    random_truth,
    take,
    take_points,
    target_of,
    texture_of,
)

from lineside.calibrate.detection import Found, find_target, grey_of
from lineside.calibrate.lens_fit import LensFit, fit_lens
from lineside.calibrate.plane_fit import PlaneFit, fit_plane, warnings_of
from lineside.calibrate.selection import select
from lineside.calibrate.target import default_target
from lineside.commands.calibrate_words import print_of
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.lens import pixels_of

CAMERAS = 12
MANY = 60


@pytest.fixture(scope="module")
def campaign() -> list[tuple[Truth, LensFit, PlaneFit, np.random.Generator]]:
    """Random cameras, every fourth with a colour filter, each calibrated from pictures."""
    made = []
    for seed in range(CAMERAS):
        random = np.random.default_rng(seed)
        truth = random_truth(random, bayer=seed % 4 == 3)
        made.append((truth, *calibrated(truth, random), random))
    return made


@pytest.fixture(scope="module")
def truth() -> Truth:
    return random_truth(np.random.default_rng(100))


@pytest.fixture(scope="module")
def pictures(truth: Truth) -> list[Found]:
    return lens_pictures(truth, np.random.default_rng(100))


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_lens_is_found_within_what_is_stated(campaign: list[tuple[Truth, LensFit, PlaneFit, object]]) -> None:
    scores = np.array(
        [
            (lens.lens.figures - truth.camera.lens.figures) / np.sqrt(np.diag(lens.lens.covariance))
            for truth, lens, _, _ in campaign
        ]
    )

    assert np.abs(scores).max() < 4.5
    assert 0.6 < rms(scores) < 1.4
    assert all(abs(lens.lens.focal_px / truth.camera.lens.focal_px - 1) < 2e-3 for truth, lens, _, _ in campaign)


@pytest.mark.slow
def test_stated_uncertainties_of_lengths_cover_the_truth_as_often_as_they_say(
    campaign: list[tuple[Truth, LensFit, PlaneFit, np.random.Generator]],
) -> None:
    """Once with all contributions, once with lens and pose alone, where no generous declaration hides an error."""
    everything = np.array([measured(truth, plane, random, 20).scores for truth, _, plane, random in campaign])
    own = [own_part(truth, plane, random, 20) for truth, _, plane, random in campaign]
    own_scores = np.array([each.scores for each in own])

    # Lengths of one camera share its errors: one of each is counted. Chance breaks this once in ten thousand runs.
    for scores in (everything, own_scores):
        assert (np.abs(scores[:, 0]) < 1.96).sum() >= binom.ppf(1e-4, CAMERAS, 0.95)
        assert (np.abs(scores) < 1.96).mean() > 0.8
    assert 0.5 < rms(everything) < 1.5
    assert 0.5 < rms(own_scores) < 1.5
    assert rms(np.concatenate([each.length_mm - each.true_mm for each in own])) < 0.02


@pytest.mark.slow
def test_of_sixty_cameras_as_many_lengths_are_covered_as_the_binomial_bound_allows() -> None:
    """Cameras whose points are found with a known error and no pictures: many, and one length of each, independent.

    With all contributions, and with lens and pose alone. Bounds that chance breaks once in ten thousand runs.
    """
    every, own = [], []
    for seed in range(MANY):
        random = np.random.default_rng(1000 + seed)
        truth = random_truth(random)
        _, plane = calibrated(truth, random, take_points)
        every.append(measured(truth, plane, random, 1).scores[0])
        own.append(own_part(truth, plane, random, 1).scores[0])

    for scores in (np.array(every), np.array(own)):
        assert (np.abs(scores) < 1.96).sum() >= binom.ppf(1e-4, MANY, 0.95)
        assert chi2.ppf(1e-4, MANY) < (scores**2).sum() < chi2.ppf(1 - 1e-4, MANY), "neither too bold nor too timid"


def test_print_and_height_are_the_larger_part_and_are_carried(truth: Truth, pictures: list[Found]) -> None:
    fit = fit_lens(select(pictures, SIZE_PX), SIZE_PX)
    picture = take(truth, truth.rotation_rad, truth.translation_mm, "plane.png", 1)
    with_all = fit_plane(picture, fit.lens, DECLARED)
    exact = fit_plane(picture, fit.lens, replace(DECLARED, print_uncertainty=0.0, height_uncertainty_mm=0.0))

    stated = [measured(truth, plane, np.random.default_rng(0), 50) for plane in (with_all, exact)]
    assert (stated[0].uncertainty_mm > stated[1].uncertainty_mm).all()
    assert abs(with_all.tilt_deg - np.rad2deg(np.linalg.norm(truth.rotation_rad[:2]))) < 0.3


def test_bad_pictures_are_left_out_and_named_with_the_reason(truth: Truth, pictures: list[Found]) -> None:
    random = np.random.default_rng(7)
    rotation, translation = pose(random, truth.camera.lens, tilt_rad=0.3, fill=0.9)
    sharp = truth.camera.picture(texture_of(), rotation, translation, 1)
    blurred = find_target("blurred.png", cv2.GaussianBlur(sharp, (0, 0), 2.8), target_of())
    empty = find_target("empty.png", np.full((480, 640), 128, np.uint8), target_of())
    twin = replace(pictures[0], name="twin.png")
    bent = replace(pictures[1], name="bent.png", points_px=pictures[1].points_px + bend(pictures[1]))

    before = {each.name for each in select(pictures, SIZE_PX).left_out}
    fit = fit_lens(select([*pictures[:1], *pictures[2:], bent, blurred, empty, twin], SIZE_PX), SIZE_PX)

    reasons = {each.name: each.reason for each in fit.left_out if each.name not in before}
    assert set(reasons) == {"blurred.png", "empty.png", "twin.png", "bent.png"}
    assert "blurred" in reasons["blurred.png"]
    assert "0 of 120 points" in reasons["empty.png"]
    assert reasons["twin.png"] == f"too similar to {pictures[0].name}"
    assert "px off" in reasons["bent.png"]


def cut(found: Found, kept: NDArray[np.bool_]) -> Found:
    return replace(found, ids=found.ids[kept], points_px=found.points_px[kept], points_mm=found.points_mm[kept])


def bend(found: Found) -> NDArray[np.float64]:
    """A sheet that curls: points move with the square of their place."""
    x = found.points_mm[:, 0] / found.points_mm[:, 0].max()
    return np.column_stack([np.zeros(len(x)), 6 * (x - 0.5) ** 2 * x])


def test_too_few_pictures_are_refused_and_every_reason_is_told(pictures: list[Found]) -> None:
    with pytest.raises(ConfigError, match="5 of 7 pictures are of use") as caught:
        select([*pictures[:5], pictures[0], replace(pictures[6], trouble="blurred")], SIZE_PX)

    assert f"{pictures[0].name}: too similar" in caught.value.what
    assert "tilted" in caught.value.remedy


def test_pictures_that_leave_most_of_the_frame_empty_are_refused(pictures: list[Found]) -> None:
    left = [cut(each, each.points_px[:, 0] < 250) for each in pictures]

    with pytest.raises(ConfigError, match="of the frame"):
        select(left, SIZE_PX)


def test_pictures_from_one_direction_only_are_refused(truth: Truth) -> None:
    random = np.random.default_rng(3)
    flat = [
        take(truth, *pose(random, truth.camera.lens, tilt_rad=0.02, fill=fill), f"{fill:.2f}.png", 1)
        for fill in np.linspace(0.7, 1.0, 12)
    ]

    with pytest.raises(ConfigError, match="planes differ by"):
        fit_lens(select(flat, SIZE_PX), SIZE_PX)


def test_another_target_is_told_as_that(truth: Truth) -> None:
    other = default_target(id="other", kind="charuco", paper="a5")
    assert other.table.first_marker != target_of().table.first_marker
    picture = truth.camera.picture(texture_of(), truth.rotation_rad, truth.translation_mm, 1)

    assert "another target's" in find_target("a.png", picture, other).trouble


@pytest.mark.parametrize("kind", ["checkerboard", "dots"])
def test_boards_without_markers_are_found_too(truth: Truth, kind: str) -> None:
    rotation, translation = pose(np.random.default_rng(3), truth.camera.lens, tilt_rad=0.1, fill=0.85)
    assert kind in ("checkerboard", "dots")
    target = target_of(kind)  # type: ignore[arg-type]
    picture = truth.camera.picture(texture_of(kind), rotation, translation, 1)  # type: ignore[arg-type]

    found = find_target("a.png", picture, target)

    assert (len(found.ids), found.trouble) == (len(target.points_mm), "")
    plane = fit_plane(found, truth.camera.lens, DECLARED)
    assert plane.picture.rms_px < 0.2
    # A board without markers may be counted from its other end: its distance is the same.
    centre = cv2.Rodrigues(rotation)[0] @ np.append(np.array(target.size_mm) / 2, 0) + translation
    seen = cv2.Rodrigues(np.array(plane.plane.rotation_rad))[0] @ np.append(np.array(target.size_mm) / 2, 0)
    assert np.allclose(seen + plane.plane.translation_mm, centre, rtol=2e-3, atol=0.3)


def test_a_tilted_plane_a_small_target_and_another_lens_are_warned_of(truth: Truth) -> None:
    lens = truth.camera.lens
    rotation, translation = pose(np.random.default_rng(1), lens, tilt_rad=0.01, fill=0.9)
    good = fit_plane(take(truth, rotation, translation, "good.png", 1), lens, DECLARED)
    tilted = fit_plane(take(truth, rotation + np.array([0.15, 0, 0]), translation, "tilted.png", 1), lens, DECLARED)
    few = cut(good.picture.found, good.picture.found.ids < 36)
    other = replace(lens, distortion=(lens.distortion[0] + 0.3, *lens.distortion[1:]))

    assert warnings_of(good, 0.05) == ()
    assert "tilted by" in " ".join(warnings_of(tilted, 0.05))
    assert "fills" in " ".join(warnings_of(fit_plane(few, lens, DECLARED), 0.05))
    assert "focus or lens were changed" in " ".join(
        warnings_of(fit_plane(good.picture.found, other, DECLARED), good.sd_px)
    )


def test_a_picture_of_any_format_becomes_grey() -> None:
    deep = np.array([[0, 4095]], np.uint16)
    colour = np.array([[[255, 255, 255], [0, 0, 0]]], np.uint8)

    assert grey_of(deep, PixelFormat.MONO12).tolist() == [[0, 255]]
    assert grey_of(colour, PixelFormat.RGB8).tolist() == [[255, 0]]


def test_a_print_that_came_out_too_large_gives_the_true_plane_when_its_rulers_are_told(truth: Truth) -> None:
    target, lens = target_of(), truth.camera.lens
    used = print_of(target, "161.6x90.9", 0.1)
    picture = truth.camera.picture(texture_of(), truth.rotation_rad, truth.translation_mm / used.scale[0], 1)

    told = fit_plane(find_target("a.png", picture, target, used.scale), lens, DECLARED)
    untold = fit_plane(find_target("a.png", picture, target), lens, DECLARED)

    assert np.allclose(used.scale, 1.01)
    assert np.isclose(used.scale_uncertainty, 0.1 / 90.9)
    assert np.isclose(told.plane.translation_mm[2], truth.translation_mm[2], rtol=1e-3)
    assert np.isclose(untold.plane.translation_mm[2], truth.translation_mm[2] / 1.01, rtol=1e-3)
    assert print_of(target, "", 0.1).scale_uncertainty == 0.005


def test_a_lens_that_darkens_its_corners_does_not_shrink_the_target() -> None:
    """Corners are seen off towards the darker side: by 70 millionths of the target's size, were it not corrected."""
    shrinks = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        truth = random_truth(random, vignetting=0.6)
        found = take(replace(truth, print_scale=1.0), truth.rotation_rad, truth.translation_mm, "a.png", seed)
        solid = np.column_stack([found.points_mm, np.zeros(len(found.ids))])
        expected = pixels_of(solid, truth.camera.lens, truth.rotation_rad, truth.translation_mm)
        away = expected - expected.mean(axis=0)
        shrinks.append(float(((found.points_px - expected) * away).sum() / (away**2).sum()))

    assert abs(np.mean(shrinks)) < 35e-6
