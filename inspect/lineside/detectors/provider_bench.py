"""One package on every provider of this machine, side by side: how fast, and how far from its reference answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import PackageError, ProviderError
from lineside.detectors.package import ModelPackage
from lineside.detectors.reference import read_outputs
from lineside.detectors.session import Session, available_providers, open_session, why_absent

__all__ = ["Measured", "bench"]

_AT_A_TIME: Final = 5
"""Runs before it is another's turn: whatever else the machine does hits all alike."""

_LEAST: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One provider with so many threads. `absent` says why it did not run, and then nothing else is known.

    `ran` is what really runs the graph. Times are of the graph alone, on reference frames; `load_ms` is the session's,
    `first_ms` that of the first run after it. `difference` is the largest from the reference answers, `refused` what
    a station would say to it, empty where it reproduces them.
    """

    provider: str
    threads: int
    absent: str = ""
    ran: str = ""
    load_ms: float = 0.0
    first_ms: float = 0.0
    median_ms: float = 0.0
    p99_ms: float = 0.0
    images_per_s: float = 0.0
    runs: int = 0
    difference: float = 0.0
    refused: str = ""


@dataclass(kw_only=True, slots=True, eq=False)
class _Runner:
    provider: str
    threads: int
    session: Session
    load_ns: int
    times_ns: list[int] = field(default_factory=list)

    def run(self, names: Sequence[str], input_name: str, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
        begun = time.perf_counter_ns()
        answers = self.session.run(names, input_name, tensor)
        self.times_ns.append(time.perf_counter_ns() - begun)
        return answers


def bench(
    package: ModelPackage,
    providers: Sequence[str],
    *,
    threads: Sequence[int] = (1, 2),
    seconds: float = 3.0,
    tick: Callable[[], None] = lambda: None,
) -> tuple[Measured, ...]:
    """A row for each provider and number of threads, each running for about `seconds`, in turns. Blocks until then.

    A card has one row: threads are the processor's affair. `tick` is called once for each row. Raises: PackageError,
    ModelError.
    """
    preparation = package.preparation()
    tensors = [preparation.prepare(frame)[0].copy() for frame in package.reference_frames()]
    rows: dict[tuple[str, int], Measured | _Runner] = {}
    for provider in providers:
        for count in threads if provider in ("cpu", "openvino") else (threads[0],):
            rows[provider, count] = _opened(package, provider, count)
            tick()
    runners = [row for row in rows.values() if isinstance(row, _Runner)]
    _take_turns(package, runners, tensors, seconds)
    return tuple(_measured(package, row, tensors) if isinstance(row, _Runner) else row for row in rows.values())


def _opened(package: ModelPackage, provider: str, threads: int) -> Measured | _Runner:
    if provider not in available_providers():
        return Measured(provider=provider, threads=threads, absent=why_absent(provider))
    begun = time.perf_counter_ns()
    try:
        session = open_session(package.graph_path, providers=(provider,), intra_op_threads=threads)
    except ProviderError as error:
        return Measured(provider=provider, threads=threads, absent=error.what)
    load_ns = time.perf_counter_ns() - begun
    package.check_graph(session)
    return _Runner(provider=provider, threads=threads, session=session, load_ns=load_ns)


def _take_turns(
    package: ModelPackage, runners: Sequence[_Runner], tensors: Sequence[NDArray[Any]], seconds: float
) -> None:
    names, input_name = package.manifest.output.names, package.manifest.input.name
    limit_ns = seconds * 1e9
    waiting = list(runners)
    while waiting:
        for runner in waiting:
            for _ in range(_AT_A_TIME):
                runner.run(names, input_name, tensors[len(runner.times_ns) % len(tensors)])
        waiting = [each for each in waiting if sum(each.times_ns) < limit_ns or len(each.times_ns) <= _LEAST]


def _measured(package: ModelPackage, runner: _Runner, tensors: Sequence[NDArray[Any]]) -> Measured:
    later = np.array(runner.times_ns[1:], np.float64) / 1e6
    refused = ""
    try:
        package.reproduce(runner.session)
    except PackageError as error:
        refused = str(error)
    return Measured(
        provider=runner.provider,
        threads=runner.threads,
        ran=runner.session.provider,
        load_ms=runner.load_ns / 1e6,
        first_ms=runner.times_ns[0] / 1e6,
        median_ms=float(np.median(later)),
        p99_ms=float(np.quantile(later, 0.99)),
        images_per_s=1e3 / float(later.mean()),
        runs=len(later),
        difference=_difference(package, runner.session, tensors),
        refused=refused,
    )


def _difference(package: ModelPackage, session: Session, tensors: Sequence[NDArray[Any]]) -> float:
    """Infinite where an answer has another shape than the reference."""
    names, largest = package.manifest.output.names, 0.0
    for named, tensor in zip(package.manifest.references, tensors, strict=True):
        got = session.run(names, package.manifest.input.name, tensor)
        for name, wanted in read_outputs(package.folder / named.output, names).items():
            if got[name].shape != wanted.shape:
                return float("inf")
            if wanted.size:
                apart = np.abs(got[name].astype(np.float64) - wanted.astype(np.float64))
                largest = max(largest, float(apart.max()))
    return largest
