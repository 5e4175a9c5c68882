"""What a foreign graph says of itself: ports, metadata that exporters leave, weights beside it. Nothing is guessed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError

from lineside.core.errors import PackageError
from lineside.detectors.session import Port, open_session

__all__ = ["Fact", "GraphFacts", "read_graph"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One value and where it was read."""

    value: object
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphFacts:
    """A graph's ports, and `known`: what could be read, by the name of the manifest's key.

    `external_data` names the files with weights beside the graph, relative to it.
    """

    path: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    known: Mapping[str, Fact]
    external_data: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Inputs and outputs in one line, for messages."""
        ports = [", ".join(f"{port.name} {port.dtype}{list(port.shape)}" for port in each) for each in self._sides]
        return f"the graph takes {ports[0]} and answers {ports[1]}"

    @property
    def _sides(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        return self.inputs, self.outputs


def read_graph(path: Path) -> GraphFacts:
    """Loads the graph on the CPU and reads what it says. Raises: PackageError."""
    if not path.is_file():
        raise PackageError(f"{path}: no such file", expected="an ONNX graph")
    session = open_session(path, providers=("cpu",))
    known = {**_from_output_names(session.outputs), **_from_ultralytics(session.metadata, session.outputs)}
    if len(session.inputs) == 1:
        known |= _from_input(session.inputs[0])
    if session.producer:
        known.setdefault("made_by", Fact(value=session.producer, source="the graph's producer name"))
    return GraphFacts(
        path=path, inputs=session.inputs, outputs=session.outputs, known=known, external_data=_external_data(path)
    )


def _from_input(port: Port) -> dict[str, Fact]:
    """The layout, where exactly one dimension can be the channels; and what an integer type leaves no choice about."""
    known: dict[str, Fact] = {}
    layouts = {4: ("NCHW", "NHWC"), 3: ("CHW", "HWC")}.get(len(port.shape), ())
    fitting = [layout for layout in layouts if port.shape[layout.index("C")] in (1, 3)]
    if len(fitting) == 1:
        known["layout"] = Fact(value=fitting[0], source=f"the input's shape {list(port.shape)}")
    if port.dtype in ("uint8", "uint16"):
        known["in_graph"] = Fact(value=True, source=f"the input's type {port.dtype}")
    return known


def _from_output_names(outputs: tuple[Port, ...]) -> dict[str, Fact]:
    """The names that anomalib and torchvision give to outputs."""
    names = {port.name for port in outputs}
    if "anomaly_map" in names:
        source = "anomalib's output names"
        known = {"kind": Fact(value="anomaly_map", source=source), "map": Fact(value="anomaly_map", source=source)}
        if "pred_score" in names:
            known["score"] = Fact(value="pred_score", source=source)
        return known
    if {"boxes", "scores", "labels"} <= names:
        source = "torchvision's output names"
        known = {name: Fact(value=name, source=source) for name in ("boxes", "scores", "labels")}
        return known | {
            "kind": Fact(value="boxes", source=source),
            "variant": Fact(value="torchvision", source=source),
        }
    return {}


def _from_ultralytics(metadata: Mapping[str, str], outputs: tuple[Port, ...]) -> dict[str, Fact]:
    """`names`, `task` and `license` in the metadata of YOLO exports; the variant from the first output's shape."""
    classes = _class_names(metadata.get("names", ""))
    if not classes:
        return {}
    known = {"classes": Fact(value=classes, source="the graph's metadata, 'names'")}
    if "license" in metadata:
        known["licence"] = Fact(value=metadata["license"], source="the graph's metadata, 'license'")
    if "author" in metadata:
        known["made_by"] = Fact(value=metadata["author"], source="the graph's metadata, 'author'")
    kind = {"detect": "boxes", "classify": "classes"}.get(metadata.get("task", ""))
    if kind is not None:
        known["kind"] = Fact(value=kind, source="the graph's metadata, 'task'")
    shape = outputs[0].shape if outputs else ()
    if kind != "classes" and len(shape) == 3:
        fits = {
            "yolo": shape[1] == 4 + len(classes),
            "yolo_objectness": shape[2] == 5 + len(classes),
            "yolo_nms": shape[2] == 6,
        }
        variants = [variant for variant, fit in fits.items() if fit]
        if len(variants) == 1:
            source = f"the output's shape {list(shape)} with {len(classes)} classes"
            known["variant"] = Fact(value=variants[0], source=source)
    return known


def _class_names(text: str) -> tuple[str, ...]:
    """("scratch", "dent") of "{0: 'scratch', 1: 'dent'}"; nothing where it reads otherwise."""
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return ()
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or sorted(names) != list(range(len(names))):
        return ()
    return tuple(str(names[index]) for index in range(len(names)))


def _external_data(path: Path) -> tuple[str, ...]:
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError) as error:
        raise PackageError(f"{path}: {error}", expected="an ONNX graph") from error
    found = sorted({location for tensor in _tensors(model.graph) for location in _locations(tensor)})
    for name in found:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or not (path.parent / name).is_file():
            raise PackageError(
                f"{path}: weights in '{name}'", expected="a file beside the graph", remedy="export into one folder"
            )
    return tuple(found)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every stored tensor, those of branches and loops too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _locations(tensor: onnx.TensorProto) -> Iterator[str]:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        yield from (entry.value for entry in tensor.external_data if entry.key == "location")
