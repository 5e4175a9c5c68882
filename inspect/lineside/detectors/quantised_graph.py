"""INT8 graphs by ONNX Runtime's static quantisation: what of a graph can be quantised, and the graph with some of it.

Activations become QUInt8, weights QInt8, per channel: signed activations are 1.6 to 2.9 times slower on x86 (measured).
MatMuls by a batch of constant matrices stay in float: these are the Gaussians of a bank, whose factors differ by orders
of magnitude from place to place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from lineside.core.errors import PackageError

__all__ = ["METHODS", "Method", "QuantisableGraph"]

Method = Literal["minmax", "entropy", "percentile"]

METHODS: Final[dict[Method, CalibrationMethod]] = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
"""How an activation's range follows from what was seen: all of it, what loses least, or all but the extremes."""

_WEIGHTED: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_PASSING: Final = ("Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Add", "Mul", "Concat", "Resize")
"""What may lie between two weighted nodes without leaving INT8."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantisableGraph:
    """A graph made ready in `folder`: shapes known, batch norms folded. `weighted` names the nodes that carry weights.

    `kept` says which of its weighted nodes are never quantised.
    """

    path: Path
    ranges: Path
    method: Method
    weighted: tuple[str, ...]
    kept: tuple[str, ...]

    @classmethod
    def prepare(
        cls, graph: Path, folder: Path, *, input_name: str, tensors: Sequence[NDArray[Any]], method: Method
    ) -> QuantisableGraph:
        """Runs the graph over `tensors`, and keeps the ranges of all that can be quantised. Blocks for long.

        Raises: PackageError for a graph without a node that could be quantised.
        """
        prepared = folder / "prepared.onnx"
        with _quiet():
            quant_pre_process(str(graph), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        for number, node in enumerate(model.graph.node):
            node.name = node.name or f"{node.op_type}_{number}"
        onnx.save(model, prepared)
        shapes = {each.name: len(each.dims) for each in model.graph.initializer}
        shapes |= {
            node.output[0]: len(attribute.t.dims)
            for node in model.graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }
        nodes = [node for node in model.graph.node if node.op_type in _WEIGHTED]
        weighted = tuple(node.name for node in nodes if node.op_type != "MatMul" or shapes.get(node.input[1]) == 2)
        if not weighted:
            raise PackageError(
                f"{graph}: no node that could be quantised",
                expected=f"some of {list(_WEIGHTED)} with constant weights",
                remedy="keep the package as it is",
            )
        made = cls(
            path=prepared,
            ranges=folder / "ranges.json",
            method=method,
            weighted=weighted,
            kept=tuple(node.name for node in nodes if node.name not in weighted),
        )
        made._write(folder / "first.onnx", (), whole=True, reader=_Reader(input_name, tensors))
        return made

    def quantised(self, target: Path, left_out: Sequence[str] = (), *, whole: bool = False) -> Path:
        """Writes the graph with its weighted nodes in INT8 but those `left_out`; with `whole` what lies between too."""
        self._write(target, left_out, whole=whole, reader=None)
        return target

    def _write(
        self, target: Path, left_out: Sequence[str], *, whole: bool, reader: CalibrationDataReader | None
    ) -> None:
        with _quiet():
            quantize_static(
                str(self.path),
                str(target),
                reader,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=[*_WEIGHTED, *(_PASSING if whole else ())],
                nodes_to_exclude=[*self.kept, *left_out],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=METHODS[self.method],
                calibration_cache_path=str(self.ranges),
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leaves the root logger as it was: the vendor advises through it to do what is done here, and sets it up."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out the tensors once."""

    def __init__(self, name: str, tensors: Sequence[NDArray[Any]]) -> None:
        self._feeds: Iterator[dict[str, NDArray[Any]]] = iter({name: np.ascontiguousarray(each)} for each in tensors)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)
