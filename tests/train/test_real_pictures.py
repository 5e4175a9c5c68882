"""The methods that fit networks, on real photographs: a few steps, to see that all of the way is gone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lineside.commands.train import train_app
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import load_package
from lineside.train.dataset import read_dataset

PHOTOGRAPHS = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not PHOTOGRAPHS.exists(), reason="the photographs are not here")


@pytest.mark.parametrize("method", ["segment", "synthetic"])
def test_biscuits_make_a_package(method: str, tmp_path: Path) -> None:
    """They have no val: a fifth of train is kept back, and test is not opened."""
    words = [method, str(PHOTOGRAPHS / "cookie"), "-o", str(tmp_path / "cookie"), "--long-side", "160", "--steps", "5"]

    result = CliRunner().invoke(train_app, words)

    assert 0 == result.exit_code, (result.output, result.exception)
    package = load_package(tmp_path / "cookie")
    assert (120, 160) == package.manifest.input.size_px
    counts = package.manifest.training["pictures"]
    learned = 31 + (32 if method == "segment" else 0)
    kept = counts["checked_good"] + counts["checked_bad"]
    assert learned == counts["train_good"] + counts["train_bad_with_mask"] + kept
    assert "kept back" in counts["checked_are"]
    hashed = [row for row in (package.folder / "training/split.csv").read_text().splitlines()[1:] if row[-1] != ","]
    assert len(read_dataset(PHOTOGRAPHS / "cookie").of("train")) == len(hashed)
    assert "cpu" == open_detector(package).provider


@pytest.mark.parametrize("name", ["cookie", "ballscrew"])
def test_defects_are_painted_on_real_parts(name: str, tmp_path: Path) -> None:
    words = ["defects", str(PHOTOGRAPHS / name), "--show", str(tmp_path / "sheet.png"), "--fit", "resize"]

    result = CliRunner().invoke(train_app, [*words, "--long-side", "200"])

    assert 0 == result.exit_code, (result.output, result.exception)
    told = "on the part, which was told" if name == "cookie" else "anywhere: there is no background"
    assert told in result.output
    assert np.std(cv2.imread(str(tmp_path / "sheet.png"))) > 20
