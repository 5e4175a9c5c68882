"""The bank: what it makes of good parts, what its graph says of others, and that the graph is what numpy says."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.cameras.scenes import SceneOptions, render
from lineside.core.errors import ConfigError
from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import OnnxDetector, open_detector
from lineside.detectors.package import GRAPH, load_package
from lineside.train.bank import BankSettings, anomaly_map, fit_bank, fit_codes
from lineside.train.bank_choice import auroc
from lineside.train.bank_features import feature_count, features
from lineside.train.bank_graph import INPUT, MAP, bank_graph
from lineside.train.bank_package import SPLIT_RECORD, BankOrder, TrainedBank, train_bank
from lineside.train.bank_sheet import contact_sheet
from lineside.train.dataset import LabelledPicture, TrainingSet
from lineside.train.looking import work_size
from lineside.train.places import Moments, PlaceSettings

SIZE_PX = (160, 120)
GOOD = 16


def part(index: int, pixel_format: PixelFormat = PixelFormat.MONO8, *, defect_rate: float = 0) -> Pixels:
    options = SceneOptions(width_px=160, height_px=120, pixel_format=pixel_format, defect_rate=defect_rate)
    return render("plate" if pixel_format.channels == 1 else "board", 31, index, options).pixels


def frame_of(pixels: Pixels, pixel_format: PixelFormat = PixelFormat.MONO8) -> Frame:
    return Frame(
        view="face",
        pixels=pixels,
        pixel_format=pixel_format,
        frame_id=1,
        captured_utc_ns=1,
        captured_mono_ns=1,
        camera_serial="test",
    )


def pictures(train: int = GOOD, val_good: int = 0, val_bad: int = 0, train_bad: int = 0) -> TrainingSet:
    """Names only: the reader renders them."""

    def named(kind: str, split: str, count: int) -> tuple[LabelledPicture, ...]:
        good = kind == "good"
        names = [f"{split}-{kind}-{index}" for index in range(count)]
        return tuple(
            LabelledPicture(
                name=name,
                path=Path(name),
                split="train" if split == "train" else "val",
                good=good,
                class_name="" if good else "defect",
                group=name,
            )
            for name in names
        )

    return TrainingSet(
        train=named("good", "train", train) + named("bad", "train", train_bad),
        val=named("good", "val", val_good) + named("bad", "val", val_bad),
    )


def reader(pixel_format: PixelFormat = PixelFormat.MONO8):  # type: ignore[no-untyped-def]
    def read(path: Path) -> Pixels:
        split, kind, index = path.name.split("-")
        offset = {"train": 0, "val": 1000}[split] + (500 if kind == "bad" else 0)
        return part(offset + int(index), pixel_format, defect_rate=float(kind == "bad"))

    return read


def order(pixel_format: PixelFormat = PixelFormat.MONO8, **changes: object) -> BankOrder:
    keys = {"id": "plate", "licence": "Apache-2.0", "size_px": SIZE_PX, "source": {"rendered": "plates"}}
    return BankOrder(pixel_format=pixel_format, **{**keys, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedBank:
    folder = tmp_path_factory.mktemp("models") / "plate"
    return train_bank(folder, order(), pictures(), read=reader(), listing=b"file,split\n")


@pytest.fixture(scope="module")
def detector(trained: TrainedBank) -> OnnxDetector:
    return open_detector(load_package(trained.package.folder))


# The sums


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.RGB8, PixelFormat.BGR8])
@pytest.mark.parametrize("even_contrast", [False, True])
def test_a_place_sees_as_many_values_as_are_told(pixel_format: PixelFormat, even_contrast: bool) -> None:
    planes = np.random.default_rng(0).random((pixel_format.channels, 64, 96), dtype=np.float32)

    seen = features(planes, pixel_format, even_contrast=even_contrast)

    assert (feature_count(pixel_format), 8, 12) == seen.shape


def test_red_and_blue_are_not_mixed_up() -> None:
    red = np.zeros((3, 64, 64), np.float32)
    red[0] = 1

    in_rgb = features(red, PixelFormat.RGB8, even_contrast=False)
    in_bgr = features(np.ascontiguousarray(red[::-1]), PixelFormat.BGR8, even_contrast=False)

    np.testing.assert_allclose(in_rgb, in_bgr, atol=1e-6)
    assert np.abs(in_rgb - features(red, PixelFormat.BGR8, even_contrast=False)).max() > 0.1


def test_with_even_contrast_a_dimmer_lamp_changes_little() -> None:
    bright = np.random.default_rng(1).random((1, 64, 64), dtype=np.float32)

    def share_changed(*, even_contrast: bool) -> float:
        one, other = (
            features(planes, PixelFormat.MONO8, even_contrast=even_contrast)[1:] for planes in (bright, bright * 0.7)
        )
        return float(np.abs(one - other).max() / np.abs(one).max())

    assert share_changed(even_contrast=False) == pytest.approx(0.3, abs=0.01)
    assert share_changed(even_contrast=True) < 0.01


def test_codes_are_white_over_all_places() -> None:
    seen = [features(np.float32(part(index))[None] / 255, PixelFormat.MONO8, even_contrast=False) for index in range(6)]

    codes = np.concatenate([fit_codes(seen, 8).codes(each).reshape(-1, 8) for each in seen])

    np.testing.assert_allclose(np.cov(codes.T), np.eye(8), atol=0.02)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=0.02)


@pytest.mark.parametrize(
    ("size_px", "expected"),
    [((640, 480), (448, 336)), ((1280, 1024), (432, 344)), ((128, 128), (128, 128)), ((50, 30), (64, 64))],
)
def test_pictures_are_looked_at_in_whole_cells_and_never_enlarged_without_need(
    size_px: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert expected == work_size(*size_px)


# The graph


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO12, PixelFormat.RGB8, PixelFormat.BGR8])
@pytest.mark.parametrize(("even_contrast", "slack"), [(False, 0), (True, 0), (True, 2)])
def test_the_graph_answers_as_numpy_does(
    tmp_path: Path, pixel_format: PixelFormat, even_contrast: bool, slack: int
) -> None:
    from lineside.detectors.session import open_session

    def planes_of(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        planes = np.atleast_3d(pixels).transpose(2, 0, 1).astype(np.float32)
        return planes / np.float32(pixel_format.max_value)

    places = PlaceSettings(own_share=0.3, reach=1, slack=slack)
    settings = BankSettings(even_contrast=even_contrast, dimensions=12, places=places)
    seen = [
        features(planes_of(part(index, pixel_format)), pixel_format, even_contrast=even_contrast) for index in range(10)
    ]
    book = fit_codes(seen, settings.dimensions)
    bank = fit_bank(Moments(np.stack([book.codes(each) for each in seen])), book, settings, 2.5)
    (tmp_path / "graph.onnx").write_bytes(bank_graph(bank, pixel_format))
    session = open_session(tmp_path / "graph.onnx", providers=("cpu",))

    for index in (3, 77):
        pixels = part(index, pixel_format, defect_rate=float(index == 77))
        tensor = np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1)[None])
        got = session.run([MAP], INPUT, tensor)[MAP][0, 0]
        wanted = anomaly_map(bank, book.codes(features(planes_of(pixels), pixel_format, even_contrast=even_contrast)))

        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)


def test_the_same_pictures_give_the_same_bytes(trained: TrainedBank, tmp_path: Path) -> None:
    again = train_bank(tmp_path / "plate", order(), pictures(), read=reader(), listing=b"file,split\n")

    assert trained.package.identity == again.package.identity
    assert (trained.package.folder / GRAPH).read_bytes() == (again.package.folder / GRAPH).read_bytes()


def test_the_maps_highest_place_is_the_pictures_score(trained: TrainedBank, detector: OnnxDetector) -> None:
    """A recipe's limit looks at the map: it must decide as the score does by which the limit was set."""
    detection = detector.detect(frame_of(part(900)))

    assert detection.score == pytest.approx(float(detection.maps[0].values.max()))


