"""From a torch module to the ONNX graph of a package: the same answers, held against torch's before it is believed."""

from __future__ import annotations

import io
import platform
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import nn

from lineside.core.errors import PackageError
from lineside.core.frame import Pixels
from lineside.detectors.session import open_session
from lineside.train.looking import Look

__all__ = ["TOLERANCE", "ExportedNetwork", "export_network"]

TOLERANCE: Final = 1e-3
"""How far the graph's answers may be from torch's: this share of 1 + |answer|."""

_OPSET: Final = 18
_IR_VERSION: Final = 9
_PIXELS: Final = "pixels"
_TIMED_RUNS: Final = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedNetwork:
    """An ONNX file, how far it is from torch at most (as a share of 1 + |answer|), and what it costs.

    `cpu_ms` is the median time of the graph on one core of `cpu`, the machine that exported it.
    """

    graph: bytes
    difference: float
    parameters: int
    cpu_ms: float
    cpu: str

    @property
    def record(self) -> dict[str, Any]:
        """For the training record."""
        return {
            "parameters": self.parameters,
            "ms_on_one_core": round(self.cpu_ms, 1),
            "measured_on": self.cpu,
            "graph_against_torch": f"{self.difference:.1e} at most, as a share of 1 + |answer|; allowed {TOLERANCE:g}",
        }


def export_network(
    network: nn.Module, look: Look, outputs: Sequence[str], frames: Sequence[Pixels], *, parameters: int
) -> ExportedNetwork:
    """Writes `network` as a graph that takes what `look` makes of a frame, and compares the two on `frames`.

    `network` takes one float32 tensor (1, C, H, W) of pixel values as they are and returns a tensor for each of
    `outputs`; it is on the CPU and in evaluation. Raises: PackageError where the graph answers otherwise.
    """
    graph = _graph(network, look, outputs)
    tensors = [look.tensor_of(frame).copy() for frame in frames]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(graph)
        session = open_session(path, providers=("cpu",))
        name = look.spec.name
        difference = max(
            _difference(session.run(outputs, name, tensor), _answers(network, tensor, outputs)) for tensor in tensors
        )
        took = []
        for _ in range(_TIMED_RUNS):
            begun = time.perf_counter()
            session.run(outputs, name, tensors[0])
            took.append((time.perf_counter() - begun) * 1e3)
    if not difference <= TOLERANCE:
        raise PackageError(
            f"the exported graph differs from torch by {difference:.3g} (as a share of 1 + |answer|)",
            expected=f"at most {TOLERANCE:g}",
            remedy="report it with the versions of torch and ONNX Runtime",
        )
    return ExportedNetwork(
        graph=graph,
        difference=difference,
        parameters=parameters,
        cpu_ms=sorted(took)[_TIMED_RUNS // 2],
        cpu=_cpu_name(),
    )


def _graph(network: nn.Module, look: Look, outputs: Sequence[str]) -> bytes:
    file = io.BytesIO()
    example = torch.zeros([int(side) for side in look.spec.shape])
    with warnings.catch_warnings(), torch.no_grad():
        # The older exporter writes one file, and is many times as fast as the newer one; torch says so with a warning.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            file,
            input_names=[_PIXELS],
            output_names=list(outputs),
            opset_version=_OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(file.getvalue())
    # torch has hardly any arithmetic on uint16: the cast from the camera's numbers is put before its graph.
    kind = TensorProto.UINT16 if look.spec.dtype == "uint16" else TensorProto.UINT8
    model.graph.node.insert(0, helper.make_node("Cast", [look.spec.name], [_PIXELS], to=TensorProto.FLOAT))
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info(look.spec.name, kind, list(look.spec.shape)))
    model.ir_version = _IR_VERSION
    model.producer_name = "lineside"
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _answers(network: nn.Module, tensor: NDArray[Any], outputs: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    with torch.no_grad():
        answered = network(torch.from_numpy(tensor.astype(np.float32)))
    answered = answered if isinstance(answered, tuple) else (answered,)
    return {name: np.asarray(value.numpy(), np.float32) for name, value in zip(outputs, answered, strict=True)}


def _difference(got: dict[str, NDArray[Any]], wanted: dict[str, NDArray[np.float32]]) -> float:
    return max(float((np.abs(got[name] - wanted[name]) / (1 + np.abs(wanted[name]))).max()) for name in wanted)


def _cpu_name() -> str:
    """As Linux tells it, else as Python does."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor() or platform.machine()
