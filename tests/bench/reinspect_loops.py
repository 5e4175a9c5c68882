"""The ideal of a re-inspection: processes that only decode, or only run the bare graph, on all cores at once."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from bench_model import open_bare

from lineside.detectors.package import load_package
from lineside.detectors.preparation import Preparation
from lineside.journal import image_format

__all__ = ["Cost", "Loops"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one image: by the clock, and of CPU time, which is the same whatever else the machine does (nearly)."""

    clock_ms: float
    cpu_ms: float

    def mean(self, other: Cost) -> Cost:
        """Of the same, measured twice."""
        return Cost(clock_ms=(self.clock_ms + other.clock_ms) / 2, cpu_ms=(self.cpu_ms + other.cpu_ms) / 2)


class Loops:
    """One process for each core, kept from measurement to measurement."""

    def __init__(self, count: int, files: Sequence[Path], package: Path) -> None:
        words = [sys.executable, __file__, str(package), *map(str, files)]
        self._processes = [
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]

    def decode(self, seconds: float) -> Cost:
        """Of reading and decoding one file, on a core, with the others at the same."""
        return self._measured("decode", seconds)

    def infer(self, seconds: float) -> Cost:
        """Of one run of the graph, likewise."""
        return self._measured("infer", seconds)

    def _measured(self, what: str, seconds: float) -> Cost:
        for process in self._processes:
            assert process.stdin
            process.stdin.write(f"{what} {seconds}\n")
            process.stdin.flush()
        told = [process.stdout.readline() for process in self._processes if process.stdout]
        clock_ms, cpu_ms = zip(*(map(float, line.split()) for line in told), strict=True)
        return Cost(clock_ms=sum(clock_ms) / len(told), cpu_ms=sum(cpu_ms) / len(told))

    def __enter__(self) -> Self:
        self._measured("infer", 0.5)  # warm
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.communicate()


def main() -> None:
    package, files = load_package(Path(sys.argv[1])), [Path(word) for word in sys.argv[2:]]
    cv2.setNumThreads(1)
    spec = package.manifest.input
    session, preparation = open_bare(package.graph_path), Preparation(spec)
    tensors = [preparation.prepare(_decoded(file))[0].copy() for file in files]
    loops: dict[str, list[Callable[[], object]]] = {
        "decode": [lambda file=file: _decoded(file) for file in files],
        "infer": [lambda tensor=tensor: session.run(None, {spec.name: tensor}) for tensor in tensors],
    }
    for line in sys.stdin:
        what, seconds = line.split()
        begun_s, begun_cpu_s, count = time.perf_counter(), time.process_time(), 0
        for once in itertools.cycle(loops[what]):
            once()
            count += 1
            if time.perf_counter() - begun_s >= float(seconds):
                break
        spent_s = (time.perf_counter() - begun_s, time.process_time() - begun_cpu_s)
        print(*(each / count * 1e3 for each in spent_s), flush=True)


def _decoded(file: Path) -> np.ndarray:
    data = file.read_bytes()
    if image_format.is_archived(data):  # the quickest way that we know: a slower one would flatter the engine
        return image_format.decode(data)[0].pixels
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels


if __name__ == "__main__":
    main()
