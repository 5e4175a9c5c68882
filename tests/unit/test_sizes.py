"""Sizes of findings in mm: the same part, seen by cameras that are mounted differently, has the same size."""

import numpy as np
import pytest

from lineside.core.calibration import PLANE_FIGURES, Lens, Plane
from lineside.core.finding import Box, Finding, ScoreMap
from lineside.imaging.blobs import find_blobs
from lineside.imaging.lens import pixels_of, places_of
from lineside.imaging.sizes import sizes_of

NEAR = ((0.02, -0.03, 0.2), (-70.0, -60.0, 300.0), 1600.0, -0.15)
FAR = ((-0.25, 0.2, -1.1), (-60.0, 60.0, 420.0), 1900.0, 0.1)
CAMERAS = {"near": NEAR, "far and tilted": FAR}
SIDES_MM = (24.0, 6.0)
CORNERS = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * np.array(SIDES_MM) / 2
TURN = np.array([[np.cos(0.5), np.sin(0.5)], [-np.sin(0.5), np.cos(0.5)]])
MIDDLE_MM = np.array([60.0, 45.0])


def plane_of(camera: str, **uncertain: float) -> Plane:
    rotation, translation, focal, k1 = CAMERAS[camera]
    lens = Lens(
        size_px=(1280, 1024),
        focal_px=focal,
        centre_px=(640.0, 512.0),
        distortion=(k1, 0.0, 0.0, 0.0, 0.0),
        covariance=np.zeros((8, 8)),
    )
    covariance = np.diag([uncertain.get(name, 0.0) ** 2 for name in PLANE_FIGURES])
    return Plane(lens=lens, rotation_rad=rotation, translation_mm=translation, height_mm=0.0, covariance=covariance)


def bar_seen_by(plane: Plane) -> Finding:
    """A bar of known sides on the plane, as a model would find it: pixels whose middles lie on it."""
    rotation, translation = np.array(plane.rotation_rad), np.array(plane.translation_mm)
    corners = np.column_stack([CORNERS @ TURN + MIDDLE_MM, np.zeros(4)])
    seen = pixels_of(corners, plane.lens, rotation, translation)
    (left, top), (right, bottom) = np.floor(seen.min(axis=0)).astype(int) - 2, np.ceil(seen.max(axis=0)).astype(int) + 3
    columns, rows = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    places = places_of(np.column_stack([columns.ravel(), rows.ravel()]), plane) - MIDDLE_MM
    inside = (np.abs(places @ TURN.T) <= np.array(SIDES_MM) / 2).all(axis=1)
    hot = np.zeros((1024, 1280), np.uint8)
    hot[top:bottom, left:right] = inside.reshape(rows.shape)
    answer = ScoreMap(class_name="bar", values=hot.astype(np.float32))
    (finding,) = find_blobs(answer, np.ones_like(hot), 0.5)
    return finding


@pytest.mark.parametrize("camera", list(CAMERAS))
def test_a_bar_measures_the_same_whoever_looks_at_it(camera: str) -> None:
    plane = plane_of(camera)
    (sizes,) = sizes_of([bar_seen_by(plane)], plane, [0.5])

    for size, true in (
        (sizes.length_mm, 24.0),
        (sizes.width_mm, 6.0),
        (sizes.area_mm2, 144.0),
        (sizes.diameter_mm, 2 * np.sqrt(144.0 / np.pi)),
    ):
        assert abs(size.value - true) < 1.96 * size.uncertainty
        assert size.uncertainty / size.value < 0.08


def test_a_scale_wrong_by_a_thousandth_is_one_in_a_length_and_two_in_an_area() -> None:
    plane = plane_of("near", scale=1e-3)
    (sizes,) = sizes_of([bar_seen_by(plane)], plane, [0.0])

    assert np.isclose(sizes.length_mm.uncertainty / sizes.length_mm.value, 1e-3, rtol=1e-3)
    assert np.isclose(sizes.area_mm2.uncertainty / sizes.area_mm2.value, 2e-3, rtol=1e-3)
    assert np.isclose(sizes.diameter_mm.uncertainty / sizes.diameter_mm.value, 1e-3, rtol=1e-3)


def test_a_finding_that_is_a_box_only_is_measured_by_its_box() -> None:
    plane = plane_of("near")
    box = Box(x_px=600.0, y_px=500.0, width_px=40.0, height_px=10.0)
    finding = Finding(class_name="bar", score=1.0, box=box, area_px=400.0, length_px=40.0)

    (sizes,) = sizes_of([finding], plane, [0.5])

    scale = 300.0 / 1600.0
    assert np.isclose(sizes.length_mm.value, 40 * scale, rtol=0.02)
    assert np.isclose(sizes.width_mm.value, 10 * scale, rtol=0.02)
    assert np.isclose(sizes.area_mm2.value, 400 * scale**2, rtol=0.04)
