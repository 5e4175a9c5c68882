"""One ONNX Runtime session on the provider that was declared; the only module that imports onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from lineside.core.errors import InspectorLost, ModelError, PackageError, ProviderError

__all__ = ["KNOWN_PROVIDERS", "Port", "Session", "available_providers", "open_session"]

KNOWN_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Our names of execution providers and ONNX Runtime's."""

# Left alone, CUDA computes in TF32 and OpenVINO in bf16: both miss reference answers by up to 5e-3, in silence.
_OPTIONS = {
    "CUDAExecutionProvider": {"use_tf32": "0"},
    "OpenVINOExecutionProvider": {"device_type": "CPU", "precision": "FP32"},
}

_EXTRAS = {"cuda": "lineside[gpu]", "tensorrt": "lineside[gpu]", "openvino": "lineside[openvino]"}

_VENDOR_ERRORS: tuple[type[BaseException], ...] = (
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


class Session:
    """A loaded graph. Used by one thread; `provider` says what runs it: "cpu", "cuda", … or "cuda+cpu" where the
    declared list lets some nodes lie on the second.
    """

    def __init__(self, session: onnxruntime.InferenceSession, provider: str) -> None:
        self._session = session
        self.provider = provider
        self.inputs = tuple(_port(port) for port in session.get_inputs())
        self.outputs = tuple(_port(port) for port in session.get_outputs())
        meta = session.get_modelmeta()
        self.metadata: dict[str, str] = dict(meta.custom_metadata_map)
        self.producer: str = meta.producer_name

    def run(self, outputs: Sequence[str], input_name: str, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The named outputs as new arrays that nothing overwrites later. Blocks.

        Raises: ModelError; InspectorLost when there is no memory, which is no fault of this picture.
        """
        try:
            answers = self._session.run(list(outputs), {input_name: tensor})
        except _VENDOR_ERRORS as error:
            if _is_for_memory(error):
                raise InspectorLost(
                    f"no memory for the graph on {self.provider}: {_line(error)}",
                    expected="as much as it had at its start",
                    remedy="give the machine more memory, or run fewer or smaller models",
                ) from error
            raise ModelError(
                f"the graph failed on {self.provider} for an input {tensor.dtype}{list(tensor.shape)}: {_line(error)}",
                expected="an answer",
                remedy="verify the package on this machine",
            ) from error
        return dict(zip(outputs, answers, strict=True))


def available_providers() -> tuple[str, ...]:
    """Our names of the providers that the installed ONNX Runtime was built with."""
    built_in = onnxruntime.get_available_providers()
    return tuple(name for name, vendor in KNOWN_PROVIDERS.items() if vendor in built_in)


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
            refusals.append(f"{name}: the installed onnxruntime {onnxruntime.__version__} was built without it")
            continue
        try:
            return _open_on(graph, providers[position:], intra_op_threads)
        except _VENDOR_ERRORS as error:
            if name == "cpu":
                raise PackageError(
                    f"{graph}: onnxruntime {onnxruntime.__version__} cannot load the graph: {_line(error)}",
                    expected="an ONNX graph that it knows all operators of",
                    remedy="export it again, with an opset that this version supports",
                ) from error
            refusals.append(f"{name}: {_line(error)}")
        except ProviderError as error:
            refusals.append(f"{name}: {error.what}")
    absent = sorted({_EXTRAS[name] for name in providers if name not in available_providers()})
    install = f"install {' or '.join(absent)} in place of onnxruntime, or " if absent else ""
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
    vendors = [KNOWN_PROVIDERS[name] for name in providers if name in available_providers()]
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(
        str(graph),
        sess_options=options,
        providers=[(vendor, _OPTIONS.get(vendor, {})) for vendor in vendors],
        enable_fallback=0,  # or the wrapper prints, and goes on with the CPU
    )
    session.disable_fallback()
    return Session(session, _what_runs(session, providers))


def _what_runs(session: onnxruntime.InferenceSession, providers: Sequence[str]) -> str:
    """Names the providers on which nodes really lie, in declared order. Raises: ProviderError if not the first."""
    placed = {subgraph.ep_name for subgraph in session.get_provider_graph_assignment_info()}
    running = [name for name in providers if KNOWN_PROVIDERS[name] in placed]
    unnamed = placed - {KNOWN_PROVIDERS[name] for name in providers}
    loaded = session.get_providers()
    if unnamed or KNOWN_PROVIDERS[providers[0]] not in loaded or running[:1] != [providers[0]]:
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


def _line(error: BaseException) -> str:
    """The first line of a vendor's message: the rest is a stack trace of its own."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
