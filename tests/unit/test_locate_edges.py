"""Parts that nothing sets off from their ground: found by edges, shifted and turned by known amounts."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.core.errors import ConfigError, NotLocated
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.locate import EdgesPattern, Located, locate
from lineside.imaging.pose import AffinePose
from lineside.train.locate_fit import LocateOrder, fit_locate

WIDTH, HEIGHT = 320, 240


def scene() -> NDArray[np.uint8]:
    """A panel that goes on beyond the picture: no ground anywhere, and shadows over it."""
    random = np.random.default_rng(3)
    picture = np.full((HEIGHT + 160, WIDTH + 160), 120, np.uint8)
    for _ in range(60):
        x, y = int(random.integers(0, WIDTH + 120)), int(random.integers(0, HEIGHT + 120))
        width, height = (int(side) for side in random.integers(12, 60, 2))
        cv2.rectangle(picture, (x, y), (x + width, y + height), int(random.integers(60, 190)), -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.uint8)


def photographed(seed: int, most_px: float = 14, most_deg: float = 6) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The panel under another light; and the motion from the scene's middle part into the picture."""
    random = np.random.default_rng(seed)
    matrix = cv2.getRotationMatrix2D(((WIDTH + 159) / 2, (HEIGHT + 159) / 2), random.uniform(-most_deg, most_deg), 1.0)
    matrix[:, 2] += random.uniform(-most_px, most_px, 2) - 80
    picture = cv2.warpAffine(scene(), matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR).astype(np.float32)
    light = 1 + 0.25 * np.linspace(-1, 1, WIDTH)[None] * random.uniform(-1, 1)
    noisy = picture * light * random.uniform(0.8, 1.1) + random.normal(0, 2, picture.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8), np.asarray(matrix, np.float64)


@pytest.fixture(scope="module")
def pattern() -> EdgesPattern:
    found = fit_locate([photographed(seed)[0] for seed in range(10)], PixelFormat.MONO8, LocateOrder(by="edges"))
    assert isinstance(found, EdgesPattern)
    return found


def in_scene(part: Located, matrix: NDArray[np.float64], point: tuple[float, float]) -> NDArray[np.float64]:
    """Where a point of the located picture lies in the scene: the same for every picture that is well located."""
    assert isinstance(part.pose, AffinePose)
    frame = part.pose.in_frame(np.array([point]))[0]
    return np.asarray(np.linalg.solve(matrix[:, :2], frame - matrix[:, 2]), np.float64)


def test_shifted_and_turned_pictures_come_to_lie_on_the_reference(pattern: EdgesPattern) -> None:
    places = []
    for seed in range(50, 70):
        pixels, matrix = photographed(seed)
        part = locate(pixels, pattern)
        places.append([in_scene(part, matrix, point) for point in ((60, 60), (260, 60), (160, 190))])

    spread = np.linalg.norm(np.array(places) - np.median(places, axis=0), axis=2)
    assert spread.max() < 1.0
    assert (HEIGHT, WIDTH) == pattern.reference.shape
    assert pattern.most_turn_deg < 20


def test_a_region_is_what_is_found_and_all_that_is_looked_at() -> None:
    pictures = [photographed(seed)[0] for seed in range(10)]

    pattern = fit_locate(pictures, PixelFormat.MONO8, LocateOrder(region=(90, 60, 140, 110)))
    part = locate(photographed(33)[0], pattern)

    assert isinstance(pattern, EdgesPattern)
    assert (110, 140) == part.pixels.shape
    assert part.correlation > 0.9


@pytest.mark.parametrize("region", [(0, 0, 400, 100), (10, 10, 4, 4)])
def test_a_region_outside_the_picture_or_too_small_is_refused(region: tuple[int, int, int, int]) -> None:
    pictures = [photographed(seed)[0] for seed in range(3)]

    with pytest.raises(ConfigError, match="at least 16 px each way"):
        fit_locate(pictures, PixelFormat.MONO8, LocateOrder(region=region))


@pytest.mark.parametrize(
    "frame",
    [
        lambda: np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8),
        lambda: np.full((HEIGHT, WIDTH), 128, np.uint8),
        lambda: np.ascontiguousarray(photographed(40)[0][::-1]),
    ],
    ids=["noise", "nothing", "mirrored"],
)
def test_what_is_not_the_part_is_not_located(pattern: EdgesPattern, frame: Callable[[], NDArray[np.uint8]]) -> None:
    with pytest.raises(NotLocated):
        locate(frame(), pattern)
