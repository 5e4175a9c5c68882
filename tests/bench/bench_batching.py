"""Does it pay to judge several views in one run of the graph? Batches of 1, 2 and 4 against as many single runs.

`make bench BENCH=batching`. One onnxruntime thread that does not spin, as an inspector has; medians.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

ROUNDS = 30
SIZES = {"small: 4 convolutions, 8 channels, 160x120": (4, 8, 120, 160), "larger: 8, 16, 320x240": (8, 16, 240, 320)}


def graph(layers: int, channels: int) -> bytes:
    """A stack of 3x3 convolutions with an open batch dimension."""
    rng = np.random.default_rng(1)
    weights, nodes, last, depth = [], [], "image", 1
    for layer in range(layers):
        kernel = rng.normal(0, 0.1, (channels, depth, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"kernel{layer}"))
        nodes.append(helper.make_node("Conv", [last, f"kernel{layer}"], [f"conv{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"conv{layer}"], [f"relu{layer}"]))
        last, depth = f"relu{layer}", channels
    nodes.append(helper.make_node("ReduceMax", [last], ["map"], axes=[1], keepdims=1))
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "h", "w"])]
    made = helper.make_graph(
        nodes, "stack", ports, [helper.make_tensor_value_info("map", TensorProto.FLOAT, ["n", 1, "h", "w"])], weights
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())


def ms_a_picture(session: onnxruntime.InferenceSession, pictures: NDArray[np.float32]) -> float:
    """Median time of one run, shared out over its pictures."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        session.run(None, {"image": pictures})
        times.append((time.perf_counter() - begun) * 1000 / len(pictures))
    return statistics.median(times)


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    table = Table("graph", "batch", "ms a picture", "gain over single runs", title="Several views in one run")
    for name, (layers, channels, height, width) in SIZES.items():
        session = onnxruntime.InferenceSession(graph(layers, channels), options, providers=["CPUExecutionProvider"])
        pictures = np.random.default_rng(2).random((4, 1, height, width), dtype=np.float32)
        ms_a_picture(session, pictures)  # warm
        single = ms_a_picture(session, pictures[:1])
        for batch in (1, 2, 4):
            took = single if batch == 1 else ms_a_picture(session, pictures[:batch])
            table.add_row(name, str(batch), f"{took:.2f}", f"{single / took:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
