"""Round parts: found on any ground in any rotation, unrolled alike each time, and what is found turned back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.core.errors import ConfigError, NotLocated
from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import OnnxDetector, open_detector
from lineside.detectors.package import load_package
from lineside.detectors.placement import LocatedPlacement
from lineside.imaging.locate import Located, RoundPattern, locate
from lineside.imaging.pose import PolarPose
from lineside.train.bank_package import BankOrder, train_bank
from lineside.train.dataset import LabelledPicture, TrainingSet
from lineside.train.locate_fit import LocateOrder, fit_locate
from lineside.train.looking import look_at

SIDE_PX = 240
RADIUS_PX = 84.0


def casting(
    index: int,
    *,
    marked: bool = True,
    ground: bool = False,
    dirt: bool = False,
    bite: bool = False,
) -> tuple[NDArray[np.uint8], float, float, float]:
    """A turned part with rings, and with bores at uneven angles where `marked`; its centre and angle.

    `ground`: nothing sets it off, there is a pattern around it.
    """
    random = np.random.default_rng(index)
    x, y = 120 + random.uniform(-22, 22), 120 + random.uniform(-22, 22)
    angle = random.uniform(0, 360)
    picture = np.full((SIDE_PX, SIDE_PX), 60.0, np.float32)
    if ground:
        picture += 90 * (np.sin(np.arange(SIDE_PX) / 9)[None] * np.sin(np.arange(SIDE_PX) / 7)[:, None] > 0)

    def disc(away: float, at_deg: float, radius: float, value: float) -> None:
        turned = np.deg2rad(angle + at_deg)
        middle = (round((x - 0.5 + away * np.cos(turned)) * 16), round((y - 0.5 + away * np.sin(turned)) * 16))
        cv2.circle(picture, middle, round(radius * 16), value, -1, cv2.LINE_AA, 4)

    for radius, value in ((RADIUS_PX, 175.0), (70, 130.0), (40, 190.0), (22, 80.0)):
        disc(0, 0, radius, value)
    if marked:
        for at_deg in (0, 75, 130, 240):
            disc(56, at_deg, 8, 60)
    if dirt:
        disc(54, 190, 4, 20)
    if bite:
        disc(RADIUS_PX, 190, 24, 60)
    noisy = cv2.GaussianBlur(picture, (0, 0), 0.8) * random.uniform(0.92, 1.08) + random.normal(0, 3, picture.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8), x, y, angle


def found(pixels: Pixels, pattern: RoundPattern) -> tuple[Located, PolarPose]:
    part = locate(pixels, pattern)
    assert isinstance(part.pose, PolarPose)
    return part, part.pose


@pytest.fixture(scope="module")
def marked() -> RoundPattern:
    pattern = fit_locate([casting(index)[0] for index in range(12)], PixelFormat.MONO8)
    assert isinstance(pattern, RoundPattern)
    return pattern


@pytest.mark.parametrize("ground", [False, True], ids=["even ground", "patterned ground"])
def test_round_parts_are_found_to_half_a_pixel_and_turned_alike(ground: bool) -> None:
    order = LocateOrder(by="round")
    pattern = fit_locate([casting(index, ground=ground)[0] for index in range(12)], PixelFormat.MONO8, order)
    assert isinstance(pattern, RoundPattern)

    off_px, turns = [], []
    for index in range(100, 120):
        pixels, x, y, angle = casting(index, ground=ground)
        _, pose = found(pixels, pattern)
        off_px.append(float(np.hypot(pose.centre_px[0] - x, pose.centre_px[1] - y)))
        turns.append((pose.zero_deg - angle + 180) % 360 - 180)

    assert pattern.marked
    assert pattern.radius_px == pytest.approx(RADIUS_PX, abs=2.5)
    assert max(off_px) < 0.6
    assert np.ptp(np.mod(np.array(turns) - turns[0] + 180, 360)) < 1.5


def test_a_rim_with_a_bite_out_of_it_does_not_shift_the_centre(marked: RoundPattern) -> None:
    for index in range(200, 206):
        pixels, x, y, _ = casting(index, bite=True)

        _, pose = found(pixels, marked)

        assert np.hypot(pose.centre_px[0] - x, pose.centre_px[1] - y) < 1.0


@pytest.mark.parametrize("pixel_format", [PixelFormat.BGR8, PixelFormat.MONO12])
def test_colour_and_deep_frames_are_unrolled_too(pixel_format: PixelFormat) -> None:
    def deep(index: int) -> Pixels:
        grey = casting(index)[0]
        if pixel_format is PixelFormat.BGR8:
            return np.asarray(cv2.merge([grey, grey // 2, grey]), np.uint8)
        return grey.astype(np.uint16) * 16

    pattern = fit_locate([deep(index) for index in range(10)], pixel_format)
    assert isinstance(pattern, RoundPattern)
    _, x, y, _ = casting(70)
    part, pose = found(deep(70), pattern)

    assert part.pixels.dtype == pixel_format.dtype
    assert np.hypot(pose.centre_px[0] - x, pose.centre_px[1] - y) < 0.6


def test_a_round_part_that_fills_the_picture_is_not_taken_for_its_outline() -> None:
    """Its rim touches the picture's, and the ground in the corners says nothing."""
    closeups = [
        np.ascontiguousarray(pixels[round(y) - 86 : round(y) + 86, round(x) - 86 : round(x) + 86])
        for pixels, x, y, _ in (casting(index) for index in range(40))
        if 87 < x < SIDE_PX - 87 and 87 < y < SIDE_PX - 87
    ]

    pattern = fit_locate(closeups, PixelFormat.MONO8)

    assert len(closeups) >= 10
    assert isinstance(pattern, RoundPattern)
    assert pattern.marked


