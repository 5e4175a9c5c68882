"""Locating: a part that was moved and turned by a known amount is found, and what cannot be found is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from lineside.cli import app
from lineside.core.calibration import Calibration, Scale
from lineside.core.errors import ConfigError, NotLocated
from lineside.core.frame import Frame, Pixels
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.recipe import Limit, Recipe, ViewRecipe
from lineside.core.verdict import Outcome
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import ModelPackage, load_package
from lineside.detectors.placement import LocatedPlacement
from lineside.imaging.locate import Located, OutlinePattern, locate
from lineside.imaging.pose import Affine, AffinePose
from lineside.inspector import Inspector
from lineside.train.bank_package import BankOrder, train_bank
from lineside.train.dataset import LabelledPicture, TrainingSet
from lineside.train.locate_fit import LocateOrder, fit_locate
from lineside.train.looking import look_at

FRAME_PX = (400, 300)
MASTER_PX = (240, 130)
GROUND = 215


def master(*, dirt: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """A bracket without any symmetry, on a light ground; drawn large enough that turning it costs little sharpness."""
    picture = np.full((MASTER_PX[1], MASTER_PX[0]), GROUND, np.uint8)
    outline = np.array([[14, 20], [200, 14], [226, 60], [180, 112], [150, 92], [60, 118], [10, 80]])
    cv2.fillPoly(picture, [outline], 90)
    cv2.circle(picture, (60, 60), 16, 160, -1)
    cv2.circle(picture, (150, 50), 9, 40, -1)
    cv2.line(picture, (90, 30), (120, 90), 130, 5)
    if dirt is not None:
        cv2.circle(picture, dirt, 5, 235, -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.uint8)


def pose(angle_deg: float, x_px: float, y_px: float) -> Affine:
    """Master to frame: turned about its middle, which comes to lie at (x, y)."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, np.array([x_px, y_px]) - turn @ (np.array(MASTER_PX) / 2)])


