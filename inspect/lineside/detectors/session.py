"""One graph loaded on the provider that was declared: by ONNX Runtime, or by OpenVINO where that is the one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from lineside.core.errors import InspectorLost, ModelError, PackageError, ProviderError

__all__ = [
    "KNOWN_PROVIDERS",
    "OPENVINO",
    "VENDOR_ERRORS",
    "Port",
    "Session",
    "available_providers",
    "first_line",
    "open_session",
    "why_absent",
]

_OF_ONNXRUNTIME: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Our names of execution providers and ONNX Runtime's."""

OPENVINO: Final = "openvino"
"""A runtime of its own, beside ONNX Runtime: the wheel of ONNX Runtime that has it as a provider replaces the other one
and stands far behind it (docs/decisions/0015).
"""

KNOWN_PROVIDERS: Final = (*_OF_ONNXRUNTIME, OPENVINO)

# Left alone, CUDA computes in TF32 and misses reference answers by up to 5e-3, in silence.
_OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {"CUDAExecutionProvider": {"use_tf32": "0"}}

_INSTALLED_BY: Final = {
    "cuda": "lineside[gpu] in place of onnxruntime",
    "tensorrt": "lineside[gpu] in place of onnxruntime",
    OPENVINO: "lineside[openvino]",
}

VENDOR_ERRORS: tuple[type[BaseException], ...] = (
    RuntimeError,
    ValueError,
    MemoryError,
    *(kind for kind in vars(ort_state).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)

_NO_MEMORY = ("failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "_alloc_failed")
"""What ONNX Runtime's arena, the C++ library and CUDA's libraries say when there is no more memory, in lower case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """An input or output of a graph. `shape` has a number, a name or None per dimension; `dtype` is numpy's name."""

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str


class Session(ABC):
    """A loaded graph. Used by one thread; `provider` says what runs it: "cpu", "cuda", … or "cuda+cpu" where the
    declared list lets some nodes lie on the second.
    """

    provider: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Mapping[str, str]
    producer: str

    def run(self, outputs: Sequence[str], input_name: str, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The named outputs as new arrays that nothing overwrites later. Blocks.

        Raises: ModelError; InspectorLost when there is no memory, which is no fault of this picture.
        """
        try:
            answers = self._answers(outputs, input_name, tensor)
        except VENDOR_ERRORS as error:
            if _is_for_memory(error):
                raise InspectorLost(
                    f"no memory for the graph on {self.provider}: {first_line(error)}",
                    expected="as much as it had at its start",
                    remedy="give the machine more memory, or run fewer or smaller models",
                ) from error
            raise ModelError(
                f"the graph failed on {self.provider} for an input {tensor.dtype}{list(tensor.shape)}: "
                f"{first_line(error)}",
                expected="an answer",
                remedy="verify the package on this machine",
            ) from error
        return dict(zip(outputs, answers, strict=True))

    @abstractmethod
    def _answers(self, outputs: Sequence[str], input_name: str, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Those of the vendor, whose errors it may raise."""


class _OnnxRuntimeSession(Session):
    def __init__(self, session: onnxruntime.InferenceSession, provider: str) -> None:
        self._session = session
        self.provider = provider
        self.inputs = tuple(_port(port) for port in session.get_inputs())
        self.outputs = tuple(_port(port) for port in session.get_outputs())
        meta = session.get_modelmeta()
        self.metadata = dict(meta.custom_metadata_map)
        self.producer = meta.producer_name

    def _answers(self, outputs: Sequence[str], input_name: str, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        answers: Sequence[NDArray[Any]] = self._session.run(list(outputs), {input_name: tensor})
        return answers


def available_providers() -> tuple[str, ...]:
    """Our names of the providers that the installed ONNX Runtime was built with, and OpenVINO if it is installed."""
    built_in = onnxruntime.get_available_providers()
    found = [name for name, vendor in _OF_ONNXRUNTIME.items() if vendor in built_in]
    return (*found, *([OPENVINO] if find_spec("openvino") else []))


def why_absent(provider: str) -> str:
    """In words, for one that is not among `available_providers`."""
    if provider == OPENVINO:
        return f"openvino: it is not installed; install {_INSTALLED_BY[provider]}"
    installed = f"the installed onnxruntime {onnxruntime.__version__} was built without it"
    return f"{provider}: {installed}; install {_INSTALLED_BY[provider]}"


def open_session(graph: Path, *, providers: Sequence[str], intra_op_threads: int = 1) -> Session:
    """Loads the graph on the first declared provider that runs it.

    `providers` is an order: a later one may be fallen back to, for the whole graph or for the nodes that the earlier
    one cannot run. What is not named never runs. Raises: ProviderError, PackageError for a graph that cannot be read.
    """
    if not providers or len(set(providers)) != len(providers) or any(name not in KNOWN_PROVIDERS for name in providers):
        raise ProviderError(
            f"providers {list(providers)}",
            expected=f"one or more of {list(KNOWN_PROVIDERS)}, each once, the preferred first",
            remedy="correct `provider` in the station file",
        )
    refusals: list[str] = []
    for position, name in enumerate(providers):
        if name not in available_providers():
            refusals.append(why_absent(name))
            continue
        try:
            if name == OPENVINO:
                from lineside.detectors.openvino_session import OpenVinoSession  # noqa: PLC0415 - where it is declared

                return OpenVinoSession(graph, intra_op_threads)
            return _open_on(graph, [each for each in providers[position:] if each != OPENVINO], intra_op_threads)
        except VENDOR_ERRORS as error:
            if name == "cpu":
                raise PackageError(
                    f"{graph}: onnxruntime {onnxruntime.__version__} cannot load the graph: {first_line(error)}",
                    expected="an ONNX graph that it knows all operators of",
                    remedy="export it again, with an opset that this version supports",
                ) from error
            refusals.append(f"{name}: {first_line(error)}")
        except ProviderError as error:
            refusals.append(f"{name}: {error.what}")
    absent = sorted({_INSTALLED_BY[name] for name in providers if name not in available_providers()})
    install = f"install {' or '.join(absent)}, or " if absent else ""
    raise ProviderError(
        f"{graph}: not run by the declared provider {list(providers)} ({'; '.join(refusals)})",
        expected=f"one of those available here: {list(available_providers())}",
        remedy=f"{install}declare which provider may be fallen back to, like {[*providers, 'cpu']}",
    )


def _open_on(graph: Path, providers: Sequence[str], intra_op_threads: int) -> Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what goes wrong is raised, and said once by us
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if "cpu" not in providers:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    vendors = [_OF_ONNXRUNTIME[name] for name in providers if name in available_providers()]
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(
        str(graph),
        sess_options=options,
        providers=[(vendor, dict(_OPTIONS.get(vendor, {}))) for vendor in vendors],
        enable_fallback=0,  # or the wrapper prints, and goes on with the CPU
    )
    session.disable_fallback()
    return _OnnxRuntimeSession(session, _what_runs(session, providers))


def _what_runs(session: onnxruntime.InferenceSession, providers: Sequence[str]) -> str:
    """Names the providers on which nodes really lie, in declared order. Raises: ProviderError if not the first."""
    placed = {subgraph.ep_name for subgraph in session.get_provider_graph_assignment_info()}
    running = [name for name in providers if _OF_ONNXRUNTIME[name] in placed]
    unnamed = placed - {_OF_ONNXRUNTIME[name] for name in providers}
    loaded = session.get_providers()
    if unnamed or _OF_ONNXRUNTIME[providers[0]] not in loaded or running[:1] != [providers[0]]:
        raise ProviderError(
            f"onnxruntime loaded {loaded} and placed the nodes on {sorted(placed)}",
            expected=f"nodes on {providers[0]} first",
        )
    return "+".join(running)


def _port(port: onnxruntime.NodeArg) -> Port:
    kind = str(port.type).removeprefix("tensor(").removesuffix(")")
    dtype = {"float": "float32", "double": "float64"}.get(kind, kind)
    return Port(name=port.name, shape=tuple(port.shape), dtype=dtype)


def _is_for_memory(error: BaseException) -> bool:
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY)


def first_line(error: BaseException) -> str:
    """The first line of a vendor's message: the rest is a stack trace of its own."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
