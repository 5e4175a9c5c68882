"""The project that is measured: the demo's plates and model, with as much ballast in the graph as asked."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from lineside.detectors.package import PackageDraft, load_package, write_package

__all__ = ["ballast_layers", "make_project", "open_bare"]

DEMO = Path(__file__).parents[2] / "models" / "demo-plate"
_PROBE_LAYERS = 8


def make_project(
    folder: Path,
    *,
    layers: int,
    workers: int = 1,
    trigger: str = 'source = "camera"',
    due_ms: int = 2000,
    cameras: tuple[str, ...] = ("face",),
) -> Path:
    """Writes a project of one camera (or several) over prerendered plates, 640x480 Mono8; returns its station file."""
    package = folder / "models" / "measured"
    if layers:
        demo = load_package(DEMO)
        draft = PackageDraft(
            id="measured",
            licence="Apache-2.0",
            made_by="the measurements",
            input=demo.manifest.input,
            output=demo.manifest.output,
            threshold=demo.manifest.threshold,
        )
        write_package(package, graph=_with_ballast(layers), draft=draft, reference_inputs=demo.reference_frames())
    else:
        shutil.copytree(DEMO, package)
    recipes = folder / "models" / "recipes"
    recipes.mkdir(parents=True)
    recipe = (DEMO.parent / "recipes" / "demo-plate.toml").read_text()
    recipe = recipe.replace('package = "demo-plate"', 'package = "measured"')
    recipe = recipe.replace("due_ms = 250", f"due_ms = {due_ms}")
    for view in cameras[1:]:
        recipe += f'\n[views.{view}]\npackage = "measured"\npixel_format = "Mono8"\nsize_px = [640, 480]\n'
    (recipes / "demo-plate.toml").write_text(recipe)
    stations = folder / "calibration" / "stations"
    stations.mkdir(parents=True)
    path = stations / "measured.toml"
    path.write_text(
        f"""line_id = "line"
station_id = "measured"
recipe = "demo-plate"
data_dir = "var"
[trigger]
{trigger}
[inspector]
workers = {workers}
[serve]
tcp = "127.0.0.1:0"
unix = "s.sock"
[archive]
min_free_bytes = 0
"""
        + "".join(map(_camera, cameras))
    )
    return path


def _camera(view: str) -> str:
    return f"""[cameras.{view}]
backend = "simulated"
product = "plate"
pixel_format = "Mono8"
size_px = [640, 480]
prerendered = 20
[scales.{view}]
mm_per_px = 0.1
mm_per_px_uncertainty = 0.0002
"""


def open_bare(graph: Path | bytes) -> onnxruntime.InferenceSession:
    """The graph alone, as the station runs it: one thread that does not spin."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = str(graph) if isinstance(graph, Path) else graph
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def ballast_layers(wanted_ms: float) -> int:
    """How many layers make one run of the graph take about so long on this machine."""
    bare_ms, loaded_ms = _run_ms(0), _run_ms(_PROBE_LAYERS)
    return max(1, round((wanted_ms - bare_ms) / ((loaded_ms - bare_ms) / _PROBE_LAYERS)))


def _run_ms(layers: int) -> float:
    session = open_bare(_with_ballast(layers))
    (port,) = session.get_inputs()
    frame = np.zeros(port.shape, np.uint8)
    taken = []
    for _ in range(15):
        begun = time.perf_counter()
        session.run(None, {port.name: frame})
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2] * 1000


def _with_ballast(layers: int) -> bytes:
    """The demo's graph and, beside it, 8-channel 3x3 convolutions whose outcome is added to the map times nothing."""
    model = onnx.load(DEMO / "model.onnx")
    if not layers:
        return bytes(model.SerializeToString())
    graph = model.graph
    score_map = load_package(DEMO).manifest.output.names[0]
    (frame,) = graph.input
    keep = np.zeros((8, 8, 3, 3), np.float32)
    keep[np.arange(8), np.arange(8), 1, 1] = 1
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.ones((8, 1, 1, 1), np.float32), "spread_out"),
            numpy_helper.from_array(keep, "keep"),
            numpy_helper.from_array(np.float32(0), "nothing"),
        ]
    )
    nodes = [
        helper.make_node("Cast", [frame.name], ["ballast_frame"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Conv", ["ballast_frame", "spread_out"], ["layer0"]),
    ]
    nodes += [
        helper.make_node("Conv", [f"layer{layer}", "keep"], [f"layer{layer + 1}"], pads=[1, 1, 1, 1])
        for layer in range(layers)
    ]
    nodes += [
        helper.make_node("ReduceMean", [f"layer{layers}"], ["ballast"], keepdims=1),
        helper.make_node("Mul", ["ballast", "nothing"], ["weightless"]),
        helper.make_node("Add", ["map_itself", "weightless"], [score_map]),
    ]
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = ["map_itself" if name == score_map else name for name in names]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
