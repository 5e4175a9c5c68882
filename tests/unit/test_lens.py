"""From pixels to places on the plane and back, and how the uncertainties of the calibration reach a length."""

from dataclasses import replace

import numpy as np
import pytest

from lineside.core.calibration import PLANE_FIGURES, Lens, Plane
from lineside.imaging.lens import bearings_of, length_of, mm_per_px, pixels_of, places_of, rays_of, scale_field

LENS = Lens(
    size_px=(1280, 1024),
    focal_px=1800.0,
    centre_px=(650.0, 500.0),
    distortion=(-0.2, 0.15, 8e-4, -6e-4, 0.02),
    covariance=np.zeros((8, 8)),
)
STRAIGHT = replace(LENS, distortion=(0.0, 0.0, 0.0, 0.0, 0.0))
POSE = {"rotation_rad": (0.1, -0.07, 0.3), "translation_mm": (-60.0, -45.0, 360.0)}
PLACES = np.random.default_rng(0).uniform((0, 0), (150, 100), (200, 2))


def plane(lens: Lens, *, at_mm: float = 0.0, **uncertain: float) -> Plane:
    """A plane of which only the figures named are uncertain, by so much."""
    covariance = np.diag([uncertain.get(name, 0.0) ** 2 for name in PLANE_FIGURES])
    return Plane(lens=lens, height_mm=at_mm, covariance=covariance, **POSE)  # type: ignore[arg-type]


def square_on(distance_mm: float, **uncertain: float) -> Plane:
    """A plane at right angles to the axis of a lens that does not bend."""
    tilted = plane(STRAIGHT, **uncertain)
    return replace(tilted, rotation_rad=(0.0, 0.0, 0.0), translation_mm=(0.0, 0.0, distance_mm))


def seen(places: np.ndarray, height_mm: float = 0.0) -> np.ndarray:
    solid = np.column_stack([places, np.full(len(places), -height_mm)])
    return pixels_of(solid, LENS, np.array(POSE["rotation_rad"]), np.array(POSE["translation_mm"]))


@pytest.mark.parametrize("height_mm", [0.0, 12.5])
def test_a_place_comes_back_from_its_pixel(height_mm: float) -> None:
    back = places_of(seen(PLACES, height_mm), plane(LENS, at_mm=height_mm))

    assert np.allclose(back, PLACES, atol=1e-5)


def test_the_slopes_of_a_place_are_those_that_moving_each_figure_shows() -> None:
    """The exact slopes against central differences of the whole way from pixel to place, figure by figure."""
    known = plane(LENS, at_mm=8.0)
    bearings = bearings_of(PLACES, known)
    lens_steps = (1e-2, 1e-2, 1e-2, 1e-5, 1e-4, 1e-6, 1e-6, 1e-4)

    def moved(number: int, step: float) -> np.ndarray:
        figures = known.figures
        figures[number] += step
        x, y, z = figures[11:14] * figures[15]
        lens = replace(LENS, focal_px=figures[0], centre_px=(figures[1], figures[2]), distortion=tuple(figures[3:8]))
        changed = replace(
            known, lens=lens, rotation_rad=tuple(figures[8:11]), translation_mm=(x, y, z), height_mm=figures[14]
        )
        return places_of(bearings.pixels, changed)

    assert np.allclose(places_of(bearings.pixels, known), PLACES, atol=1e-6)
    for number, step in enumerate([*lens_steps, *[1e-6] * 3, *[1e-3] * 4, 1e-6]):
        slope = (moved(number, step) - moved(number, -step)) / (2 * step)
        assert np.allclose(bearings.mm_per_figure[..., number], slope, rtol=1e-4, atol=1e-5 * np.abs(slope).max())


def test_a_lens_that_does_not_bend_is_a_pinhole() -> None:
    assert np.allclose(rays_of(np.array([[650.0, 500.0], [2450.0, -1300.0]]), STRAIGHT), [[0, 0], [1, -1]])


def test_square_on_a_pixel_is_distance_over_focal_length() -> None:
    points, scale, spread = scale_field(square_on(360.0))

    assert (points.shape, scale.shape) == ((12, 16, 2), (12, 16))
    assert np.allclose(scale, 360.0 / 1800.0)
    assert np.allclose(spread, 0)


def test_parts_that_stand_higher_are_nearer_and_so_larger_in_pixels() -> None:
    lower, higher = square_on(360.0), replace(square_on(360.0), height_mm=36.0)
    middle = np.array([[640.0, 512.0]])

    assert np.allclose(mm_per_px(middle, higher) / mm_per_px(middle, lower), 0.9)


@pytest.mark.parametrize(
    ("uncertain", "expected_mm"),
    [
        ({"scale": 1e-3}, 0.1),  # a print wrong by 0.1 % on 100 mm
        ({"height_mm": 0.36}, 0.1),  # a thousandth of the distance
        ({"focal_px": 1.8}, 0.1),  # a thousandth of the focal length
        ({"tz_mm": 0.36, "scale": 1e-3}, 0.1 * np.sqrt(2)),
        ({"tx_mm": 5.0, "centre_x_px": 3.0, "rz_rad": 0.1}, 0.0),  # moves or turns everything alike
    ],
)
def test_what_is_uncertain_reaches_a_length_as_far_as_it_should(
    uncertain: dict[str, float], expected_mm: float
) -> None:
    ends = np.array([[150.0, 500.0]]), np.array([[650.0, 500.0]])

    length, spread = length_of(*ends, square_on(360.0, **uncertain))

    assert np.allclose(length, 100.0)
    assert np.allclose(spread, expected_mm, atol=2e-4)


def test_a_longer_focal_length_and_a_larger_distance_cancel() -> None:
    both = square_on(360.0)
    covariance = np.zeros((16, 16))
    focal, distance = PLANE_FIGURES.index("focal_px"), PLANE_FIGURES.index("tz_mm")
    together = np.zeros(16)
    together[[focal, distance]] = 18.0, 3.6  # one per cent each, always in the same direction
    covariance += np.outer(together, together)

    _, spread = length_of(np.array([[150.0, 500.0]]), np.array([[650.0, 500.0]]), replace(both, covariance=covariance))

    assert np.allclose(spread, 0, atol=1e-4)


def test_ends_that_are_known_to_half_a_pixel_make_a_length_that_is_known_to_their_sum_in_squares() -> None:
    _, spread = length_of(np.array([[150.0, 500.0]]), np.array([[650.0, 500.0]]), square_on(360.0), point_sd_px=0.5)

    assert np.allclose(spread, 0.5 * np.sqrt(2) * 0.2)
