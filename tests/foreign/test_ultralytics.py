"""YOLO exports of Ultralytics answer as Ultralytics' own runtime does, boxes and masks, from the picture on."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from coloured_pictures import coloured
from exporters_answers import matched
from model_graphs import frame
from typer.testing import CliRunner

from lineside.commands.models import models_app
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import load_package

PICTURES = 3
CLASSES = ("scratch", "dent", "stain")
INPUT_PX = (192, 256)
FRAME_PX_PER_PX = 330 / 256
CONTENT_ROWS = slice(22, 22 + 147)
"""A picture of 330x190 px in an input of 256x192: 256x147, with bars above and below."""
ROWS = {
    "detect": ("yolo", ("--nms-iou", "0.6")),
    "detect-across-classes": ("yolo", ("--nms-iou", "0.6", "--nms-across-classes")),
    "detect-nms": ("yolo_nms", ()),
    "detect-end-to-end": ("yolo_nms", ()),
    "segment": ("yolo", ("--nms-iou", "0.6")),
    "segment-end-to-end": ("yolo_nms", ()),
}

pytestmark = pytest.mark.timeout(1200)  # the first run installs Ultralytics


@pytest.fixture(scope="module")
def exports(tmp_path_factory, exporter) -> Path:
    folder = tmp_path_factory.mktemp("ultralytics")
    for seed in range(PICTURES):
        cv2.imwrite(str(folder / f"{seed}.png"), coloured(seed))
    exporter("ultralytics_exports", folder)
    return folder


@pytest.mark.parametrize("case", ROWS)
def test_a_yolo_export_sees_what_ultralytics_sees(exports: Path, tmp_path: Path, case: str) -> None:
    """Classes, task, size and variant are read; only what the graph does not say is declared."""
    variant, declared = ROWS[case]
    said = CliRunner().invoke(
        models_app,
        [
            "pack", str(exports / f"{case}.onnx"), "-o", str(tmp_path / case), "--pixel-format", "BGR8",
            "--channels", "reversed", "--scale", "1/255", "--resize", "letterbox", "--interpolation", "linear",
            "--pad-value", "114", "--threshold", "0.3", "--min-score", "0.3", *declared,
        ],
        catch_exceptions=False,
    )  # fmt: skip
    assert f"variant = {variant} (from the output's shape" in said.output
    package = load_package(tmp_path / case)
    assert package.class_names == CLASSES
    detector = open_detector(package)

    answers, boxes, masks = np.load(exports / f"{case}.npz"), 0, 0
    for seed in range(PICTURES):
        found = list(detector.detect(frame(coloured(seed), PixelFormat.BGR8)).findings)
        wanted = {key: answers[f"{seed}.{key}"] for key in ("boxes", "scores", "classes")}
        if case.startswith("segment"):
            # Ultralytics drops a box whose mask is empty; here it stays, as a box without an outline. It also counts
            # pixels of the mask that lie beside the picture, in the bars of the letterbox.
            found = [finding for finding in found if finding.contour_px]
            pixels = np.unpackbits(answers[f"{seed}.masks"]).reshape(-1, *INPUT_PX)[:, CONTENT_ROWS].sum(axis=(1, 2))
            wanted = {key: values[pixels > 0] for key, values in wanted.items()}
            pixels = pixels[pixels > 0]
        names = [CLASSES[index] for index in wanted["classes"]]
        pairs = matched(found, wanted["boxes"], wanted["scores"], names)
        boxes += len(pairs)
        if case.startswith("segment"):
            for index, finding in pairs:
                area_px = float(pixels[index]) * FRAME_PX_PER_PX**2
                assert finding.area_px == pytest.approx(area_px, rel=0.01, abs=3 * FRAME_PX_PER_PX**2)
                masks += 1
    assert boxes >= 15
    assert masks >= (15 if case.startswith("segment") else 0)
