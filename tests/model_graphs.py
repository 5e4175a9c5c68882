"""Small real ONNX graphs for tests, and packages made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec, Output, Threshold
from lineside.detectors.package import ModelPackage, PackageDraft, write_package

OPSET = 17
IR_VERSION = 9


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Mapping[str, NDArray[Any]] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """A checked graph as bytes."""
    weights = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    for key, value in (metadata or {}).items():
        made.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString()
    return data


def floats(name: str, shape: Sequence[int | str | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def blur(height: int | str = 32, width: int | str = 48, channels: int = 1) -> bytes:
    """A 3x3 mean over every channel: input (1, C, H, W) "image", output (1, 1, H, W) "map"."""
    weights = np.full((1, channels, 3, 3), 1.0 / (9 * channels), dtype=np.float32)
    return model(
        [helper.make_node("Conv", ["image", "weights"], ["map"], pads=[1, 1, 1, 1])],
        [floats("image", [1, channels, height, width])],
        [floats("map", [1, 1, height, width])],
        {"weights": weights},
    )


def answering(
    outputs: Mapping[str, NDArray[Any]],
    *,
    input_shape: Sequence[int | str] = (1, 3, 64, 64),
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """A graph that answers with fixed values, whatever the picture "images": for what decoders make of them."""
    nodes, infos, constants = [helper.make_node("ReduceSum", ["images"], ["sum"], keepdims=0)], [], {}
    nodes += [helper.make_node("Mul", ["sum", "nought"], ["nothing"])]
    constants["nought"] = np.float32(0).reshape(())
    for name, array in outputs.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        constants[f"{name}_values"] = array
        nodes += [
            helper.make_node("Cast", ["nothing"], [f"{name}_nothing"], to=kind),
            helper.make_node("Add", [f"{name}_values", f"{name}_nothing"], [name]),
        ]
        infos.append(helper.make_tensor_value_info(name, kind, list(array.shape)))
    return model(nodes, [floats("images", input_shape)], infos, constants, metadata)


def noise(height: int, width: int, *, pixel_format: PixelFormat = PixelFormat.MONO8, seed: int = 0) -> NDArray[Any]:
    shape = pixel_format.shape(width, height)
    values = np.random.default_rng(seed).integers(0, pixel_format.max_value, size=shape, endpoint=True)
    return values.astype(pixel_format.dtype)


def frame(pixels: NDArray[Any], pixel_format: PixelFormat = PixelFormat.MONO8) -> Frame:
    return Frame(
        view="top",
        pixels=pixels,
        pixel_format=pixel_format,
        frame_id=1,
        captured_utc_ns=1,
        captured_mono_ns=1,
        camera_serial="test",
    )


def draft(spec: InputSpec, output: Output, *, threshold: float = 0.5, **changes: Any) -> PackageDraft:
    return PackageDraft(
        id="tiny",
        licence="Apache-2.0",
        made_by="the tests",
        input=spec,
        output=output,
        threshold=Threshold(value=threshold, set_by="by hand"),
        **changes,
    )


def blur_spec(**changes: Any) -> InputSpec:
    values: dict[str, Any] = {
        "name": "image",
        "shape": (1, 1, 32, 48),
        "pixel_format": PixelFormat.MONO8,
        "scale": 1 / 255,
    }
    return InputSpec(**(values | changes))


def blur_package(folder: Path, **changes: Any) -> ModelPackage:
    """A package whose map is the blurred picture, 0 to 1."""
    return write_package(
        folder,
        graph=blur(),
        draft=draft(blur_spec(), AnomalyMapOutput(map="map"), **changes),
        reference_inputs=[noise(32, 48), noise(32, 48, seed=1)],
    )
