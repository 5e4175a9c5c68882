"""Run with an interpreter that has OpenVINO beside the station's packages: benches `FOLDER/package` on it.

`python openvino_bench.py FOLDER` writes `FOLDER/bench.json`, and `FOLDER/detection.npz` with what a detector sees.
"""

import sys
from pathlib import Path

import numpy as np

from lineside.cli import main as lineside
from lineside.core.frame import Frame
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import load_package


def main(folder: Path) -> None:
    """Opens, verifies and benches it."""
    package = load_package(folder / "package")
    detector = open_detector(package, providers=("openvino",))
    spec = package.manifest.input
    answers = {"provider": np.array(detector.provider)}
    for number, pixels in enumerate(package.reference_frames()):
        frame = Frame(
            view="top",
            pixels=pixels,
            pixel_format=spec.pixel_format,
            frame_id=number,
            captured_utc_ns=1,
            captured_mono_ns=1,
            camera_serial="",
        )
        answers[f"map_{number}"] = detector.detect(frame).maps[0].values
    np.savez(folder / "detection.npz", **answers)
    sys.argv[1:] = ["models", "bench", str(folder / "package"), "--seconds", "0", "--json", str(folder / "bench.json")]
    lineside()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
