"""The station's inspectors: supervised processes that judge, fed one part after the other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lineside.core.errors import ConfigError, InspectorLost, LinesideError
from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.status import InspectorStatus
from lineside.core.verdict import Judgement
from lineside.supervise.child import Child, ChildLimits
from lineside.supervise.messages import Captures, InspectorUp, Judge, Judged, Up

__all__ = ["Answer", "Crew", "CrewPlan"]

_AHEAD = 2
"""Jobs a worker may hold: the one it judges and the next, so that it never waits for the station."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CrewPlan:
    """What it takes to run the inspector processes. `argument` goes to `entry` in each child."""

    workers: int
    entry: str
    argument: object
    fds: Sequence[int]
    hang_ms: int
    limits: ChildLimits


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A judgement and the monotonic times around it; 0 where it never began."""

    judgement: Judgement
    begun_mono_ns: int = 0
    done_mono_ns: int = 0


@dataclass(slots=True, eq=False)
class _Job:
    number: int
    captures: Captures
    decide_by_mono_ns: int
    """0: no hurry (an image on demand)."""
    future: asyncio.Future[Answer]
    overdue: asyncio.TimerHandle | None = None


class _InspectorSeat:
    """One inspector process and the jobs it holds, in order."""

    def __init__(self, number: int, plan: CrewPlan, crew: Crew) -> None:
        self.number = number
        self.jobs: deque[_Job] = deque()
        self.details: InspectorUp | None = None
        self.trouble: LinesideError | None = None
        self.settled = asyncio.Event()
        self._crew = crew
        self._judged = 0
        self._detail = "starting"
        self._hang_ns = plan.hang_ms * 1_000_000
        self._head_since_mono_ns = 0
        self.child = Child(
            f"inspector {number}",
            entry=plan.entry,
            argument=plan.argument,
            fds=plan.fds,
            handler=self,
            limits=plan.limits,
        )

    def give(self, job: _Job) -> None:
        """Hands the worker a job; when the worker proves to be gone, `down` has answered it."""
        if not self.jobs:
            self._head_since_mono_ns = time.monotonic_ns()
        self.jobs.append(job)
        self.child.send(Judge(job=job.number, captures=job.captures))

    def up(self, message: Up) -> None:
        assert isinstance(message, InspectorUp)
        if not self._crew.knows(message.models):
            self.child.kill("its model package changed on the disk since the crew began; change the recipe to use it")
            return
        self.details = message
        self.trouble = None
        self._detail = ""
        self.settled.set()
        self._crew.changed(f"inspector {self.number} ready", message.provider)
        self._crew.dispatch()

    def heard(self, message: object) -> None:
        if isinstance(message, Judged):
            job = self.jobs.popleft()
            assert job.number == message.job, "an inspector answers its jobs in order"
            self._head_since_mono_ns = time.monotonic_ns()
            self._judged += 1
            if job.decide_by_mono_ns:  # images on demand must not teach what parts of the line take
                self._crew.judged(message)
            answer = Answer(
                judgement=message.judgement, begun_mono_ns=message.begun_mono_ns, done_mono_ns=message.done_mono_ns
            )
            if not job.future.done():
                job.future.set_result(answer)
            self._crew.dispatch()

    def down(self, why: str, error: LinesideError | None) -> None:
        self.details = None
        self.trouble = error or InspectorLost(f"inspector process {self.number}: {why}")
        self._detail = why
        self.settled.set()
        jobs, self.jobs = self.jobs, deque()
        if jobs:  # the first was being judged and may be what brought the worker down; the others were not begun
            lost = jobs.popleft()
            if not lost.future.done():
                lost.future.set_result(Answer(judgement=Judgement.not_inspected(Reason.DEVICE_LOST, why)))
        self._crew.take_back(jobs)
        self._crew.changed(f"inspector {self.number} lost", why)

    def patient_until_mono_ns(self) -> int:
        return self._head_since_mono_ns + self._hang_ns if self.jobs else 0

    def status(self) -> InspectorStatus:
        return InspectorStatus(
            number=self.number,
            ready=self.details is not None,
            provider=self.details.provider if self.details else "",
            detail=self._detail,
            judged=self._judged,
            restarts=self.child.restarts,
        )


class Crew:
    """All inspectors of the station. Lives on the station's event loop."""

    def __init__(self, plan: CrewPlan, *, on_change: Callable[[str, str], None]) -> None:
        self._seats = [_InspectorSeat(number, plan, self) for number in range(1, plan.workers + 1)]
        self._parts: deque[_Job] = deque()
        self._requests: deque[_Job] = deque()
        self._numbers = 0
        self._typical_ns = 0.0
        self._models: tuple[Identity, ...] = ()
        self._hang_s = plan.hang_ms / 1000
        self._answered = asyncio.Event()
        self._stopped = False
        self.changed = on_change

    async def start(self) -> None:
        """Starts all inspectors and waits until each is warm. Raises: ConfigError, InspectorLost."""
        for seat in self._seats:
            seat.child.start()
        for seat in self._seats:
            await seat.settled.wait()
            if isinstance(seat.trouble, ConfigError):
                raise seat.trouble

    async def stop(self) -> None:
        """Ends all inspector processes; what was not judged, or comes later, is answered with why not."""
        self._stopped = True
        await asyncio.gather(*(seat.child.stop() for seat in self._seats))
        for seat in self._seats:
            seat.down("the station is stopping", None)
        for job in (*self._parts, *self._requests):
            if not job.future.done():
                job.future.set_result(Answer(judgement=Judgement.not_inspected(Reason.STATION_STOPPING)))

    async def retire(self) -> None:
        """Finishes what it has been given, then ends: another crew has taken over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle(), self._hang_s)
        self.changed = lambda kind, detail: None
        await self.stop()

    async def _idle(self) -> None:
        while self._parts or self._requests or any(seat.jobs for seat in self._seats):
            self._answered.clear()
            await self._answered.wait()

    async def judge(self, captures: Captures, *, decide_by_mono_ns: int) -> Answer:
        """Judges one part of the line. Never raises; what hinders it becomes NOT_INSPECTED with its reason."""
        return await self._queue(self._parts, captures, decide_by_mono_ns)

    async def inspect(self, captures: Captures) -> Answer:
        """Judges images on demand, whenever no part of the line waits. Raises: InspectorLost when none is ready."""
        if not any(seat.details for seat in self._seats):
            raise InspectorLost(self.why_not_ready() or "no inspector is ready", expected="a warm inspector")
        return await self._queue(self._requests, captures, 0)

    async def _queue(self, queue: deque[_Job], captures: Captures, decide_by_mono_ns: int) -> Answer:
        if self._stopped:  # a camera's last frame may come after the end of those who would judge it
            return Answer(judgement=Judgement.not_inspected(Reason.STATION_STOPPING))
        self._numbers += 1
        job = _Job(
            number=self._numbers,
            captures=captures,
            decide_by_mono_ns=decide_by_mono_ns,
            future=asyncio.get_running_loop().create_future(),
        )
        queue.append(job)
        if decide_by_mono_ns:  # the loop's clock is CLOCK_MONOTONIC, as ours
            job.overdue = asyncio.get_running_loop().call_at(decide_by_mono_ns / 1e9, self._give_up, job)
        self.dispatch()
        try:
            return await job.future
        finally:
            if job.overdue is not None:
                job.overdue.cancel()
            self._answered.set()

    def _give_up(self, job: _Job) -> None:
        """No worker took the job in time. One that is at work on it goes on: its answer will be late."""
        if job in self._parts:
            self._parts.remove(job)
            if not job.future.done():
                job.future.set_result(Answer(judgement=self._too_late()))

    def dispatch(self) -> None:
        """Gives waiting jobs to workers that have room; parts of the line first, and none that cannot be in time."""
        while self._parts:
            job = self._parts[0]
            if job.future.done():
                self._parts.popleft()
                continue
            if time.monotonic_ns() + self._typical_ns > job.decide_by_mono_ns:
                self._parts.popleft()
                job.future.set_result(Answer(judgement=self._too_late()))
                continue
            seat = min(self._ready(_AHEAD), key=lambda seat: len(seat.jobs), default=None)
            if seat is None:
                return
            self._parts.popleft()
            seat.give(job)
        while self._requests:
            seat = next(iter(self._ready(1)), None)
            if seat is None:
                return
            job = self._requests.popleft()
            if not job.future.done():
                seat.give(job)

    def _too_late(self) -> Judgement:
        if lost := self.why_not_ready():
            return Judgement.not_inspected(Reason.DEVICE_LOST, lost)
        detail = f"not begun: it would take {self._typical_ns / 1e6:.0f} ms, more than is left before the due time"
        self._typical_ns *= 0.9  # a refusal teaches nothing: without this one slow spell would refuse for ever
        return Judgement.not_inspected(Reason.DUE_TIME, detail)

    def _ready(self, room: int) -> list[_InspectorSeat]:
        return [seat for seat in self._seats if seat.details is not None and len(seat.jobs) < room]

    def take_back(self, jobs: deque[_Job]) -> None:
        """Jobs that a lost worker had not begun go to the head of their queue."""
        for job in reversed(jobs):
            (self._parts if job.decide_by_mono_ns else self._requests).appendleft(job)
        self.dispatch()

    def judged(self, message: Judged) -> None:
        """Keeps the typical duration of a part: a slowly moving mean; an outlier weighs no more than double."""
        took_ns = message.done_mono_ns - message.begun_mono_ns
        if self._typical_ns:
            took_ns = min(took_ns, int(2 * self._typical_ns))
            self._typical_ns += (took_ns - self._typical_ns) / 16
        else:
            self._typical_ns = float(took_ns)

    def knows(self, models: tuple[Identity, ...]) -> bool:
        """Whether these are the packages that the crew began with: what judges changes by a change-over only."""
        self._models = self._models or models
        return models == self._models

    def why_not_ready(self) -> str:
        """Empty when at least one inspector is warm."""
        if any(seat.details for seat in self._seats):
            return ""
        return "; ".join(f"inspector {seat.number}: {seat.status().detail}" for seat in self._seats)

    def status(self) -> tuple[InspectorStatus, ...]:
        return tuple(seat.status() for seat in self._seats)

    @property
    def provider(self) -> str:
        """What really runs the model; empty while no inspector is ready."""
        return next((seat.details.provider for seat in self._seats if seat.details), "")

    @property
    def models(self) -> tuple[Identity, ...]:
        """The packages that judge; empty until the first inspector was ready."""
        return self._models
