"""Small rendered plates as data folders, and the commands of `lineside train` as a user says them."""

from __future__ import annotations

from pathlib import Path

import cv2
from typer.testing import CliRunner, Result

from lineside.cameras.scenes import SceneOptions, render
from lineside.commands.train import train_app
from lineside.core.errors import ConfigError
from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.package import ModelPackage, load_package

WIDTH_PX, HEIGHT_PX = 160, 120


def plate(seed: int, index: int, *, bad: bool, pixel_format: PixelFormat = PixelFormat.MONO8) -> Pixels:
    options = SceneOptions(
        width_px=WIDTH_PX, height_px=HEIGHT_PX, defect_rate=1.0 if bad else 0.0, pixel_format=pixel_format
    )
    return render("plate", seed, index, options).pixels


def photographed(folder: Path, good: int = 14, bad: int = 0, pixel_format: PixelFormat = PixelFormat.MONO8) -> Path:
    """A data folder: good/ and, if there are bad ones, defect/flaw/."""
    for kind, count in (("good", good), ("defect/flaw", bad)):
        if count:
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            pixels = plate(8 if kind == "good" else 9, index, bad=kind != "good", pixel_format=pixel_format)
            cv2.imwrite(str(folder / kind / f"{index:02d}.png"), pixels)
    return folder


def frame_of(pixels: Pixels) -> Frame:
    return Frame(
        view="top", pixels=pixels, pixel_format=PixelFormat.MONO8, frame_id=0,
        captured_utc_ns=0, captured_mono_ns=0, camera_serial="test",
    )  # fmt: skip


def train(*words: object) -> Result:
    return CliRunner().invoke(train_app, [*map(str, words)])


def said(*words: object) -> str:
    """What a command printed that did its work."""
    result = train(*words)

    assert 0 == result.exit_code, (result.output, result.exception)
    return result.output


def made(*words: object) -> tuple[ModelPackage, str]:
    output = said(*words)
    return load_package(Path(str(words[words.index("-o") + 1]))), output


def refusal(*words: object) -> ConfigError:
    result = train(*words)

    assert isinstance(result.exception, ConfigError), (result.output, result.exception)
    return result.exception
