"""A project that is small and quick to start: one simulated camera and a model of a few nodes, or as slow as asked."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lineside.client import Outcome, Reason, StationClient
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec, Threshold
from lineside.detectors.package import PackageDraft, write_package
from lineside.wire.v1 import inspection_pb2 as pb

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
    nan: bool = False,
    serve: str = "",
) -> Path:
    """Writes models, recipe and station file; returns the station file.

    `layers` makes the model slower; with `nan` it answers NaN to every picture of a part. `station` goes before the
    tables, `trigger`, `camera` and `serve` into theirs; `recipe` and `camera` may go on with tables of their own.
    """
    package = folder / "models" / "small"
    if not package.exists():
        graph = _graph(layers, size_px, nan=nan)
        write_package(package, graph=graph, draft=_draft(size_px), reference_inputs=[_frame(size_px, white=nan)])
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
{serve}
[archive]
min_free_bytes = 0
[cameras.top]
pixel_format = "Mono8"
size_px = [{size_px[0]}, {size_px[1]}]
{camera}
"""
    )
    return path


def add_golden_part(project: Path, truth: str, brightness: int) -> None:
    """Bright parts have a defect to the small model, dark ones have none."""
    folder = project / "calibration" / "golden" / "plate" / truth
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{brightness}.png"), np.full((HEIGHT_PX, WIDTH_PX), brightness, np.uint8))


def _graph(layers: int, size_px: tuple[int, int], *, nan: bool) -> bytes:
    """uint8 image -> its brightness, 0 to 1, pooled by 4.

    Each of the layers is an 8-channel 3x3 convolution that changes nothing. With `nan`, pictures that are neither
    black nor white give NaN: the square root of (mean - 0.01) * (mean - 0.99) is added, times nought.
    """
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
    if nan:
        weights += [numpy_helper.from_array(np.float32(value), f"c{value}") for value in (0.01, 0.99, 0)]
        nodes += [
            helper.make_node("ReduceMean", ["unit"], ["mean"], keepdims=1),
            helper.make_node("Sub", ["mean", "c0.01"], ["above_black"]),
            helper.make_node("Sub", ["mean", "c0.99"], ["above_white"]),
            helper.make_node("Mul", ["above_black", "above_white"], ["grey"]),
            helper.make_node("Sqrt", ["grey"], ["root"]),
            helper.make_node("Mul", ["root", "c0"], ["nought"]),
            helper.make_node("Add", [last, "nought"], ["spoilt"]),
        ]
        last = "spoilt"
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


def _frame(size_px: tuple[int, int], *, white: bool) -> Any:
    if white:
        return np.full(size_px[::-1], 255, np.uint8)
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

    def children(self) -> list[int]:
        """Its living child processes."""
        return descendants_of(self.process.pid)


@contextmanager
def running(station: Path, *options: str) -> Iterator[StationProcess]:
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
    """Reads the station's journal beside it."""
    import sqlite3

    connection = sqlite3.connect(f"file:{project / 'var' / 'journal.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def descendants_of(pid: int) -> list[int]:
    """Living child processes of a process."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def child_named(station: StationProcess, name: str) -> int:
    """The process id of the station's child of that name ("camera top", "inspector 1", "archiver")."""
    found: list[int] = []

    def look() -> bool:  # a child that has just been started does not have its own command line yet
        found[:] = [pid for pid in descendants_of(station.process.pid) if _last_argument(pid) == name]
        return bool(found)

    wait_for(look, f"a child process named {name}")
    return found[0]


def _last_argument(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2].decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_gone(pid: int) -> bool:
    """True when the process has ended, whether or not its parent has noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Looks again and again until it holds; fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


async def status_when(
    client: StationClient, condition: Callable[[pb.GetStationStatusResponse], bool], timeout_s: float = 30.0
) -> pb.GetStationStatusResponse:
    """The first status for which the condition holds. The count equation is held against every status on the way."""
    deadline = time.monotonic() + timeout_s
    while True:
        status = await client.status()
        assert_counts_add_up(status.counters)
        if condition(status):
            return status
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {status}"
        await asyncio.sleep(0.02)


async def image_states(client: StationClient, verdict: pb.Verdict, timeout_s: float = 30.0) -> list[str]:
    """What became of that part's images, once nothing more is to come: the archive and the journal take a moment."""
    deadline = time.monotonic() + timeout_s
    while True:
        states = [image.state for image in (await client.verdict(sequence=verdict.sequence)).images]
        if states and "pending" not in states:
            return states
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {states}"
        await asyncio.sleep(0.02)


def assert_counts_add_up(counters: pb.Counters) -> None:
    """Every accepted trigger is in flight or has exactly one verdict."""
    passed = getattr(counters, "pass")
    assert counters.triggers == passed + counters.fail + counters.not_inspected + counters.in_flight, counters


def why(verdict: pb.Verdict) -> str:
    """Outcome and, where there is one, the reason: "PASS", "NOT_INSPECTED CAMERA_LOST"."""
    return f"{Outcome(verdict.outcome).name} {Reason(verdict.reason).name}".removesuffix(" NONE")


__all__ = [
    "HEIGHT_PX",
    "WIDTH_PX",
    "StationProcess",
    "add_golden_part",
    "assert_counts_add_up",
    "child_named",
    "descendants_of",
    "image_states",
    "is_gone",
    "journal_rows",
    "make_project",
    "running",
    "status_when",
    "wait_for",
    "why",
]
