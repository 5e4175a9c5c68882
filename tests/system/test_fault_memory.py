"""An inspector that can have no more memory: every part is answered in time, and its successor is whole again."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from small_project import HEIGHT_PX, WIDTH_PX, child_named, make_project, running, status_when, why
from test_station_faults import SOFTWARE, WHOLE, assert_in_time, verdict_of

from lineside.client import StationClient
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec, Threshold
from lineside.detectors.package import PackageDraft, write_package

ROOM_BYTES = 32 << 20
"""What a starved inspector may still take: enough for everything but the model's largest tensor."""
EITHER = (*WHOLE, "NOT_INSPECTED DEVICE_LOST", "NOT_INSPECTED MODEL_ERROR")
"""A warm inspector may have all that it needs in hand; if not, its part says so."""
NO_MORE = (1 << 20, resource.RLIM_INFINITY)
"""Bytes of address space that it may have: less than it has."""


async def test_an_inspector_that_gets_no_more_memory_answers_every_part_in_time_and_is_replaced(tmp_path: Path) -> None:
    project = make_project(tmp_path, trigger=SOFTWARE, size_px=(1280, 960), layers=2, due_ms=20_000)
    with running(project) as station:
        async with StationClient(station.address) as client:
            assert why(await verdict_of(client, "before")) in WHOLE
            starved = child_named(station, "inspector 1")
            resource.prlimit(starved, resource.RLIMIT_AS, NO_MORE)
            for number in range(5):
                verdict = await verdict_of(client, f"part {number}")
                assert why(verdict) in EITHER
                assert_in_time(verdict)
            os.kill(child_named(station, "inspector 1"), signal.SIGKILL)  # as the kernel does in the end
            status = await status_when(client, lambda status: status.ready and status.inspectors[0].restarts >= 1)
            assert status.counters.triggers == 6
            assert child_named(station, "inspector 1") != starved
            assert why(await verdict_of(client, "after")) in WHOLE


async def test_a_worker_whose_model_gets_no_memory_says_so_and_is_replaced_by_one_that_does(tmp_path: Path) -> None:
    write_hungry_package(tmp_path / "models" / "small")
    with running(make_project(tmp_path, trigger=SOFTWARE, due_ms=20_000)) as station:
        async with StationClient(station.address) as client:
            starved = child_named(station, "inspector 1")
            resource.prlimit(
                starved, resource.RLIMIT_AS, (address_space_of(starved) + ROOM_BYTES, resource.RLIM_INFINITY)
            )
            struck = await verdict_of(client, "struck")
            assert why(struck) == "NOT_INSPECTED DEVICE_LOST"
            assert "no memory for the graph" in struck.detail
            assert_in_time(struck)
            status = await status_when(client, lambda status: status.ready and status.inspectors[0].restarts == 1)
            assert "no memory for the graph" in " ".join(event.detail for event in status.events)
            assert child_named(station, "inspector 1") != starved
            assert why(await verdict_of(client, "after")) in WHOLE


def address_space_of(pid: int) -> int:
    """Bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def write_hungry_package(folder: Path) -> None:
    """A model that wants up to 1 GB, the brighter the picture the more; its reference is black and wants nothing."""
    size = [1, 1, HEIGHT_PX, WIDTH_PX]
    constants = {
        "scale": np.float32(1 / 255),
        "floats": np.float32(1 << 28),
        "one": np.array([1], np.int64),
        "nought": np.float32(0),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["as_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["as_float", "scale"], ["unit"]),
        helper.make_node("ReduceMean", ["unit"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "floats"], ["wanted"]),
        helper.make_node("Cast", ["wanted"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["whole", "one"], ["count"]),
        helper.make_node("Max", ["count", "one"], ["at_least_one"]),
        helper.make_node("ConstantOfShape", ["at_least_one"], ["large"]),
        helper.make_node("ReduceMax", ["large"], ["largest"], keepdims=0),
        helper.make_node("Mul", ["largest", "nought"], ["nothing"]),
        helper.make_node("Add", ["unit", "nothing"], ["map"]),
    ]
    graph = helper.make_graph(
        nodes,
        "hungry",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, size)],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, size)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    draft = PackageDraft(
        id="small",
        licence="Apache-2.0",
        made_by="the tests",
        input=InputSpec(name="image", shape=tuple(size), dtype="uint8", pixel_format=PixelFormat.MONO8, in_graph=True),
        output=AnomalyMapOutput(kind="anomaly_map", map="map"),
        threshold=Threshold(value=0.7, set_by="chosen for the tests"),
    )
    black = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    write_package(folder, graph=model.SerializeToString(), draft=draft, reference_inputs=[black])