def test_without_marks_there_is_no_angle() -> None:
    pictures = [casting(index, marked=False)[0] for index in range(10)]

    pattern = fit_locate(pictures, PixelFormat.MONO8)

    assert isinstance(pattern, RoundPattern)
    assert not pattern.marked
    assert look_at(pictures, PixelFormat.MONO8, 0, locate=True).places(None).rows_alike


def test_the_same_frame_gets_the_same_bytes_and_is_left_as_it_was(marked: RoundPattern) -> None:
    frame = casting(5)[0]
    frame.flags.writeable = False

    assert locate(frame, marked).pixels.tobytes() == locate(frame.copy(), marked).pixels.tobytes()


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (lambda: np.full((SIDE_PX, SIDE_PX), 60, np.uint8), "nothing in the picture is like the part"),
        (lambda: np.ascontiguousarray(np.hstack([casting(1)[0], casting(2)[0]])), "two places in the picture"),
        (lambda: np.ascontiguousarray(casting(1)[0][:, : SIDE_PX // 2]), ""),
    ],
    ids=["nothing", "two", "half outside"],
)
def test_what_cannot_be_located_is_said(marked: RoundPattern, frame: object, what: str) -> None:
    with pytest.raises(NotLocated) as caught:
        locate(frame(), marked)  # type: ignore[operator]

    assert what in caught.value.what
    assert caught.value.expected


def test_good_pictures_without_a_circle_are_refused() -> None:
    random = np.random.default_rng(1)
    noise = [random.integers(0, 255, (80, 100), dtype=np.uint8) for _ in range(8)]

    with pytest.raises(ConfigError, match="no circle in the good pictures"):
        fit_locate(noise, PixelFormat.MONO8, LocateOrder(by="round"))


def test_a_map_comes_back_over_the_frame_where_it_belongs_and_with_its_area() -> None:
    """A ring sector of 90 degrees, across the seam of the unrolled picture."""
    pose = PolarPose(centre_px=(100.0, 60.0), px_per_row=1.0, zero_deg=30.0, columns=200)
    place = LocatedPlacement(
        frame_width_px=200, frame_height_px=50, width_px=200, height_px=50, left_px=0, top_px=0,
        content_width_px=200, content_height_px=50, camera_width_px=220, camera_height_px=130, pose=pose,
    )  # fmt: skip
    values = np.zeros((50, 200), np.float32)
    values[20:40, :25] = values[20:40, -25:] = 1

    answer = place.score_map("anomaly", values)

    rows, columns = np.nonzero(answer.values >= 0.5)
    x, y = (columns + 0.5) * answer.step_x_px - 100, (rows + 0.5) * answer.step_y_px - 60
    area_px = len(x) * answer.step_x_px * answer.step_y_px
    assert area_px == pytest.approx(np.pi * (40**2 - 20**2) / 4, rel=0.05)
    assert np.rad2deg(np.arctan2(y.mean(), x.mean())) == pytest.approx(30, abs=2)
    box = place.box(0, 39, 100, 40)
    assert box.y_px + box.height_px == pytest.approx(60 + 40, abs=1)


# In a package, from training to a score


@pytest.fixture(scope="module", params=[True, False], ids=["marked", "unmarked"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[OnnxDetector, bool]:
    pictures = tuple(
        LabelledPicture(name=str(index), path=Path(str(index)), split="train", good=True, group=str(index))
        for index in range(16)
    )
    made = train_bank(
        tmp_path_factory.mktemp("models") / "casting",
        BankOrder(
            id="casting",
            licence="Apache-2.0",
            pixel_format=PixelFormat.MONO8,
            size_px=(SIDE_PX, SIDE_PX),
            locate=LocateOrder(),
        ),
        TrainingSet(train=pictures, val=()),
        read=lambda path: casting(int(path.name), marked=request.param)[0],
        listing=b"",
    )
    return open_detector(load_package(made.package.folder)), request.param


def test_a_package_of_round_parts_tells_dirt_from_none_and_where_it_is(trained: tuple[OnnxDetector, bool]) -> None:
    detector, marked = trained
    good, bad = [], []
    for index in range(300, 312):
        for dirt, scores in ((False, good), (True, bad)):
            pixels, x, y, angle = casting(index, marked=marked, dirt=dirt)
            frame = Frame(
                view="top", pixels=pixels, pixel_format=PixelFormat.MONO8, frame_id=1, captured_utc_ns=1,
                captured_mono_ns=1, camera_serial="test",
            )  # fmt: skip
            detection = detector.detect(frame)
            scores.append(detection.score)
            if dirt:
                (answer,) = detection.maps
                row, column = np.unravel_index(int(answer.values.argmax()), answer.values.shape)
                seen = (float(column) + 0.5) * answer.step_x_px, (float(row) + 0.5) * answer.step_y_px
                turned = np.deg2rad(angle + 190)
                assert np.hypot(seen[0] - x - 54 * np.cos(turned), seen[1] - y - 54 * np.sin(turned)) < 12

    assert min(bad) > max(good)