# The package


def test_unseen_bad_parts_are_told_from_unseen_good_ones(detector: OnnxDetector) -> None:
    good = np.array([detector.detect(frame_of(part(2000 + index))).score for index in range(30)])
    bad = np.array([detector.detect(frame_of(part(3000 + index, defect_rate=1))).score for index in range(30)])

    assert auroc(good, bad) > 0.97
    assert (good >= 1).sum() <= 3
    assert (bad < 1).sum() <= 3


def test_the_map_is_highest_where_the_defect_is(detector: OnnxDetector) -> None:
    found = 0
    for index in range(20):
        scene = render("plate", 31, 4000 + index, SceneOptions(width_px=160, height_px=120, defect_rate=1))
        (answer,) = detector.detect(frame_of(scene.pixels)).maps
        row, column = np.unravel_index(int(answer.values.argmax()), answer.values.shape)
        x, y = (float(column) + 0.5) * answer.step_x_px, (float(row) + 0.5) * answer.step_y_px
        found += any(
            each.box.x_px - 8 <= x <= each.box.x_px + each.box.width_px + 8
            and each.box.y_px - 8 <= y <= each.box.y_px + each.box.height_px + 8
            for each in scene.truth.defects
        )

    assert found >= 17


def test_frames_of_another_size_are_looked_at_too(detector: OnnxDetector) -> None:
    """By the resize rule in the package: stretched to the size at which it learned."""
    larger = np.asarray(cv2.resize(part(2000), (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)

    (answer,) = detector.detect(frame_of(larger)).maps

    assert (answer.values.shape[1] * answer.step_x_px, answer.values.shape[0] * answer.step_y_px) == (320, 240)


def test_sixteen_bit_and_colour_packages_say_what_they_take(tmp_path: Path) -> None:
    for pixel_format in (PixelFormat.MONO12, PixelFormat.BGR8):
        made = train_bank(
            tmp_path / pixel_format, order(pixel_format), pictures(10), read=reader(pixel_format), listing=b""
        )
        detector = open_detector(made.package)

        assert pixel_format is made.package.manifest.input.pixel_format
        assert str(pixel_format.dtype) == made.package.manifest.input.dtype
        assert detector.detect(frame_of(part(5, pixel_format), pixel_format)).score > 0


def test_only_pictures_of_train_and_val_are_read(tmp_path: Path) -> None:
    asked: list[str] = []
    read = reader()

    def noted(path: Path) -> Pixels:
        asked.append(path.name)
        return read(path)

    wanted = pictures(10, 2, 6)
    train_bank(tmp_path / "plate", order(), wanted, read=noted, listing=b"")

    assert {picture.name for picture in (*wanted.train, *wanted.val)} == set(asked)


def test_bad_pictures_of_val_choose_the_settings_and_the_limit_and_the_record_says_so(tmp_path: Path) -> None:
    made = train_bank(tmp_path / "plate", order(), pictures(12, 6, 8), read=reader(), listing=b"")
    manifest = made.package.manifest

    assert "half-way" in manifest.threshold.set_by
    assert (12, 6, 8) == tuple(manifest.training["pictures"][key] for key in ("train_good", "val_good", "bad"))
    assert manifest.training["compared"]["by"].startswith("AUROC of bad pictures of train and val")
    assert [False, True] == [each["even_contrast"] for each in manifest.training["compared"]["candidates"]]


def test_bad_pictures_of_train_help_as_those_of_val_do_and_are_not_learned_from(tmp_path: Path) -> None:
    """Eight bad parts, six of them in train: too few in val alone to say where the limit is."""
    settings = (BankSettings(even_contrast=False),)
    alone, helped = (
        train_bank(tmp_path / name, order(candidates=settings), wanted, read=reader(), listing=b"")
        for name, wanted in (("a", pictures(12, 4, 2)), ("b", pictures(12, 4, 2, 6)))
    )

    assert "half-way" not in alone.package.manifest.threshold.set_by
    assert "of 8 bad pictures that were not learned from" in helped.package.manifest.threshold.set_by
    one, other = (each.bank.whitening * each.bank.threshold for each in (alone, helped))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_without_bad_pictures_nothing_is_chosen_on_them(trained: TrainedBank) -> None:
    record = trained.package.manifest.training

    assert [False] == [each["even_contrast"] for each in record["compared"]["candidates"]]
    assert record["compared"]["by"].startswith("nothing: there are 0 bad pictures")
    assert "made without its group" in record["threshold"]["how"]
    assert record["settings"]["seed"] == 0
    assert b"file,split\n" == (trained.package.folder / SPLIT_RECORD).read_bytes()
    assert SPLIT_RECORD in trained.package.manifest.files


def test_when_time_is_up_no_other_settings_are_tried(tmp_path: Path) -> None:
    late = order(in_time=lambda: False)
    made = train_bank(tmp_path / "plate", late, pictures(10, 2, 6), read=reader(), listing=b"")

    assert 1 == len(made.package.manifest.training["compared"]["candidates"])


def test_too_few_good_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="7 good pictures to train on; expected at least 8"):
        train_bank(tmp_path / "plate", order(), pictures(7), read=reader(), listing=b"")


def test_the_contact_sheet_shows_four_tiles(trained: TrainedBank) -> None:
    sheet = contact_sheet(trained, PixelFormat.MONO8)

    assert (2 * (420 + 46), 2 * (560 + 24), 3) == sheet.shape
    assert sheet.std() > 30


def test_real_biscuits_unseen_in_training_are_told_apart(tmp_path: Path) -> None:
    """Chosen on train alone; `test` is not looked at."""
    data = Path(__file__).parents[2].parent / "shared" / "data" / "cookie"
    if not data.is_dir():
        pytest.skip(f"no pictures at {data}")
    with (data / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    good = [row["file"] for row in rows if row["label"] == "good"]
    bad = [row["file"] for row in rows if row["label"] == "defect"][:8]
    kept = TrainingSet(
        train=tuple(
            LabelledPicture(name=name, path=data / name, split="train", good=True, group=name) for name in good[:-6]
        ),
        val=(),
    )

    def read(path: Path) -> Pixels:
        return np.asarray(cv2.imread(str(path)), np.uint8)

    settings = (BankSettings(even_contrast=False),)
    wanted = order(PixelFormat.BGR8, size_px=(576, 768), long_side_px=256, candidates=settings)
    detector = open_detector(train_bank(tmp_path / "biscuit", wanted, kept, read=read, listing=b"").package)
    scores = [
        np.array([detector.detect(frame_of(read(data / name), PixelFormat.BGR8)).score for name in names])
        for names in (good[-6:], bad)
    ]

    assert auroc(*scores) > 0.9
