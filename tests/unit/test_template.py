"""The template trainer: what it makes of good parts, and what its graph then says of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineside.cameras.scenes import SceneOptions, render
from lineside.core.errors import ConfigError, PackageError
from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import OnnxDetector
from lineside.train.template import Planes, TemplateSettings, anomaly_map, fit_template, reduced, reduction_for
from lineside.train.template_package import TemplateOrder, TrainedTemplate, train_template
from lineside.train.template_sheet import contact_sheet

SETTINGS = TemplateSettings(reduce=2)


def good_part(index: int, pixel_format: PixelFormat = PixelFormat.MONO8, product: str = "plate") -> Pixels:
    options = SceneOptions(width_px=320, height_px=240, pixel_format=pixel_format, defect_rate=0)
    return render(product, 500, index, options).pixels


def good_planes(count: int) -> list[Planes]:
    return [reduced(good_part(index), SETTINGS.reduce) for index in range(count)]


def order(pixel_format: PixelFormat = PixelFormat.MONO8, **changes: object) -> TemplateOrder:
    keys = {"id": "plate", "licence": "Apache-2.0", "settings": SETTINGS, "source": {"rendered": "plates"}}
    return TemplateOrder(pixel_format=pixel_format, size_px=(320, 240), **{**keys, **changes})  # type: ignore[arg-type]


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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedTemplate:
    return train_template(tmp_path_factory.mktemp("models") / "plate", order(), count=16, read=good_part)


def test_blocks_are_averaged() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)

    assert [[[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]] == reduced(pixels, 2).tolist()


@pytest.mark.parametrize(
    ("size_px", "reduction"), [((640, 480), 2), ((1280, 1024), 4), ((1130, 460), 5), ((320, 240), 1), ((641, 480), 1)]
)
def test_the_reduction_divides_both_sides(size_px: tuple[int, int], reduction: int) -> None:
    assert reduction == reduction_for(*size_px)


def test_too_few_good_parts_are_refused() -> None:
    with pytest.raises(ConfigError, match="4 images of good parts; expected at least 5"):
        fit_template(good_planes(4), SETTINGS)


def test_a_reduction_that_does_not_divide_the_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="common divisor"):
        train_template(tmp_path / "plate", order(settings=TemplateSettings(reduce=7)), count=5, read=good_part)


def test_good_parts_that_were_held_out_stay_below_the_limit() -> None:
    assert max(fit_template(good_planes(16), SETTINGS).held_out_scores) < 1


def test_one_bad_picture_among_the_good_moves_the_template_little() -> None:
    clean = good_planes(16)
    spoiled = [*clean[:15], np.full_like(clean[0], 255)]

    templates = [fit_template(planes, SETTINGS) for planes in (clean, spoiled)]

    assert np.abs(templates[0].centre - templates[1].centre).mean() < 1
    assert templates[1].threshold < 1.5 * templates[0].threshold
    assert max(templates[1].held_out_scores) > 1  # and the bad picture stands out


def test_a_smaller_share_of_overkill_asks_for_a_higher_threshold() -> None:
    planes = good_planes(16)
    lenient, strict = (
        fit_template(planes, TemplateSettings(reduce=2, overkill_rate=rate)).threshold for rate in (0.05, 0.0001)
    )

    assert lenient < strict


def test_the_graph_answers_as_the_sums_in_numpy_do(trained: TrainedTemplate) -> None:
    pixels = render("plate", 77, 3, SceneOptions(width_px=320, height_px=240, defect_rate=1)).pixels

    detection = OnnxDetector(trained.package).detect(frame_of(pixels))

    np.testing.assert_allclose(
        anomaly_map(trained.template, reduced(pixels, 2)), detection.maps[0].values, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("pixel_format", [PixelFormat.MONO12, PixelFormat.BGR8, PixelFormat.RGB8])
def test_other_pixel_formats_make_a_package_too(tmp_path: Path, pixel_format: PixelFormat) -> None:
    def read(index: int) -> Pixels:
        return good_part(index, pixel_format, "board")

    settings = TemplateSettings(reduce=1)
    trained = train_template(tmp_path / "board", order(pixel_format, settings=settings), count=8, read=read)
    bad = SceneOptions(width_px=320, height_px=240, pixel_format=pixel_format, defect_rate=1)
    missing = next(
        index
        for index in range(100)
        if [defect.class_name for defect in render("board", 1, index, bad).truth.defects] == ["missing_part"]
    )
    detector = OnnxDetector(trained.package)

    assert detector.detect(frame_of(read(100), pixel_format)).score < 1
    assert detector.detect(frame_of(render("board", 1, missing, bad).pixels, pixel_format)).score > 1


def test_a_lamp_ten_percent_brighter_or_darker_is_evened_out(trained: TrainedTemplate) -> None:
    detector = OnnxDetector(trained.package)
    pixels = good_part(200)

    for gain in (0.9, 1.1):
        relit = np.clip(pixels * gain, 0, 255).astype(np.uint8)

        assert detector.detect(frame_of(relit)).score < 1


def test_a_dead_lamp_is_no_good_part(trained: TrainedTemplate) -> None:
    assert OnnxDetector(trained.package).detect(frame_of(np.zeros((240, 320), np.uint8))).score > 1


def test_the_package_tells_how_it_was_made(trained: TrainedTemplate) -> None:
    manifest = trained.package.manifest

    assert "anomaly_map" == manifest.output.kind
    assert 1.0 == manifest.threshold.value
    assert 16 == manifest.training["images"]
    assert "no test image" in manifest.training["threshold"]["how"]
    assert 64 == len(manifest.training["images_sha256"])
    assert len(manifest.references) >= 2


def test_a_package_that_is_there_is_not_replaced_unasked(trained: TrainedTemplate) -> None:
    with pytest.raises(PackageError, match="exists"):
        train_template(trained.package.folder, order(), count=5, read=good_part)


def test_the_contact_sheet_shows_four_tiles(trained: TrainedTemplate) -> None:
    sheet = contact_sheet(trained, PixelFormat.MONO8, "part.png")

    assert (2 * (420 + 46), 2 * (560 + 24), 3) == sheet.shape
    assert sheet.std() > 30
