"""`lineside train`: files of good parts in, a package out; what is not as declared is refused by name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from lineside.cameras.scenes import SceneOptions, render
from lineside.commands.train import train_app
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import load_package


def photographed(folder: Path, count: int = 8, *, colour: bool = False) -> Path:
    folder.mkdir()
    options = SceneOptions(
        width_px=320,
        height_px=240,
        defect_rate=0,
        pixel_format=PixelFormat.BGR8 if colour else PixelFormat.MONO8,
    )
    for index in range(count):
        cv2.imwrite(str(folder / f"part{index:02d}.png"), render("plate", 9, index, options).pixels)
    return folder


def train(*words: object) -> Result:
    return CliRunner().invoke(train_app, ["template", *map(str, words)])


def refusal(*words: object) -> ConfigError:
    result = train(*words)

    assert isinstance(result.exception, ConfigError)
    return result.exception


def test_a_folder_of_good_parts_becomes_a_package(tmp_path: Path) -> None:
    good, output = photographed(tmp_path / "good"), tmp_path / "models" / "plate"

    result = train(good, "-o", output, "--licence", "CC0-1.0", "--revision", 3)

    assert 0 == result.exit_code, result.output
    package = load_package(output)
    assert ("plate", 3, "CC0-1.0") == (package.identity.id, package.identity.revision, package.manifest.licence)
    assert "lineside models verify" in result.output
    assert (output.parent / "plate-template.png").is_file()
    assert "cpu" == open_detector(package).provider


def test_files_may_be_named_one_by_one_in_any_order(tmp_path: Path) -> None:
    files = sorted(photographed(tmp_path / "good").iterdir())

    packages = []
    for name, order in (("forward", files), ("backward", files[::-1])):
        assert 0 == train(*order, "-o", tmp_path / name, "--id", "plate").exit_code
        packages.append(load_package(tmp_path / name))

    assert packages[0].identity == packages[1].identity


def test_a_package_that_is_there_is_replaced_only_on_demand(tmp_path: Path) -> None:
    good, output = photographed(tmp_path / "good"), tmp_path / "plate"
    train(good, "-o", output)

    assert "exists" in refusal(good, "-o", output).what
    assert 0 == train(good, "-o", output, "--overwrite", "--revision", 2).exit_code
    assert 2 == load_package(output).identity.revision


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    error = refusal(photographed(tmp_path / "good", 4), "-o", tmp_path / "plate")

    assert "4 images" in error.what
    assert "at least 5" in error.expected
    assert not (tmp_path / "plate").exists()


def test_a_picture_of_another_size_is_named_with_expected_and_got(tmp_path: Path) -> None:
    good = photographed(tmp_path / "good")
    cv2.imwrite(str(good / "part05.png"), np.zeros((200, 320), np.uint8))

    error = refusal(good, "-o", tmp_path / "plate")

    assert "part05.png" in error.what
    assert "320 x 200" in error.what
    assert "(320, 240)" in error.expected


@pytest.mark.parametrize("fit", ["pad", "crop", "resize"])
def test_a_declared_fit_takes_pictures_of_another_size(tmp_path: Path, fit: str) -> None:
    good = photographed(tmp_path / "good")
    size = {"pad": "340x260", "crop": "300x220", "resize": "160x120"}[fit]

    assert 0 == train(good, "-o", tmp_path / "plate", "--fit", fit, "--size", size).exit_code
    width_px, height_px = (int(side) for side in size.split("x"))
    load_package(tmp_path / "plate").check_frames(PixelFormat.MONO8, width_px, height_px)


def test_colour_files_are_not_taken_for_grey_unless_declared(tmp_path: Path) -> None:
    good = photographed(tmp_path / "good", colour=True)

    assert "part00.png" in refusal(good, "-o", tmp_path / "plate").what
    assert 0 == train(good, "-o", tmp_path / "plate", "--file-pixel-format", "BGR8").exit_code
    assert 0 == train(good, "-o", tmp_path / "colour", "--pixel-format", "RGB8").exit_code
    assert PixelFormat.RGB8 is load_package(tmp_path / "colour").manifest.input.pixel_format


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    good = photographed(tmp_path / "good")
    (good / "part03.png").write_bytes((good / "part03.png").read_bytes()[:500])

    assert "part03.png" in refusal(good, "-o", tmp_path / "plate").what


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fit", "squeeze"], "refuse, pad, crop or resize"),
        (["--size", "640"], "WIDTHxHEIGHT"),
        (["--size", "0x480"], "WIDTHxHEIGHT"),
        (["--reduce", "7"], "common divisor"),
    ],
)
def test_wrong_options_say_what_is_expected(tmp_path: Path, words: list[str], said: str) -> None:
    assert said in refusal(photographed(tmp_path / "good"), "-o", tmp_path / "plate", *words).expected


def test_a_place_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert "no picture" in refusal(tmp_path / "empty", "-o", tmp_path / "plate").what
    assert "there is no file" in refusal(tmp_path / "missing.png", "-o", tmp_path / "plate").what
