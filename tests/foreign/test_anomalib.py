"""An export of anomalib answers as anomalib's own runtime does: its graph resizes, normalises and scores by itself."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from coloured_pictures import coloured
from model_graphs import frame
from typer.testing import CliRunner

from lineside.commands.models import models_app
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import load_package

LOOKED_AT = 4

pytestmark = pytest.mark.timeout(1200)  # the first run installs anomalib


@pytest.fixture(scope="module")
def export(tmp_path_factory, exporter) -> Path:
    folder = tmp_path_factory.mktemp("anomalib")
    good = coloured(0, 320, 240).astype(np.float64)
    for kind, count in (("good", 12), ("look", LOOKED_AT)):
        (folder / kind).mkdir()
        for index in range(count):
            noise = np.random.default_rng(index + 100 * (kind == "look")).normal(0, 6, good.shape)
            picture = np.clip(good + noise, 0, 255).astype(np.uint8)
            if kind == "look" and index:
                cv2.circle(picture, (60 * index + 30, 120), 8 * index, (20, 30, 220), -1)
            cv2.imwrite(str(folder / kind / f"{index}.png"), picture)
    exporter("anomalib_export", folder)
    return folder


def test_an_anomalib_export_sees_what_anomalib_sees(export: Path, tmp_path: Path) -> None:
    """The graph takes pictures of any size, and its weights lie beside it."""
    said = CliRunner().invoke(
        models_app,
        [
            "pack", str(export / "exported" / "weights" / "onnx" / "model.onnx"), "-o", str(tmp_path / "padim"),
            "--pixel-format", "BGR8", "--channels", "reversed", "--scale", "1/255", "--threshold", "0.5",
            "--licence", "Apache-2.0", "--made-by", "anomalib",
        ],
        catch_exceptions=False,
    )  # fmt: skip
    assert "map = anomaly_map (from anomalib's output names)" in said.output
    package = load_package(tmp_path / "padim")
    assert "model.onnx.data" in package.manifest.files
    detector = open_detector(package)

    answers, scores = np.load(export / "padim.npz"), []
    for index in range(LOOKED_AT):
        picture = cv2.imread(str(export / "look" / f"{index}.png"))
        seen = detector.detect(frame(picture, PixelFormat.BGR8))
        scores.append(seen.score)
        wanted = answers[f"{index}.map"]
        assert float(np.ptp(wanted)) > 0.02, "a flat map would agree with anything"
        np.testing.assert_allclose(seen.maps[0].values, wanted, atol=1e-4)
        assert seen.score == pytest.approx(float(answers[f"{index}.score"]), abs=1e-4)
        assert seen.maps[0].step_x_px == pytest.approx(320 / 256)
    assert max(scores) - min(scores) > 0.1
