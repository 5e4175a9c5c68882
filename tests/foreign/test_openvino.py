"""OpenVINO, beside ONNX Runtime, runs the same package in float32, and `models bench` says so side by side."""

import json
from pathlib import Path

import numpy as np
import pytest
from model_graphs import draft, floats, frame, model, noise
from onnx import helper

from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import ModelPackage, write_package

pytestmark = pytest.mark.timeout(600)  # the first run installs OpenVINO


def package_of_convolutions(folder: Path) -> ModelPackage:
    """Two wide convolutions: in bf16 their sums would be off by far more than the references allow."""
    random = np.random.default_rng(0)
    constants = {
        "first": random.normal(0, 1, (32, 1, 3, 3)).astype(np.float32),
        "second": random.normal(0, 1, (1, 32, 3, 3)).astype(np.float32),
    }
    graph = model(
        [
            helper.make_node("Conv", ["image", "first"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "second"], ["map"], pads=[1, 1, 1, 1]),
        ],
        [floats("image", [1, 1, 32, 48])],
        [floats("map", [1, 1, 32, 48])],
        constants,
    )
    spec = InputSpec(name="image", shape=(1, 1, 32, 48), pixel_format=PixelFormat.MONO8, scale=1 / 255)
    return write_package(
        folder,
        graph=graph,
        draft=draft(spec, AnomalyMapOutput(map="map"), abs_tolerance=1e-4, rel_tolerance=1e-4),
        reference_inputs=[noise(32, 48), noise(32, 48, seed=1)],
    )


def test_openvino_runs_a_package_in_float32_beside_onnxruntime(exporter, tmp_path: Path) -> None:
    package = package_of_convolutions(tmp_path / "package")
    exporter("openvino_bench", tmp_path)

    seen = np.load(tmp_path / "detection.npz")
    assert "openvino" == str(seen["provider"])
    detector = open_detector(package)
    for number, pixels in enumerate(package.reference_frames()):
        wanted = detector.detect(frame(pixels)).maps[0].values
        np.testing.assert_allclose(seen[f"map_{number}"], wanted, atol=1e-4, rtol=1e-4)

    rows = json.loads((tmp_path / "bench.json").read_text())["rows"]
    ran = {(row["ran"], row["threads"]): row for row in rows if "absent" not in row}
    assert {("cpu", 1), ("cpu", 2), ("openvino", 1), ("openvino", 2)} == set(ran)
    assert all(row["refused"] == "" and row["runs"] >= 20 and row["load_ms"] > 0 for row in ran.values())
    assert 0 < ran["openvino", 1]["difference"] < 1e-3, "another runtime sums up in another order"
    assert {"cuda", "tensorrt"} == {row["provider"] for row in rows if "absent" in row}
