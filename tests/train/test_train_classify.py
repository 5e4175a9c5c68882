"""`lineside train classify`: classes of pictures, with good parts among them or without."""

from __future__ import annotations

import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from rendered_plates import frame_of, made, photographed, plate, refusal, said

from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import ClassesOutput
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import ModelPackage
from lineside.train.class_data import gather_classes
from lineside.train.class_lesson import varied
from lineside.train.class_order import ClassOrder
from lineside.train.class_package import train_classes
from lineside.train.class_sheet import confusion_of, confusion_picture
from lineside.train.dataset import SplitOrder, read_dataset
from lineside.train.training_images import ImageSource

SIDE_PX = 64
STRIP = Path(__file__).parents[2].parent / "shared" / "data" / "strip"
CLASSES = ("bright", "dark", "stripes")


def textured(kind: str, index: int) -> Pixels:
    """A surface of one of three kinds, none like another."""
    rng = np.random.default_rng([CLASSES.index(kind), index])
    level = {"bright": 190, "dark": 70, "stripes": 130}[kind]
    surface = rng.normal(level, 12, (SIDE_PX, SIDE_PX))
    if kind == "stripes":
        surface += 60 * np.sin((np.arange(SIDE_PX) + rng.uniform(0, 8)) * 0.8)
    return np.asarray(np.clip(surface, 0, 255), np.uint8)


def sorted_by_class(folder: Path, each: int = 16, good: str = "") -> Path:
    for kind in CLASSES:
        place = folder / ("good" if kind == good else f"defect/{kind}")
        place.mkdir(parents=True)
        for index in range(each):
            cv2.imwrite(str(place / f"{kind}-{index:02d}.png"), textured(kind, index))
    return folder


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelPackage, str]:
    """Three kinds of defects and no good part."""
    folder = tmp_path_factory.mktemp("classes")
    data = sorted_by_class(folder / "data")
    return made("classify", data, "-o", folder / "kinds", "--steps", 30, "--test-share", 0)


def told(package: ModelPackage, pixels: Pixels) -> str:
    found = open_detector(package).detect(frame_of(pixels)).findings
    return max(found, key=lambda each: each.score).class_name


def test_it_names_the_class_of_pictures_that_it_has_not_seen(kinds: tuple[ModelPackage, str]) -> None:
    right = [kind == told(kinds[0], textured(kind, 100 + index)) for kind in CLASSES for index in range(4)]

    assert sum(right) >= 11


def test_the_package_says_what_it_is(kinds: tuple[ModelPackage, str]) -> None:
    package, output = kinds
    manifest = package.manifest
    record = manifest.training

    assert isinstance(manifest.output, ClassesOutput)
    assert (CLASSES, ()) == (manifest.output.classes, manifest.output.good)
    assert pytest.approx(0.33) == manifest.threshold.value
    assert "none passes" in manifest.threshold.set_by
    assert record["network"]["parameters"] > 500_000
    assert record["network"]["ms_on_one_core"] > 0
    assert record["confusion"]["accuracy"] == np.trace(record["confusion"]["rows_are_truth"]) / 9
    for words in ("accuracy", "of test not opened", "ms a frame on one core", "lineside models verify"):
        assert words in output
    for name in ("training/confusion.png", "training/curves.png"):
        assert cv2.imread(str(package.folder / name)) is not None


def test_without_a_good_class_nothing_passes(kinds: tuple[ModelPackage, str]) -> None:
    """Whatever is shown: the classes share 1, so one of them is above the threshold."""
    detector = open_detector(kinds[0])
    rng = np.random.default_rng(9)
    strange = [np.full((SIDE_PX, SIDE_PX), level, np.uint8) for level in (0, 128, 255)]
    strange.append(rng.integers(0, 256, (SIDE_PX, SIDE_PX), np.uint8))

    for pixels in strange:
        assert max(each.score for each in detector.detect(frame_of(pixels)).findings) >= detector.threshold


def test_with_good_parts_a_station_can_use_it(tmp_path: Path) -> None:
    data = sorted_by_class(tmp_path / "data", 25, good="bright")

    package, _ = made(
        "classify", data, "-o", tmp_path / "surface", "--steps", 30, "--test-share", 0, "--val-share", 0.3
    )

    output = package.manifest.output
    assert isinstance(output, ClassesOutput)
    assert ("good", "dark", "stripes") == output.classes
    assert (("good",), ("dark", "stripes")) == (output.good, output.finding_classes)
    assert "good pictures" in package.manifest.threshold.set_by
    assert package.manifest.threshold.value <= 0.5, "what is more likely a defect than not never passes"
    detector = open_detector(package)
    for kind in CLASSES:
        scores = [
            max(each.score for each in detector.detect(frame_of(textured(kind, 50 + index))).findings)
            for index in range(3)
        ]
        assert (kind != "bright") == (np.median(scores) >= detector.threshold)


def test_a_class_below_defect_may_be_declared_no_defect(tmp_path: Path) -> None:
    data = sorted_by_class(tmp_path / "data")
    words = ("classify", data, "--steps", 1, "--test-share", 0)

    package, _ = made(*words, "-o", tmp_path / "a", "--no-defect", "dark")

    assert ("bright", "stripes") == package.manifest.output.finding_classes
    assert "some of the classes" in refusal(*words, "-o", tmp_path / "b", "--no-defect", "rust").expected
    every = [word for kind in CLASSES for word in ("--no-defect", kind)]
    assert "no class is a defect" in refusal(*words, "-o", tmp_path / "b", *every).what