def photographed(truth: Affine, seed: int = 0, picture: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """The part in a frame, with the noise of a sensor."""
    half = np.array([0.5, 0.5])
    matrix = np.column_stack([truth[:, :2], truth[:, 2] + truth[:, :2] @ half - half])
    clean = cv2.warpAffine(
        master() if picture is None else picture,
        matrix,
        FRAME_PX,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=GROUND,
    )
    noise = np.random.default_rng(seed).normal(0, 2, clean.shape)
    return np.asarray(np.clip(clean + noise, 0, 255), np.uint8)


def some_poses(count: int, most_deg: float = 180, seed: int = 5) -> list[Affine]:
    random = np.random.default_rng(seed)
    return [
        pose(random.uniform(-most_deg, most_deg), 200 + random.uniform(-40, 40), 150 + random.uniform(-15, 15))
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def pattern() -> OutlinePattern:
    found = fit_locate([photographed(truth, seed) for seed, truth in enumerate(some_poses(12))], PixelFormat.MONO8)
    assert isinstance(found, OutlinePattern)
    return found


def matrix_of(part: Located) -> Affine:
    assert isinstance(part.pose, AffinePose)
    return part.pose.matrix


def in_master(truth: Affine, part: Located) -> Affine:
    """Located picture to master: the same for every part that is well located."""
    turn = np.linalg.inv(truth[:, :2])
    to_frame = matrix_of(part)
    return np.column_stack([turn @ to_frame[:, :2], turn @ (to_frame[:, 2] - truth[:, 2])])


def off_by(one: Affine, other: Affine, size_px: tuple[int, int]) -> tuple[float, float]:
    """Px between where they put the middle, and degrees between how they turn."""
    middle = np.array([size_px[0] / 2, size_px[1] / 2, 1])
    angles = [np.rad2deg(np.arctan2(each[1, 0], each[0, 0])) for each in (one, other)]
    return float(np.linalg.norm((one - other) @ middle)), float(abs((angles[0] - angles[1] + 180) % 360 - 180))


def test_parts_in_any_pose_are_found_within_half_a_pixel_and_half_a_degree(pattern: OutlinePattern) -> None:
    size = pattern.reference.shape[1], pattern.reference.shape[0]
    poses = some_poses(25, seed=99)
    found = [in_master(truth, locate(photographed(truth, 100 + index), pattern)) for index, truth in enumerate(poses)]

    middle = np.median(found, axis=0)
    errors = [off_by(each, middle, size) for each in found]

    assert pattern.turns
    assert max(error for error, _ in errors) < 0.5
    assert max(error for _, error in errors) < 0.5


def test_the_picture_of_the_part_is_that_of_the_reference(pattern: OutlinePattern) -> None:
    part = locate(photographed(pose(-133, 210, 140), 7), pattern)

    assert part.pixels.shape == pattern.reference.shape
    assert np.abs(part.pixels.astype(float) - pattern.reference).mean() < 4
    assert part.correlation > 0.98


def test_the_same_frame_gets_the_same_bytes_and_is_left_as_it_was(pattern: OutlinePattern) -> None:
    frame = photographed(pose(30, 190, 150))
    frame.flags.writeable = False

    one, other = locate(frame, pattern), locate(frame.copy(), pattern)

    assert one.pixels.tobytes() == other.pixels.tobytes()
    assert matrix_of(one).tobytes() == matrix_of(other).tobytes()


def test_a_part_that_only_shifts_is_not_turned_at_random() -> None:
    """The rectangle of a disc has any angle: what is on it counts."""

    def disc(index: int) -> NDArray[np.uint8]:
        random = np.random.default_rng(index)
        frame = np.full((200, 260), 30, np.uint8)
        x, y = random.uniform(90, 170), random.uniform(80, 120)
        cv2.circle(frame, (round(x * 16), round(y * 16)), 50 * 16, 180, -1, cv2.LINE_AA, 4)
        for angle, grey in ((0.3, 90), (2.1, 120), (3.9, 60)):
            place = (round((x + 30 * np.cos(angle)) * 16), round((y + 30 * np.sin(angle)) * 16))
            cv2.circle(frame, place, 10 * 16, grey, -1, cv2.LINE_AA, 4)
        return np.asarray(np.clip(frame + random.normal(0, 2, frame.shape), 0, 255), np.uint8)

    pattern = fit_locate([disc(index) for index in range(10)], PixelFormat.MONO8, LocateOrder(by="outline"))
    assert isinstance(pattern, OutlinePattern)
    parts = [locate(disc(index), pattern) for index in range(50, 58)]

    assert not pattern.turns
    angles = [part.pose.angle_deg for part in parts]
    assert np.ptp(angles) < 1
    assert min(part.correlation for part in parts) > 0.97


def test_a_part_with_a_piece_missing_lies_as_the_whole_one_does(pattern: OutlinePattern) -> None:
    """So that the model sees what is missing: its rectangle alone would be askew."""
    size = pattern.reference.shape[1], pattern.reference.shape[0]
    for index, truth in enumerate(some_poses(10, seed=44)):
        broken = master()
        broken[:56, :64] = GROUND
        whole, less = (locate(photographed(truth, index, picture), pattern) for picture in (master(), broken))

        off_px, off_deg = off_by(in_master(truth, whole), in_master(truth, less), size)
        assert off_px < 6
        assert off_deg < 3


def test_half_a_part_lies_where_it_belongs_in_a_whole_one(pattern: OutlinePattern) -> None:
    """In two pieces, too: the model is to see what is missing, in any rotation."""
    size = pattern.reference.shape[1], pattern.reference.shape[0]
    for index, truth in enumerate(some_poses(6, seed=45)):
        half, cracked = master(), master()
        half[:, :120] = GROUND
        cracked[:, 96:120] = GROUND
        whole, *damaged = (
            locate(photographed(truth, index, picture), pattern) for picture in (master(), half, cracked)
        )

        for less in damaged:
            off_px, off_deg = off_by(in_master(truth, whole), in_master(truth, less), size)
            assert off_px < 4
            assert off_deg < 3


def test_a_piece_of_something_else_is_not_taken_for_half_a_part(pattern: OutlinePattern) -> None:
    frame = np.full((300, 400), GROUND, np.uint8)
    cv2.circle(frame, (200, 150), 52, 90, -1)
    cv2.circle(frame, (200, 150), 30, 200, -1)

    with pytest.raises(NotLocated, match="the part fits the reference with a correlation of"):
        locate(frame, pattern)


@pytest.mark.parametrize("pixel_format", [PixelFormat.BGR8, PixelFormat.MONO12])
def test_colour_and_deep_frames_are_located_too(pixel_format: PixelFormat) -> None:
    def deep(grey: NDArray[np.uint8]) -> Pixels:
        if pixel_format is PixelFormat.BGR8:
            return np.asarray(cv2.merge([grey, 255 - grey, grey]), np.uint8)
        return grey.astype(np.uint16) * 16

    frames = [deep(photographed(truth, seed)) for seed, truth in enumerate(some_poses(10))]

    part = locate(deep(photographed(pose(77, 205, 145), 50)), fit_locate(frames, pixel_format))

    assert part.correlation > 0.97
    assert part.pixels.dtype == pixel_format.dtype


def two_parts() -> NDArray[np.uint8]:
    frame = np.full((300, 400), GROUND, np.uint8)
    small = cv2.resize(master(), (200, 108))
    frame[10:118, 20:220] = small
    frame[180:288, 150:350] = small
    return frame


def a_part_and_a_piece_of_another() -> NDArray[np.uint8]:
    frame = photographed(pose(0, 200, 75))
    piece = master()[:, : MASTER_PX[0] * 2 // 5]
    frame[-piece.shape[0] - 10 : -10, 20 : 20 + piece.shape[1]] = piece
    return frame


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (lambda: np.full((300, 400), GROUND, np.uint8), "no part in the picture"),
        (two_parts, "2 parts in the picture"),
        (a_part_and_a_piece_of_another, "beside it"),
        (lambda: photographed(pose(0, 400, 290)), "reaches its edge"),
        (
            lambda: np.asarray(cv2.resize(photographed(pose(0, 200, 150))[60:240, 60:340], FRAME_PX), np.uint8),
            "what is in",
        ),
        (lambda: 255 - photographed(pose(0, 200, 150)), "the part fits the reference with a correlation of 0.00"),
    ],
    ids=["nothing", "two", "one and a piece", "half outside", "too large", "dark for light"],
)
def test_what_cannot_be_located_is_said_with_expected_and_got(
    pattern: OutlinePattern, frame: Callable[[], NDArray[np.uint8]], what: str
) -> None:
    with pytest.raises(NotLocated) as caught:
        locate(np.ascontiguousarray(frame()), pattern)

    assert what in caught.value.what
    assert caught.value.expected
    assert Reason.AMBIGUOUS is caught.value.reason


def test_good_pictures_without_a_part_in_them_are_refused() -> None:
    empty = [np.full((60, 80), GROUND, np.uint8) for _ in range(8)]

    with pytest.raises(ConfigError, match="differs from its background"):
        fit_locate(empty, PixelFormat.MONO8)


def test_good_pictures_that_are_not_alike_are_refused() -> None:
    frames = [photographed(truth, seed) for seed, truth in enumerate(some_poses(5))]
    frames += [np.full((300, 400), GROUND, np.uint8)] * 4

    with pytest.raises(ConfigError, match="good parts were found: no part in the picture"):
        fit_locate(frames, PixelFormat.MONO8)


# In a package, from training to a verdict


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    poses = some_poses(14)
    pictures = tuple(
        LabelledPicture(name=str(index), path=Path(str(index)), split="train", good=True, group=str(index))
        for index in range(len(poses))
    )
    order = BankOrder(
        id="bracket",
        licence="Apache-2.0",
        pixel_format=PixelFormat.MONO8,
        size_px=FRAME_PX,
        locate=LocateOrder(),
    )
    trained = train_bank(
        tmp_path_factory.mktemp("models") / "bracket",
        order,
        TrainingSet(train=pictures, val=()),
        read=lambda path: photographed(poses[int(path.name)], int(path.name)),
        listing=b"",
    )
    return load_package(trained.package.folder)


def frame_of(pixels: Pixels) -> Frame:
    return Frame(
        view="top",
        pixels=pixels,
        pixel_format=PixelFormat.MONO8,
        frame_id=1,
        captured_utc_ns=1,
        captured_mono_ns=1,
        camera_serial="test",
    )


def recipe(*, locate: bool | None = None) -> Recipe:
    view = ViewRecipe(
        view="top", package="bracket", pixel_format=PixelFormat.MONO8, width_px=400, height_px=300, locate=locate
    )
    return Recipe(
        identity=Identity(id="bracket"),
        product_id="bracket",
        due_ms=500,
        views={"top": view},
        limits=(Limit(name="clean"),),
    )


def test_the_package_holds_the_step_and_its_reference(package: ModelPackage) -> None:
    spec = package.manifest.input.locate

    assert spec is not None
    assert spec.reference in package.manifest.files
    assert package.preparation().pattern is not None


def test_the_station_sees_to_the_bit_what_training_saw(package: ModelPackage) -> None:
    frames = [photographed(truth, seed) for seed, truth in enumerate(some_poses(14))]
    look = look_at(frames, PixelFormat.MONO8, 0, locate=True)
    frame = photographed(pose(-75, 190, 160), 400)

    in_training, at_the_station = look.tensor_of(frame), package.preparation().prepare(frame)[0]

    assert look.spec == package.manifest.input
    assert in_training.tobytes() == at_the_station.tobytes()


def test_a_defect_is_told_where_it_is_in_the_frame_and_as_large(package: ModelPackage) -> None:
    """Dirt of 10 px across, on a part turned by 100 degrees: box, outline and area in pixels of the frame."""
    scales = {"top": Scale(mm_per_px=0.5, mm_per_px_uncertainty=0.001)}
    inspector = Inspector(
        recipe(), Calibration(identity=Identity(id="s"), scales=scales), {"top": open_detector(package)}
    )
    truth = pose(100, 195, 155)
    x, y = truth @ (105, 100, 1)

    clean = inspector.judge({"top": frame_of(photographed(truth, 300))})
    dirty = inspector.judge({"top": frame_of(photographed(truth, 301, master(dirt=(105, 100))))})

    assert Outcome.PASS is clean.outcome, clean.detail
    assert Outcome.FAIL is dirty.outcome
    worst = dirty.defects[0].finding
    assert worst.box.x_px <= x <= worst.box.x_px + worst.box.width_px
    assert worst.box.y_px <= y <= worst.box.y_px + worst.box.height_px
    outline = np.array(worst.contour_px)
    assert np.linalg.norm(outline.mean(axis=0) - (x, y)) < 8
    assert dirty.defects[0].area_mm2 == pytest.approx(worst.area_px / 4)


def test_a_part_that_is_not_there_is_not_inspected_and_says_why(package: ModelPackage) -> None:
    inspector = Inspector(recipe(), Calibration(identity=Identity(id="s"), scales={}), {"top": open_detector(package)})

    judgement = inspector.judge({"top": frame_of(np.full((300, 400), GROUND, np.uint8))})

    assert (Outcome.NOT_INSPECTED, Reason.AMBIGUOUS) == (judgement.outcome, judgement.reason)
    assert "no part in the picture; expected one part of about" in judgement.detail


def test_a_package_whose_reference_was_changed_is_refused(package: ModelPackage, tmp_path: Path) -> None:
    import shutil

    copied = tmp_path / "bracket"
    shutil.copytree(package.folder, copied)
    picture = copied / "locate/reference.png"
    picture.write_bytes(picture.read_bytes() + b"\0")

    with pytest.raises(ConfigError, match=r"reference\.png: its SHA-256"):
        load_package(copied)


def located_placement(angle_deg: float) -> LocatedPlacement:
    """A part of 80x40 px, twice as large in the input, at (100, 60) in a frame of 200x120."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return LocatedPlacement(
        frame_width_px=80,
        frame_height_px=40,
        width_px=160,
        height_px=80,
        left_px=0,
        top_px=0,
        content_width_px=160,
        content_height_px=80,
        camera_width_px=200,
        camera_height_px=120,
        pose=AffinePose(matrix=np.column_stack([turn, np.array([100, 60]) - turn @ (40, 20)])),
    )


@pytest.mark.parametrize("angle_deg", [0, 90, 180, 37])
def test_a_map_comes_back_over_the_frame_with_its_area(angle_deg: float) -> None:
    values = np.zeros((80, 160), np.float32)
    values[30:50, 60:120] = 1  # 30 x 10 px of the frame, its middle 5 px right of the part's

    answer = located_placement(angle_deg).score_map("anomaly", values)

    area_px = float((answer.values >= 0.5).sum()) * answer.step_x_px * answer.step_y_px
    rows, columns = np.nonzero(answer.values >= 0.5)
    middle = (columns.mean() + 0.5) * answer.step_x_px, (rows.mean() + 0.5) * answer.step_y_px
    angle = np.deg2rad(angle_deg)
    assert area_px == pytest.approx(300, rel=0.03)
    np.testing.assert_allclose(middle, (100 + 5 * np.cos(angle), 60 + 5 * np.sin(angle)), atol=0.3)
    assert (answer.values.shape[1] * answer.step_x_px, answer.values.shape[0] * answer.step_y_px) == (200, 120)


def test_a_box_comes_back_upright_around_the_turned_one() -> None:
    box = located_placement(90).box(0, 0, 160, 80)

    assert (80, 20, 40, 80) == pytest.approx((box.x_px, box.y_px, box.width_px, box.height_px))


# The command


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app("locate"), ["locate", *map(str, words)])
    return result.exit_code, result.output


def test_the_command_tells_and_draws_what_is_found_and_what_is_not(package: ModelPackage, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index, truth in enumerate(some_poses(3, seed=8)):
        cv2.imwrite(str(pictures / f"part{index}.png"), photographed(truth, index))
    sheet = tmp_path / "sheet.png"

    code, text = run(package.folder, pictures, "--show", sheet)

    assert 0 == code
    assert "part0.png: its middle at" in text
    assert "3 of 3 located" in text
    assert cv2.imread(str(sheet)).std() > 20

    cv2.imwrite(str(pictures / "part9.png"), np.full((300, 400), GROUND, np.uint8))
    code, text = run(package.folder, pictures)

    assert 1 == code
    assert "part9.png: not located: no part in the picture" in text
    assert "3 of 4 located" in text


def test_a_recipe_names_the_package_to_locate_with(package: ModelPackage, tmp_path: Path) -> None:
    (tmp_path / "bracket.toml").write_text(
        'recipe_id = "bracket"\nrevision = 1\nproduct_id = "bracket"\ndue_ms = 500\n'
        '[views.top]\npackage = "bracket"\npixel_format = "Mono8"\nsize_px = [400, 300]\nlocate = true\n'
        '[[limits]]\nname = "clean"\n'
    )
    cv2.imwrite(str(tmp_path / "one.png"), photographed(pose(10, 200, 150)))

    code, text = run(tmp_path / "bracket.toml", tmp_path / "one.png", "--models-dir", package.folder.parent)

    assert 0 == code, text
    assert "one.png" in text
