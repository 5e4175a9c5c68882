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

_ULTRALYTICS_TASKS = {"detect": "boxes", "segment": "boxes", "classify": "classes"}


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
    """What the metadata of YOLO exports say, and the variant from the first output's shape and from `args`.

    Raises: PackageError for a task that no decoder reads.
    """
    classes = _class_names(metadata.get("names", ""))
    if not classes:
        return {}
    known = {"classes": Fact(value=classes, source="the graph's metadata, 'names'")}
    for key, name in (("licence", "license"), ("made_by", "author")):
        if name in metadata:
            known[key] = Fact(value=metadata[name], source=f"the graph's metadata, '{name}'")
    size = _literal(metadata.get("imgsz", ""))
    if isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size):
        known["size_px"] = Fact(value=(size[1], size[0]), source="the graph's metadata, 'imgsz'")
    task = metadata.get("task", "")
    if task not in ("", *_ULTRALYTICS_TASKS):
        raise PackageError(
            f"the graph's metadata name the task '{task}'",
            expected=f"one of {sorted(_ULTRALYTICS_TASKS)}: what finds defects and places them upright in the picture",
            remedy="train and export a model for one of these tasks",
        )
    if task:
        known["kind"] = Fact(value=_ULTRALYTICS_TASKS[task], source="the graph's metadata, 'task'")
    if task != "classify":
        known |= _yolo_variant(metadata, outputs, len(classes), masks=task == "segment")
    return known


def _yolo_variant(
    metadata: Mapping[str, str], outputs: tuple[Port, ...], classes: int, *, masks: bool
) -> dict[str, Fact]:
    known: dict[str, Fact] = {}
    shape = outputs[0].shape if outputs else ()
    coefficients = 0
    if masks:
        if len(outputs) != 2 or len(outputs[1].shape) != 4 or not isinstance(outputs[1].shape[1], int):
            return known
        coefficients = outputs[1].shape[1]
        source = f"the task 'segment' and the second output's shape {list(outputs[1].shape)}"
        known = {"prototypes": Fact(value=outputs[1].name, source=source)}
        known["boxes"] = Fact(value=outputs[0].name, source="the task 'segment': the first output")
    if len(shape) != 3:
        return known
    arguments = _literal(metadata.get("args", ""))
    suppressed = isinstance(arguments, dict) and arguments.get("nms")
    fits = {
        "yolo": shape[1] == 4 + classes + coefficients and not suppressed,
        "yolo_objectness": shape[2] == 5 + classes and not masks and not suppressed,
        "yolo_nms": shape[2] == 6 + coefficients,
    }
    variants = [variant for variant, fit in fits.items() if fit]
    if len(variants) == 1:
        source = f"the output's shape {list(shape)} with {classes} classes"
        source += f" and {coefficients} prototypes" if masks else ""
        known["variant"] = Fact(value=variants[0], source=source)
    return known


def _literal(text: str) -> object:
    """The Python literal that exporters write as text; None where it reads otherwise."""
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return value


def _class_names(text: str) -> tuple[str, ...]:
    """("scratch", "dent") of "{0: 'scratch', 1: 'dent'}"; nothing where it reads otherwise."""
    names = _literal(text)
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