def test_it_begins_with_weights_from_a_file(tmp_path: Path) -> None:
    plates = photographed(tmp_path / "plates", 10, 10)
    said("backbone", plates, "-o", tmp_path / "b.pt", "--steps", 2, "--test-share", 0)

    package, _ = made(
        "classify", plates, "-o", tmp_path / "c", "--weights", tmp_path / "b.pt", "--steps", 2, "--test-share", 0
    )

    assert "by lineside train backbone" in package.manifest.training["backbone"]["weights"]
    assert package.manifest.training["method"].endswith("beginning with given weights")
    colour = photographed(tmp_path / "colour", 10, 10, PixelFormat.BGR8)
    error = refusal("classify", colour, "-o", tmp_path / "d", "--weights", tmp_path / "b.pt", "--test-share", 0)
    assert ("grey" in error.what, "colour" in error.expected) == (True, True)


def test_pictures_of_another_size_are_refused_or_fitted(tmp_path: Path) -> None:
    data = sorted_by_class(tmp_path / "data", 8)
    cv2.imwrite(str(data / "defect/dark/dark-99.png"), cv2.resize(textured("dark", 99), (70, 64)))
    words = ("classify", data, "--steps", 1, "--test-share", 0)

    assert "--fit" in refusal(*words, "-o", tmp_path / "a").remedy
    made(*words, "-o", tmp_path / "a", "--fit", "resize")


@pytest.mark.skipif(not STRIP.is_dir(), reason="the real pictures are not beside the project")
def test_seven_kinds_of_steel_and_two_pictures_of_another_size(tmp_path: Path) -> None:
    words = ("classify", STRIP, "-o", tmp_path / "strip", "--steps", 2)

    assert "128" in refusal(*words).expected
    package, output = made(*words, "--fit", "resize")

    assert isinstance(package.manifest.output, ClassesOutput)
    assert (7, ()) == (len(package.manifest.output.classes), package.manifest.output.good)
    assert "411 of test not opened" in output
    learned = package.manifest.training["pictures"]
    assert 949 == sum(learned["learned"].values()) + sum(learned["checked"].values())


def test_stopped_and_resumed_it_makes_the_same_graph(tmp_path: Path) -> None:
    data = sorted_by_class(tmp_path / "data", 8)
    words = ("--steps", 6, "--test-share", 0, "--id", "kinds")
    whole, _ = made("classify", data, "-o", tmp_path / "whole", *words)

    def stop(done: int, told: str) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    dataset = read_dataset(data, SplitOrder(test_share=0.0), good_needed=False)
    source = ImageSource(pixel_format=PixelFormat.MONO8, size_px=(SIDE_PX, SIDE_PX))
    order = ClassOrder(
        id="kinds", licence="proprietary", pixel_format=source.pixel_format, size_px=source.size_px, steps=6
    )
    pictures = dataset.for_training()
    by_class = gather_classes(
        pictures,
        pixel_format=source.pixel_format,
        long_side_px=0,
        locate=None,
        no_defects=(),
        seed=0,
        read=source.read,
    )
    with pytest.raises(KeyboardInterrupt):
        train_classes(
            tmp_path / "kinds", order, by_class, pictures, read=source.read, listing=dataset.listing(), report=stop
        )
    assert "--resume" in refusal("classify", data, "-o", tmp_path / "kinds", *words).remedy
    resumed, output = made("classify", data, "-o", tmp_path / "kinds", *words, "--resume")

    assert "resumed at 3" in output
    assert whole.graph_path.read_bytes() == resumed.graph_path.read_bytes()


def test_what_cannot_be_learned_is_refused(tmp_path: Path) -> None:
    one, few, named_good = (tmp_path / name for name in ("one", "few", "named"))
    photographed(one, 8)
    photographed(few, 12, 3)
    photographed(named_good, 8)
    (named_good / "defect/good").mkdir(parents=True)
    cv2.imwrite(str(named_good / "defect/good/00.png"), plate(9, 0, bad=True))

    assert "1 class" in refusal("classify", one, "-o", tmp_path / "a").what
    assert "of flaw" in refusal("classify", few, "-o", tmp_path / "a").what
    assert "called 'good'" in refusal("classify", named_good, "-o", tmp_path / "a", "--val-share", 0).what
    assert not (tmp_path / "a").exists()


def test_defects_alone_are_still_refused_by_methods_that_need_good_parts(tmp_path: Path) -> None:
    data = sorted_by_class(tmp_path / "data", 8)

    assert "no good/" in refusal("bank", data, "-o", tmp_path / "a").what
    assert "no good/" in refusal("backbone", data, "-o", tmp_path / "b.pt").what


def test_variations_keep_size_and_range() -> None:
    planes = np.random.default_rng(1).random((3, 40, 60)).astype(np.float16)

    seen = [varied(planes, np.random.default_rng(index), 0.1) for index in range(8)]

    assert {(3, 40, 60)} == {each.shape for each in seen}
    assert all(0 <= each.min() <= each.max() <= 1 for each in seen)
    assert not np.array_equal(seen[0], seen[1])


def test_the_confusion_matrix_is_counted_and_drawn() -> None:
    counts = confusion_of([0, 0, 1, 2], [0, 1, 1, 0], 3)

    assert [[1, 1, 0], [0, 1, 0], [1, 0, 0]] == counts.tolist()
    assert confusion_picture(counts, ["good", "a" * 60, "scratch"]).std() > 0
