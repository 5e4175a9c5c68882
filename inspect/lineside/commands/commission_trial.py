"""What commissioning measures: trials of many parts at one takt, and the search for the shortest takt that holds."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lineside.core.errors import StationFault
from lineside.core.verdict import Outcome
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["Heard", "Line", "Trial", "heard", "percentile", "shortest_takt"]

_GIVEN_TOLERANCE = 1.05
"""A trial whose triggers came this much slower than asked says nothing about the takt that was asked for."""

_ENOUGH_MISSED = 5
"""After so many parts without inspection a trial does not hold, whatever comes."""

_SEARCH_STEP = 1.05
"""The search ends when the shortest takt that holds is known this well."""

_SHORTEST_MS = 1.0
_TRIES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One verdict as its reader heard it; all times in ms, counted from the trigger or of one stage."""

    triggered_utc_ns: int
    heard_ms: float
    decide_ms: float
    capture_ms: float
    queue_ms: float
    inspect_ms: float
    infer_ms: float
    outcome: Outcome
    detail: str


def heard(verdict: pb.Verdict) -> Heard:
    """A verdict that has come just now, from a station on the same machine: one clock for both."""
    latency = verdict.latency
    return Heard(
        triggered_utc_ns=verdict.triggered_utc_ns,
        heard_ms=(time.time_ns() - verdict.triggered_utc_ns) / 1e6,
        decide_ms=latency.decide_ns / 1e6,
        capture_ms=latency.capture_ns / 1e6,
        queue_ms=latency.queue_ns / 1e6,
        inspect_ms=latency.inspect_ns / 1e6,
        infer_ms=latency.infer_ns / 1e6,
        outcome=Outcome(verdict.outcome),
        detail=verdict.detail,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed (nearest rank). NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else math.nan


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Parts at one takt. `takt_ms` is None where the camera set the pace."""

    takt_ms: float | None
    due_ms: int
    parts: tuple[Heard, ...]

    def heard_ms(self, share: float) -> float:
        """Trigger to reader: the time that this share of the parts does not exceed."""
        return percentile([part.heard_ms for part in self.parts], share)

    @property
    def not_inspected(self) -> int:
        return sum(part.outcome is Outcome.NOT_INSPECTED for part in self.parts)

    @property
    def given_takt_ms(self) -> float:
        """The pace at which triggers really came, on average."""
        times = [part.triggered_utc_ns for part in self.parts]
        return (max(times) - min(times)) / 1e6 / (len(times) - 1) if len(times) > 1 else math.nan

    @property
    def why_not(self) -> str:
        """Why it does not hold; empty when every part was inspected and 99 % were heard of before their due time."""
        if missed := [part.detail for part in self.parts if part.outcome is Outcome.NOT_INSPECTED]:
            return f"{len(missed)} not inspected ({missed[0]})"
        if self.heard_ms(0.99) > self.due_ms:
            return f"p99 {self.heard_ms(0.99):.1f} ms is beyond the due time"
        if self.takt_ms is not None and self.given_takt_ms > self.takt_ms * _GIVEN_TOLERANCE:
            return f"triggers could be given only every {self.given_takt_ms:.2f} ms"
        return ""


class Triggers(Protocol):
    """What a line needs of a client."""

    async def trigger(self, part_id: str = "") -> pb.TriggerInspectionResponse: ...


class Line:
    """Triggers a station at a takt and waits for what it says. `take` is called with each verdict of its stream.

    A verdict that is not heard of `spare_s` after the due time counts as lost.
    """

    def __init__(self, client: Triggers, *, due_ms: int, spare_s: float = 5.0) -> None:
        self._client = client
        self._due_ms = due_ms
        self._spare_s = spare_s
        self._heard: dict[int, Heard] = {}
        self._news = asyncio.Event()

    def take(self, verdict: pb.Verdict) -> None:
        """Called by whoever reads the stream."""
        self._heard[verdict.trigger_number] = heard(verdict)
        self._news.set()

    async def trial(self, takt_ms: float, parts: int) -> Trial:
        """So many parts at that takt, at absolute times so that it does not drift; fewer when it clearly fails.

        Raises: StationFault when a verdict stays away.
        """
        self._heard.clear()
        calls: list[asyncio.Task[pb.TriggerInspectionResponse]] = []
        begun_s = time.monotonic()
        for index in range(parts):
            await asyncio.sleep(max(0.0, begun_s + index * takt_ms / 1000 - time.monotonic()))
            calls.append(asyncio.create_task(self._client.trigger(f"part {index + 1}")))
            if sum(part.outcome is Outcome.NOT_INSPECTED for part in self._heard.values()) >= _ENOUGH_MISSED:
                break
        numbers = {answer.trigger_number for answer in await asyncio.gather(*calls)}
        await self._all_heard(numbers)
        told = tuple(self._heard[number] for number in sorted(numbers))
        return Trial(takt_ms=takt_ms, due_ms=self._due_ms, parts=told)

    async def _all_heard(self, numbers: set[int]) -> None:
        try:
            async with asyncio.timeout(self._due_ms / 1000 + self._spare_s):
                while not numbers <= self._heard.keys():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            missing = len(numbers - self._heard.keys())
            raise StationFault(
                f"{missing} of {len(numbers)} verdicts were never heard of",
                expected=f"each within its due time of {self._due_ms} ms",
                remedy="see the station's log",
            ) from None


async def shortest_takt(rated: Trial, measure: Callable[[float], Awaitable[Trial]]) -> list[Trial]:
    """Tries takts from the rated one on, by halves and then between, until the shortest that holds is known to 5 %.

    Returns every trial, the rated one first; the last word on a takt is that of its own trial.
    """
    assert rated.takt_ms is not None
    tried = [rated]
    holding = failing = 0.0
    takt_ms, trial = rated.takt_ms, rated
    while len(tried) < _TRIES:
        if trial.why_not:
            failing = max(failing, takt_ms)
        else:
            holding = min(holding, takt_ms) if holding else takt_ms
        if holding and (holding <= _SHORTEST_MS or (failing and holding / failing <= _SEARCH_STEP)):
            break
        if not holding:
            takt_ms = failing * 2
        elif not failing:
            takt_ms = max(_SHORTEST_MS, holding / 2)
        else:
            takt_ms = math.sqrt(holding * failing)
        trial = await measure(takt_ms)
        tried.append(trial)
    return tried
