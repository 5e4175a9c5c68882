"""A project that is small and quick to start: one simulated camera and a model of a few nodes, or as slow as asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec, Threshold
from lineside.detectors.package import PackageDraft, write_package

WIDTH_PX, HEIGHT_PX = 160, 120


def make_project(
    folder: Path,
    *,
    trigger: str = 'source = "camera"',
    camera: str = 'backend = "simulated"\nproduct = "plate"',
    due_ms: int = 2000,
    layers: int = 0,
    station: str = "",
    recipe: str = "",
    size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
) -> Path:
    """Writes models, recipe and station file; returns the station file. `layers` makes the model slower."""
    package = folder / "models" / "small"
    if not package.exists():
        write_package(package, graph=_graph(layers, size_px), draft=_draft(size_px), reference_inputs=[_frame(size_px)])
    recipes = folder / "models" / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    (recipes / "small.toml").write_text(
        f"""recipe_id = "small"
revision = 1
product_id = "plate"
due_ms = {due_ms}
[views.top]
package = "small"
pixel_format = "Mono8"
size_px = [{size_px[0]}, {size_px[1]}]
[[limits]]
name = "any"
max_count = 3
{recipe}
"""
    )
    stations = folder / "calibration" / "stations"
    stations.mkdir(parents=True, exist_ok=True)
    path = stations / "small.toml"
    path.write_text(
        f"""line_id = "line"
station_id = "small"
recipe = "small"
data_dir = "var"
{station}
[trigger]
{trigger}
[serve]
tcp = "127.0.0.1:0"
unix = "s.sock"
[archive]
min_free_bytes = 0
[cameras.top]
pixel_format = "Mono8"
size_px = [{size_px[0]}, {size_px[1]}]
{camera}
"""
    )
    return path


def _graph(layers: int, size_px: tuple[int, int]) -> bytes:
    """uint8 image -> 1 - darkness, pooled by 4; each of the layers is an 8-channel 3x3 convolution that changes nothing."""
    width, height = size_px
    nodes = [
        helper.make_node("Cast", ["image"], ["as_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["as_float", "scale"], ["unit"]),
    ]
    weights = [numpy_helper.from_array(np.float32(1 / 255), "scale")]
    last = "unit"
    if layers:
        spread = np.zeros((8, 1, 1, 1), np.float32)
        spread[0] = 1
        keep = np.zeros((8, 8, 3, 3), np.float32)
        keep[np.arange(8), np.arange(8), 1, 1] = 1
        gather = np.zeros((1, 8, 1, 1), np.float32)
        gather[0, 0] = 1
        weights += [
            numpy_helper.from_array(spread, "spread"),
            numpy_helper.from_array(keep, "keep"),
            numpy_helper.from_array(gather, "gather"),
        ]
        nodes.append(helper.make_node("Conv", [last, "spread"], ["wide"]))
        last = "wide"
        for layer in range(layers):
            nodes.append(helper.make_node("Conv", [last, "keep"], [f"layer{layer}"], pads=[1, 1, 1, 1]))
            last = f"layer{layer}"
        nodes.append(helper.make_node("Conv", [last, "gather"], ["narrow"]))
        last = "narrow"
    nodes.append(helper.make_node("AveragePool", [last], ["map"], kernel_shape=[4, 4], strides=[4, 4]))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 1, height, width])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, height // 4, width // 4])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _draft(size_px: tuple[int, int]) -> PackageDraft:
    width, height = size_px
    return PackageDraft(
        id="small",
        licence="Apache-2.0",
        made_by="the tests",
        input=InputSpec(
            name="image",
            shape=(1, 1, height, width),
            dtype="uint8",
            pixel_format=PixelFormat.MONO8,
            in_graph=True,
        ),
        output=AnomalyMapOutput(kind="anomaly_map", map="map"),
        threshold=Threshold(value=0.7, set_by="chosen for the tests"),
    )


def _frame(size_px: tuple[int, int]) -> Any:
    return np.random.default_rng(1).integers(0, 256, size_px[::-1], dtype=np.uint8)


class StationProcess:
    """`lineside run` as a real process. The address is that of its unix socket."""

    def __init__(self, station: Path, *options: str) -> None:
        self.project = station.parents[2]
        self.address = f"unix://{self.project / 's.sock'}"
        self._log = (self.project / "station.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lineside", "run", str(station), *options], stdout=self._log, stderr=self._log
        )

    def wait_until_serving(self, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while " serves on " not in self.log().rpartition("== start")[2]:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def log(self) -> str:
        return (self.project / "station.log").read_text(errors="replace")

    def wait(self, timeout_s: float = 60.0) -> int:
        code = self.process.wait(timeout_s)
        self._log.close()
        return code

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


@contextmanager
def running(station: Path, *options: str):
    """A station that serves; ended in order afterwards if the test has not done so."""
    with (station.parents[2] / "station.log").open("a") as log:
        log.write("== start\n")
    process = StationProcess(station, *options)
    try:
        process.wait_until_serving()
        yield process
    finally:
        if process.process.poll() is None:
            process.terminate()


def journal_rows(project: Path, sql: str) -> list[tuple[Any, ...]]:
    """Reads the journal of a station that has ended."""
    import sqlite3

    connection = sqlite3.connect(f"file:{project / 'var' / 'journal.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def descendants_of(pid: int) -> list[int]:
    """Living child processes of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


__all__ = ["StationProcess", "descendants_of", "journal_rows", "json", "make_project", "os", "running"]
