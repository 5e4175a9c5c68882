"""The bank as an ONNX graph: the same sums as `bank_features` and `bank.anomaly_map`, from the camera's pixels on."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lineside.core.pixel_format import PixelFormat
from lineside.train.bank import MAP_ZOOM, Bank, map_blur, top_count
from lineside.train.bank_features import (
    CELL_PX,
    CHROMA_SCALES,
    CONTRAST_FLOOR,
    CONTRAST_POOL_PX,
    FILTERS,
    GRADIENTS,
    SCALES,
    colour_weights,
    contrast_blur,
    feature_count,
    softening,
)
from lineside.train.places import Slack

__all__ = ["INPUT", "MAP", "bank_graph"]

INPUT: Final = "frame"
MAP: Final = "anomaly_map"

_OPSET = 18
_IR_VERSION = 9


def bank_graph(bank: Bank, pixel_format: PixelFormat) -> bytes:
    """An ONNX file: `frame` (1, C, H, W) uint8 or uint16 as the camera sends it to `anomaly_map` (1, 1, h, w).

    The map is in units of the threshold, and its highest value is the picture's score. The same bank gives the same
    bytes.
    """
    rows, columns, dimensions = bank.offset.shape
    sums = _Sums()
    codes = _codes(sums, bank, pixel_format)
    places = sums.add("Transpose", sums.add("Reshape", codes, [1, dimensions, rows * columns, 1]), perm=[2, 0, 3, 1])
    distance = _distance(sums, bank, places)
    cells = sums.blurred(sums.add("Reshape", distance, [1, 1, rows, columns]), map_blur())
    count = top_count(rows * columns, bank.settings.top_share)
    top = sums.add("TopK", sums.add("Reshape", cells, [1, -1]), [count], outputs=2, sorted=0)
    score = sums.add("ReduceMean", top, keepdims=1)
    fine = sums.enlarged(cells, MAP_ZOOM)
    highest = sums.add("Max", sums.add("ReduceMax", fine, keepdims=1), np.float32(1e-6))
    sums.add("Mul", fine, sums.add("Div", score, highest), name=MAP)
    kind = TensorProto.UINT16 if pixel_format.dtype == np.uint16 else TensorProto.UINT8
    frame = [1, pixel_format.channels, rows * CELL_PX, columns * CELL_PX]
    graph = helper.make_graph(
        sums.nodes,
        "bank",
        [helper.make_tensor_value_info(INPUT, kind, frame)],
        [helper.make_tensor_value_info(MAP, TensorProto.FLOAT, [1, 1, rows * MAP_ZOOM, columns * MAP_ZOOM])],
        sums.constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION, producer_name="lineside"
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _distance(sums: _Sums, bank: Bank, places: str) -> str:
    """(h * w,) of codes (h * w, 1, 1, k): `bank.cell_map` before its blur."""
    rows, columns, dimensions = bank.offset.shape
    count = rows * columns
    slack = bank.settings.places.slack
    by_number = Slack(rows, columns, slack)
    if slack:
        seen = sums.add("Gather", sums.add("Reshape", places, [count, dimensions]), by_number.seen, axis=0)
    else:
        seen = sums.add("Reshape", places, [count, 1, dimensions])
    white = sums.add("MatMul", seen, bank.whitening.reshape(count, dimensions, dimensions))
    away = sums.add("Sub", white, bank.offset.reshape(count, 1, dimensions))
    distance = sums.add("Sqrt", sums.add("ReduceSum", sums.add("Mul", away, away), [2], keepdims=0))
    if not slack:
        return distance
    around = sums.add("Gather", sums.add("Reshape", distance, [-1]), by_number.fits, axis=0)
    return sums.add("ReduceMin", around, [1], keepdims=0)


def _codes(sums: _Sums, bank: Bank, pixel_format: PixelFormat) -> str:
    """(1, k, h, w)."""
    planes = sums.add("Mul", sums.add("Cast", INPUT, to=TensorProto.FLOAT), np.float32(1 / pixel_format.max_value))
    luma, chroma = planes, ""
    if pixel_format.channels == 3:
        weights = colour_weights(pixel_format)[:, :, None, None]
        luma, chroma = (sums.add("Conv", planes, each) for each in (weights[:1], weights[1:]))
    even = _even(sums, luma) if bank.settings.even_contrast else luma
    parts = [sums.pooled(luma, CELL_PX)]
    for scale in SCALES:
        responses = sums.filtered(sums.pooled(even, scale), FILTERS[:, None])
        parts += [sums.pooled(each, CELL_PX // scale) for each in (responses, sums.add("Abs", responses))]
    if chroma:
        parts.append(sums.pooled(chroma, CELL_PX))
        gradients = np.concatenate([GRADIENTS, GRADIENTS])[:, None]
        for scale in CHROMA_SCALES:
            responses = sums.filtered(sums.pooled(chroma, scale), gradients, group=2)
            parts.append(sums.pooled(sums.add("Abs", responses), CELL_PX // scale))
    seen = sums.add("Concat", *parts, axis=1)
    count = feature_count(pixel_format)
    soft = sums.filtered(seen, np.repeat(softening()[None, None], count, axis=0), group=count)
    return sums.add("Conv", soft, bank.book.weights[:, :, None, None], bank.book.bias)


def _even(sums: _Sums, luma: str) -> str:
    mean, of_squares = (
        sums.blurred(sums.pooled(each, CONTRAST_POOL_PX), contrast_blur()[None])
        for each in (luma, sums.add("Mul", luma, luma))
    )
    mean, of_squares = (sums.blurred(each, contrast_blur()[:, None]) for each in (mean, of_squares))
    variance = sums.add("Relu", sums.add("Sub", of_squares, sums.add("Mul", mean, mean)))
    spread = sums.add("Sqrt", sums.add("Add", variance, np.float32(CONTRAST_FLOOR**2)))
    mean, spread = (sums.enlarged(each, CONTRAST_POOL_PX) for each in (mean, spread))
    return sums.add("Div", sums.add("Sub", luma, mean), spread)


class _Sums:
    """The nodes of a graph in the order in which they are added, and their constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(
        self,
        kind: str,
        *inputs: str | NDArray[Any] | np.float32 | list[int],
        name: str = "",
        outputs: int = 1,
        **keys: Any,
    ) -> str:
        """One node; arrays and lists of whole numbers become constants. Returns the name of its first output."""
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        outs = [name, *(f"{name}_{index}" for index in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, names, outs, **keys))
        return name

    def pooled(self, value: str, size: int) -> str:
        """Averages of whole squares."""
        return value if size == 1 else self.add("AveragePool", value, kernel_shape=[size, size], strides=[size, size])

    def filtered(self, value: str, kernels: NDArray[np.float32], group: int = 1) -> str:
        """`kernels` (O, I, rows, columns) over a picture that is continued by its outermost pixels."""
        down, across = (side // 2 for side in kernels.shape[2:])
        framed = self.add("Pad", value, [0, 0, down, across, 0, 0, down, across], mode="edge")
        return self.add("Conv", framed, kernels, group=group)

    def blurred(self, value: str, kernel: NDArray[np.float32]) -> str:
        """One kernel (rows, columns) over one plane."""
        return self.filtered(value, kernel[None, None])

    def enlarged(self, value: str, times: int) -> str:
        """So many times as large, linear between the centres of pixels."""
        scales = np.array([1, 1, times, times], np.float32)
        return self.add("Resize", value, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")

    def _constant(self, value: NDArray[Any] | np.float32 | list[int]) -> str:
        array = np.array(value, np.int64) if isinstance(value, list) else np.asarray(value)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), f"constant_{len(self.constants)}"))
        return self.constants[-1].name
