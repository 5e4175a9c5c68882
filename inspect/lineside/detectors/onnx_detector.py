"""The Detector over a model package: prepare, run, decode."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from lineside.core.attempt import attempt
from lineside.core.errors import FrameError, InspectionError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.decoder import decoder_for
from lineside.detectors.package import ModelPackage
from lineside.detectors.placement import Placement
from lineside.detectors.session import open_session

__all__ = ["OnnxDetector", "open_detector"]


class OnnxDetector:
    """Looks at frames with a package's graph. Implements `core.ports.Detector`; used by one thread.

    Raises at construction: PackageError, ProviderError.
    """

    def __init__(
        self, package: ModelPackage, *, providers: Sequence[str] = ("cpu",), intra_op_threads: int = 1
    ) -> None:
        manifest = package.manifest
        self._package = package
        self._session = open_session(package.graph_path, providers=providers, intra_op_threads=intra_op_threads)
        package.check_graph(self._session)
        self._input = manifest.input
        self._outputs = manifest.output.names
        self._preparation = package.preparation()
        self._decoder = decoder_for(manifest.output)
        self._last_tensor: NDArray[Any] | None = None
        self._last_infer_ns = 0

    @property
    def identity(self) -> Identity:
        """Id, revision and SHA-256 of the package."""
        return self._package.identity

    @property
    def provider(self) -> str:
        """What really runs the graph: "cpu", "cuda", "tensorrt", "openvino", or "cuda+cpu" where both do."""
        return self._session.provider

    @property
    def threshold(self) -> float:
        """The package's own threshold; scores at or above it are findings."""
        return self._package.threshold

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that its findings and maps can have."""
        return self._package.class_names

    def check_frames(self, pixel_format: PixelFormat, width_px: int, height_px: int) -> None:
        """Would it take such frames? Raises: ConfigError."""
        self._package.check_frames(pixel_format, width_px, height_px)

    @property
    def last_infer_ns(self) -> int:
        """How long the graph itself ran for the last frame, monotonic; 0 before the first."""
        return self._last_infer_ns

    def detect(self, frame: Frame) -> Detection:
        """Looks at one frame; the answer shares no memory with a later one.

        Raises: FrameError, NotLocated, ModelError, InspectorLost.
        """
        tensor, placement = self._prepared(frame)
        return self._decoder.decode(self._answers(tensor), placement)

    def detect_each(self, frames: Sequence[Frame]) -> list[Detection | InspectionError]:
        """Prepares all, runs the graph for one after the other, then reads the answers. Nothing is put in a batch: each
        answer is to the bit that of `detect`.

        A run of the graph leaves the processor's caches full of its own numbers, and preparing and reading, which take
        microseconds otherwise, then take tenths of milliseconds each time. In a row they pay that once.

        Raises: InspectorLost.
        """
        prepare = self._kept if len(frames) > 1 else self._prepared
        ready = [attempt(prepare, frame) for frame in frames]
        outputs = [each if isinstance(each, InspectionError) else attempt(self._answers, each[0]) for each in ready]
        answers: list[Detection | InspectionError] = []
        for each, output in zip(ready, outputs, strict=True):
            if isinstance(each, InspectionError):
                answers.append(each)
            elif isinstance(output, InspectionError):
                answers.append(output)
            else:
                answers.append(attempt(self._decoder.decode, output, each[1]))
        return answers

    def _kept(self, frame: Frame) -> tuple[NDArray[Any], Placement]:
        """Prepared, and not overwritten by the next one."""
        tensor, placement = self._prepared(frame)
        return tensor.copy(), placement

    def _prepared(self, frame: Frame) -> tuple[NDArray[Any], Placement]:
        if frame.pixel_format is not self._input.pixel_format:
            raise FrameError(
                f"a frame in {frame.pixel_format}",
                expected=f"{self._input.pixel_format} for the package {self.identity.id}",
                remedy="correct the camera's pixel format",
            )
        return self._preparation.prepare(frame.pixels)

    def _answers(self, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
        self._last_tensor = tensor
        started = time.perf_counter_ns()
        outputs = self._session.run(self._outputs, self._input.name, tensor)
        self._last_infer_ns = time.perf_counter_ns() - started
        return outputs

    def reproduce(self) -> float:
        """Runs the package's reference frames; the largest absolute difference. Raises: PackageError."""
        return self._package.reproduce(self._session)

    def keep_warm(self) -> None:
        """Runs the graph once more on the last input, so that clocks and caches stay up.

        Raises: ModelError, InspectorLost.
        """
        if self._last_tensor is None:
            self._last_tensor, _ = self._preparation.prepare(self._package.reference_frames()[0])
        self._session.run(self._outputs, self._input.name, self._last_tensor)


def open_detector(
    package: ModelPackage, *, providers: Sequence[str] = ("cpu",), intra_op_threads: int = 1, warm_up_runs: int = 3
) -> OnnxDetector:
    """A detector that is warm and has reproduced the package's references on this machine. Blocks until then.

    Raises: PackageError, ProviderError.
    """
    detector = OnnxDetector(package, providers=providers, intra_op_threads=intra_op_threads)
    detector.reproduce()
    for _ in range(warm_up_runs):
        detector.keep_warm()
    return detector
