"""A graph loaded by OpenVINO on the processor; the only module that imports it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
from numpy.typing import NDArray

from lineside.core.errors import ProviderError
from lineside.detectors.session import OPENVINO, Port, Session

__all__ = ["OpenVinoSession"]

_DEVICE: Final = "CPU"

_PRECISION: Final = "f32"
"""Left alone it computes in bf16 where the processor can, and misses reference answers by up to 5e-3, in silence."""


class OpenVinoSession(Session):
    """The whole graph on OpenVINO, or an error: nothing lies elsewhere.

    Raises (on making): ProviderError where it runs otherwise than asked, and what `VENDOR_ERRORS` names.
    """

    def __init__(self, graph: Path, threads: int) -> None:
        core = openvino.Core()
        wanted = {
            "INFERENCE_PRECISION_HINT": _PRECISION,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # a core of its own for the first process is no core for the second
        }
        model = core.read_model(graph)
        compiled = core.compile_model(model, _DEVICE, wanted)
        devices = compiled.get_property("EXECUTION_DEVICES")
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if list(devices) != [_DEVICE] or precision != _PRECISION:
            raise ProviderError(
                f"OpenVINO loaded the graph on {devices} in {precision}", expected=f"{_DEVICE} in {_PRECISION}"
            )
        self.provider = OPENVINO
        self.inputs = tuple(_port(port) for port in model.inputs)
        self.outputs = tuple(_port(port) for port in model.outputs)
        self.metadata = {}  # it reads none; `models pack` reads graphs with ONNX Runtime
        self.producer = ""
        self._names = {name: index for index, port in enumerate(model.outputs) for name in port.get_names()}
        self._request = compiled.create_infer_request()

    def _answers(self, outputs: Sequence[str], input_name: str, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        self._request.infer({input_name: tensor})
        return [np.array(self._request.get_output_tensor(self._names[name]).data) for name in outputs]


def _port(port: Any) -> Port:
    shape = tuple(side.get_length() if side.is_static else None for side in port.get_partial_shape())
    return Port(name=port.get_any_name(), shape=shape, dtype=np.dtype(port.get_element_type().to_dtype()).name)
