"""`lineside train`: labelled data in, a package out; what is not as declared is refused, and `test` stays closed."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from lineside.cameras.scenes import SceneOptions, render
from lineside.commands.train import train_app
from lineside.core.errors import ConfigError, LinesideError
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import ModelPackage, load_package


def photographed(folder: Path, good: int = 14, bad: int = 0, pixel_format: PixelFormat = PixelFormat.MONO8) -> Path:
    """A data folder of rendered plates, 160x120."""
    for kind, count, rate in (("good", good, 0.0), ("defect/scratch", bad, 1.0)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        options = SceneOptions(width_px=160, height_px=120, defect_rate=rate, pixel_format=pixel_format)
        for index in range(count):
            pixels = render("plate", 9 if rate else 8, index, options).pixels
            stored = pixels[:, :, ::-1] if pixel_format is PixelFormat.RGB8 else pixels
            cv2.imwrite(str(folder / kind / f"part{index:02d}.png"), stored)
    return folder


def train(*words: object) -> Result:
    return CliRunner().invoke(train_app, [*map(str, words)])


def made(*words: object) -> ModelPackage:
    output = Path(str(words[words.index("-o") + 1]))
    result = train(*words)

    assert 0 == result.exit_code, (result.output, result.exception)
    return load_package(output)


def refusal(*words: object) -> LinesideError:
    result = train(*words)

    assert isinstance(result.exception, LinesideError), result.output
    return result.exception


def test_without_a_method_it_is_the_bank(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data")

    plain, named = (
        made(*method, data, "-o", tmp_path / name, "--id", "plate") for name, method in (("a", ()), ("b", ("bank",)))
    )

    assert plain.identity == named.identity
    assert "bank" in plain.manifest.made_by


def test_options_may_stand_before_the_data(tmp_path: Path) -> None:
    assert made("-o", tmp_path / "plate", photographed(tmp_path / "data")).manifest.id == "plate"


def test_the_summary_says_what_was_made_and_what_to_do_next(tmp_path: Path) -> None:
    result = train(photographed(tmp_path / "data"), "-o", tmp_path / "plate", "--licence", "CC0-1.0", "--revision", 3)

    assert (3, "CC0-1.0") == (
        load_package(tmp_path / "plate").identity.revision,
        load_package(tmp_path / "plate").manifest.licence,
    )
    for words in ("lineside models verify", "of test not opened", "ms a frame on one core", "held out"):
        assert words in result.output
    assert cv2.imread(str(tmp_path / "plate-bank.png")) is not None


def test_the_split_that_was_drawn_is_in_the_package(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", 20, 10)

    package = made(data, "-o", tmp_path / "plate", "--seed", 4, "--test-share", 0.3)

    rows = (package.folder / "training/split.csv").read_text().splitlines()
    assert "file,split,label,class,mask,group,sha256" == rows[0]
    assert 31 == len(rows)
    assert 6 == sum(",test,good," in row for row in rows)
    assert "seed 4" in package.manifest.training["source"]["split"]
    assert all(row.endswith(",") == (",test," in row) for row in rows[1:])


def test_pictures_of_test_are_never_opened(tmp_path: Path) -> None:
    """Rubbish in their place changes nothing: neither an error nor a byte of the package."""
    data = photographed(tmp_path / "data", 16, 4)
    names = [f"good/part{index:02d}.png" for index in range(16)] + [
        f"defect/scratch/part{index:02d}.png" for index in range(4)
    ]
    splits = ["test" if index % 4 == 0 else "train" for index in range(20)]
    labels = ["good" if name.startswith("good") else "defect" for name in names]
    rows = [f"{name},{split},{label},,," for name, split, label in zip(names, splits, labels, strict=True)]
    (data / "split.csv").write_text("\n".join(("file,split,label,class,mask,group", *rows)))

    before = made(data, "-o", tmp_path / "before", "--id", "plate")
    for name, split in zip(names, splits, strict=True):
        if split == "test":
            (data / name).write_bytes(b"rubbish")
    after = made(data, "-o", tmp_path / "after", "--id", "plate")

    assert before.identity == after.identity


def test_what_the_first_picture_holds_is_what_the_package_takes(tmp_path: Path) -> None:
    grey = made(photographed(tmp_path / "grey"), "-o", tmp_path / "a")
    colour = made(photographed(tmp_path / "colour", pixel_format=PixelFormat.BGR8), "-o", tmp_path / "b")
    declared = made(tmp_path / "colour", "-o", tmp_path / "c", "--pixel-format", "RGB8")

    formats = [package.manifest.input.pixel_format for package in (grey, colour, declared)]
    assert [PixelFormat.MONO8, PixelFormat.BGR8, PixelFormat.RGB8] == formats
    assert "cpu" == open_detector(declared).provider


def test_what_sixteen_bits_mean_has_to_be_declared(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", pixel_format=PixelFormat.MONO12)

    assert "--pixel-format declared" in refusal(data, "-o", tmp_path / "a").expected
    assert made(data, "-o", tmp_path / "b", "--pixel-format", "Mono12").manifest.input.dtype == "uint16"


def test_a_picture_of_another_size_is_named_unless_a_fit_is_declared(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data")
    cv2.imwrite(str(data / "good" / "part03.png"), np.zeros((100, 160), np.uint8))

    error = refusal(data, "-o", tmp_path / "a", "--test-share", 0, "--val-share", 0)

    assert "part03.png" in error.what
    assert "160 x 100" in error.what
    assert made(data, "-o", tmp_path / "b", "--fit", "resize").manifest.input.resize == "stretch"


def test_data_without_a_good_picture_to_learn_from_is_refused(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", 1)
    (data / "split.csv").write_text("file,split,label\ngood/part00.png,test,good\n")

    assert "no good picture in the split train" in refusal(data, "-o", tmp_path / "plate").what


def test_a_package_that_is_there_is_replaced_only_on_demand(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data")
    made(data, "-o", tmp_path / "plate")

    assert "exists" in refusal(data, "-o", tmp_path / "plate").what
    assert 2 == made(data, "-o", tmp_path / "plate", "--overwrite", "--revision", 2).identity.revision


def test_parts_that_cannot_be_found_are_told_before_anything_is_made(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "good").mkdir(parents=True)
    for index in range(14):
        noise = np.random.default_rng(index).integers(0, 256, (120, 160), dtype=np.uint8)
        cv2.imwrite(str(data / "good" / f"part{index:02d}.png"), noise)

    error = refusal(data, "-o", tmp_path / "plate", "--locate")

    assert isinstance(error, ConfigError)
    assert not (tmp_path / "plate").exists()


def test_the_way_in_which_parts_are_found_may_be_named_and_is_told(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data")

    result = train(data, "-o", tmp_path / "plate", "--locate-box", "20,20,120,80", "--val-share", 0, "--test-share", 0)

    assert 0 == result.exit_code, (result.output, result.exception)
    assert "parts found by edges" in result.output
    step = load_package(tmp_path / "plate").manifest.input.locate
    assert step is not None
    assert "edges" == step.kind


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--locate-box", "20,20,120"), "--locate-box 20,20,120"),
        (("--locate-box", "20,20,120,80", "--locate-by", "round"), "a region for locating by round"),
    ],
)
def test_a_box_that_says_nothing_is_refused(tmp_path: Path, words: tuple[str, ...], what: str) -> None:
    assert what in refusal(photographed(tmp_path / "data"), "-o", tmp_path / "plate", *words).what


@pytest.mark.parametrize("word", ["template", "bank", "demo-plate"])
def test_every_method_stands_in_the_help(word: str) -> None:
    assert word in train("--help").output


def test_the_summary_says_how_bad_parts_are_told(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data", 14, 6)

    said = train(data, "-o", tmp_path / "plate", "--val-share", 0, "--test-share", 0).output

    assert re.search(r"[56] of 6, none learned from, are told at this threshold; AUROC (0\.9|1\.0)", said)
    assert "beware" not in said, "rendered plates lie alike, and their defects are told"


def test_a_model_that_tells_nothing_says_so_and_what_to_do(tmp_path: Path) -> None:
    """Parts that move in the picture, and bad ones that look like good ones."""
    data = photographed(tmp_path / "data", 20)
    (data / "defect" / "none").mkdir(parents=True)
    random = np.random.default_rng(1)
    for index, path in enumerate(sorted((data / "good").iterdir())):
        moved = np.roll(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), random.integers(0, 100, 2), (0, 1))
        cv2.imwrite(str(path), moved)
        if index >= 14:
            path.rename(data / "defect" / "none" / path.name)

    said = train(data, "-o", tmp_path / "plate", "--val-share", 0, "--test-share", 0).output

    assert "of 6 bad parts would pass. --locate where parts move" in said
    assert "good parts that do not lie alike" in said


def test_a_name_that_no_package_may_have_is_refused_before_the_work(tmp_path: Path) -> None:
    error = refusal(photographed(tmp_path / "data"), "-o", tmp_path / "Mödell eins")

    assert "a package called 'Mödell eins'" in error.what and "--id" in error.remedy
    made(tmp_path / "data", "-o", tmp_path / "Mödell eins", "--id", "one")


def test_folders_that_are_named_otherwise_are_told(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data")
    (data / "good").rename(data / "ok")
    (data / "defect").rename(data / "nok")

    error = refusal(data, "-o", tmp_path / "plate")

    assert error.what.endswith("itself; it has the folders nok, ok")
    assert "good ones in good/" in error.expected


@pytest.mark.parametrize(
    ("pixels", "what"),
    [
        (np.zeros((60, 80, 4), np.uint8), "has 4 channels"),
        (np.zeros((60, 80, 3), np.uint16), "is in colour with 16 bits"),
    ],
)
def test_pictures_that_no_camera_sends_are_refused_with_what_to_do(
    tmp_path: Path, pixels: np.ndarray, what: str
) -> None:
    data = photographed(tmp_path / "data")
    for path in (data / "good").iterdir():
        cv2.imwrite(str(path), pixels)

    error = refusal(data, "-o", tmp_path / "plate")

    assert what in error.what and error.remedy.startswith("save the pictures")


def test_how_much_smaller_than_the_frame_a_model_looks_is_said(tmp_path: Path) -> None:
    data = photographed(tmp_path / "data")

    whole = train(data, "-o", tmp_path / "a").output
    half = train(data, "-o", tmp_path / "b", "--long-side", 80).output

    assert "160x120 px" in whole and "of the frame each way" not in whole
    assert "(1/2.0 of the frame each way: smaller defects want --long-side)" in half
