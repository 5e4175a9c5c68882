"""Painted defects: every kind is seen, stays on the part, has a mask that tells the truth, and comes again the same."""

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
from lineside.train.bank_features import Planes
from lineside.train.defect_canvas import canvases, cropped
from lineside.train.defects import KINDS, Canvas, paint


def plates(pixel_format: PixelFormat = PixelFormat.MONO8, count: int = 3) -> list[Planes]:
    options = SceneOptions(width_px=160, height_px=120, defect_rate=0.0, pixel_format=pixel_format)
    frames = [np.atleast_3d(render("plate", 5, index, options).pixels) for index in range(count)]
    top = np.float32(pixel_format.max_value)
    return [np.asarray(frame.transpose(2, 0, 1) / top, np.float32) for frame in frames]


def disc(shift: int = 0) -> Planes:
    """A grey disc on a light ground."""
    picture = np.full((120, 160), 230, np.uint8)
    cv2.circle(picture, (80 + shift, 60), 35, 110, -1)
    noise = np.random.default_rng(shift).normal(0, 2, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255)[None] / 255, np.float32)


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO8, PixelFormat.MONO12, PixelFormat.BGR8])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_what_its_mask_says_and_nothing_else_much(kind: str, pixel_format: PixelFormat) -> None:
    canvas = canvases(plates(pixel_format))[0]
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(6):
        painted = paint(canvas, rng, kind)
        change = np.abs(painted.planes - canvas.planes).max(axis=0)

        assert painted.planes.dtype == np.float32
        assert 0 <= painted.planes.min() <= painted.planes.max() <= 1
        if painted.mask.any():
            seen += 1
            assert change[painted.mask].mean() > 3 * change[~painted.mask].mean()
            assert painted.mask.mean() < 0.5
    assert seen >= 4


def test_the_same_generator_paints_the_same() -> None:
    canvas = canvases(plates())[0]

    first, second = (paint(canvas, np.random.default_rng(11)) for _ in range(2))

    assert first.kind == second.kind
    assert np.array_equal(first.planes, second.planes)
    assert np.array_equal(first.mask, second.mask)


def test_a_grey_picture_in_three_channels_gets_no_coloured_flaws() -> None:
    grey = np.repeat(plates()[0], 3, axis=0)
    canvas = canvases([grey, grey[:, ::-1]])[0]

    for seed, kind in enumerate(KINDS):
        assert np.ptp(paint(canvas, np.random.default_rng(seed), kind).planes, axis=0).max() < 1e-6


def test_pictures_kept_in_half_precision_are_painted_on_in_full() -> None:
    whole = canvases(plates())[0]
    half = Canvas(planes=whole.planes.astype(np.float16), scale_px=whole.scale_px)

    painted = paint(half, np.random.default_rng(1), "scratch")

    assert painted.planes.dtype == np.float32
    assert painted.mask.any()


def test_the_part_is_told_from_an_even_ground() -> None:
    found = canvases([disc(shift) for shift in range(3)])

    for canvas in found:
        assert canvas.part is not None
        assert canvas.background is not None
        assert abs(canvas.part.sum() / (np.pi * 35**2) - 1) < 0.05
        assert abs(canvas.background[0] - 230 / 255) < 0.01


def test_where_there_is_no_ground_the_whole_picture_is_painted_on() -> None:
    noise = np.random.default_rng(0).random((1, 120, 160)).astype(np.float32)

    assert canvases([noise])[0].part is None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "extra material"])
def test_flaws_stay_on_the_part(kind: str) -> None:
    canvas = canvases([disc(), disc(3)])[0]
    assert canvas.part is not None
    rng = np.random.default_rng(2)

    for _ in range(4):
        assert not (paint(canvas, rng, kind).mask & ~canvas.part).any()


def test_extra_material_may_stick_out_of_the_part() -> None:
    canvas = canvases([disc(), disc(3)])[0]
    assert canvas.part is not None
    rng = np.random.default_rng(2)

    masks = [paint(canvas, rng, "extra material").mask for _ in range(12)]

    assert any((mask & ~canvas.part).any() for mask in masks)


def test_a_crop_is_painted_on_with_flaws_of_the_size_of_the_whole() -> None:
    canvas = canvases(plates())[0]

    crop = cropped(canvas, 20, 30, 64)

    assert ((64, 64), canvas.scale_px) == (crop.shape, crop.scale_px)
    assert np.array_equal(canvas.planes[:, 20:84, 30:94], crop.planes)


def train(*words: object) -> Result:
    return CliRunner().invoke(train_app, [*map(str, words)])


def test_the_contact_sheet_shows_every_kind(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    for index, planes in enumerate(plates(count=4)):
        cv2.imwrite(str(tmp_path / "good" / f"{index}.png"), np.rint(planes[0] * 255).astype(np.uint8))

    result = train("defects", tmp_path, "--show", tmp_path / "out" / "sheet.png")

    assert 0 == result.exit_code, (result.output, result.exception)
    assert "9 kinds" in result.output
    sheet = cv2.imread(str(tmp_path / "out" / "sheet.png"))
    assert sheet.shape[0] > 9 * 100
    again = train("defects", tmp_path, "--show", tmp_path / "again.png")
    assert 0 == again.exit_code
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out" / "sheet.png").read_bytes()


def test_a_sheet_that_is_no_png_is_refused(tmp_path: Path) -> None:
    result = train("defects", tmp_path, "--show", tmp_path / "sheet.jpg")

    assert isinstance(result.exception, ConfigError)
    assert ".png" in result.exception.expected
