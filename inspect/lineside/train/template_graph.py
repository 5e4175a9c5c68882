"""The template as an ONNX graph: the same sums as `template.anomaly_map`, from the camera's pixels on."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lineside.core.pixel_format import PixelFormat
from lineside.train.template import GAIN_RANGE, Template, gain_weights

__all__ = ["INPUT", "MAP", "template_graph"]

INPUT = "frame"
MAP = "anomaly_map"

_OPSET = 18
_IR_VERSION = 9


def template_graph(template: Template, pixel_format: PixelFormat, width_px: int, height_px: int) -> bytes:
    """An ONNX file: `frame` (1, C, H, W) uint8 or uint16 as the camera sends it to `anomaly_map` (1, 1, h, w).

    In it: averages over blocks, even lighting, distance from the centre in spreads, the worst channel, averages over
    3x3 places, in units of the threshold. The same template gives the same bytes.
    """
    channels, rows, columns = template.centre.shape
    kind = TensorProto.UINT16 if pixel_format.dtype == np.uint16 else TensorProto.UINT8
    constants = {
        "gain_weight": gain_weights(template.centre, template.spread)[None],
        "gain_low": np.float32(GAIN_RANGE[0]),
        "gain_high": np.float32(GAIN_RANGE[1]),
        "over_image": np.array([2, 3], np.int64),
        "over_channels": np.array([1], np.int64),
        "centre": template.centre[None],
        "per_spread": (1 / (template.spread * np.float32(template.threshold)))[None],
    }
    block, edges = [template.reduce, template.reduce], np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    constants["edges"] = edges
    nodes = [
        helper.make_node("Cast", [INPUT], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("AveragePool", ["pixels"], ["planes"], kernel_shape=block, strides=block),
        helper.make_node("Mul", ["planes", "gain_weight"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "over_image"], ["brightness"], keepdims=1),
        helper.make_node("Clip", ["brightness", "gain_low", "gain_high"], ["gain"]),
        helper.make_node("Div", ["planes", "gain"], ["even"]),
        helper.make_node("Sub", ["even", "centre"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("Mul", ["distance", "per_spread"], ["in_spreads"]),
        helper.make_node("ReduceMax", ["in_spreads", "over_channels"], ["worst"], keepdims=1),
        helper.make_node("Pad", ["worst", "edges"], ["framed"], mode="edge"),
        helper.make_node("AveragePool", ["framed"], [MAP], kernel_shape=[3, 3]),
    ]
    graph = helper.make_graph(
        nodes,
        "template",
        [helper.make_tensor_value_info(INPUT, kind, [1, channels, height_px, width_px])],
        [helper.make_tensor_value_info(MAP, TensorProto.FLOAT, [1, 1, rows, columns])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION, producer_name="lineside"
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
