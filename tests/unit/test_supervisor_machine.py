"""The crew of inspectors against a plain model: workers come, go and answer; each job gets exactly one answer."""

from __future__ import annotations

import asyncio
import time

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lineside.core.frame import MissedFrame
from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.verdict import Judgement, Outcome
from lineside.supervise.child import ChildLimits
from lineside.supervise.crew import Answer, Crew, CrewPlan
from lineside.supervise.messages import InspectorUp, Judged

WORKERS = 3
AHEAD = 2
"""Jobs that a worker holds at most."""

UP = InspectorUp(provider="cpu", models=(Identity(id="model", sha256="a"),))
LOOK = {"top": MissedFrame(view="top", reason=Reason.NO_FRAME)}
HOUR_NS = 3_600_000_000_000
WORKER = st.integers(0, WORKERS - 1)


class CrewMachine(RuleBasedStateMachine):
    """No process is started: the rules are what processes do. The model knows for each job whether it was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.jobs: dict[int, asyncio.Task[Answer]] = {}
        self.in_time: set[int] = set()
        self.answers: dict[int, Outcome] = {}
        self.runner.run(self.make())

    async def make(self) -> None:
        plan = CrewPlan(workers=WORKERS, entry="none:none", argument=None, fds=(), hang_ms=1000, limits=ChildLimits())
        self.crew = Crew(plan, on_change=lambda kind, detail: None)
        self.seats = self.crew._seats

    def teardown(self) -> None:
        self.runner.run(self.crew.stop())
        self.turn()
        assert all(job.done() for job in self.jobs.values()), "a stopped crew has answered everything"
        self.runner.close()

    def turn(self) -> None:
        async def turn() -> None:
            for _ in range(3):
                await asyncio.sleep(0)

        self.runner.run(turn())

    @rule(hopeless=st.booleans())
    def a_part_comes(self, hopeless: bool) -> None:
        number = len(self.jobs)
        decide_by = 1 if hopeless else time.monotonic_ns() + HOUR_NS

        async def ask() -> None:
            self.jobs[number] = asyncio.ensure_future(self.crew.judge(LOOK, decide_by_mono_ns=decide_by))
            await asyncio.sleep(0)

        self.runner.run(ask())
        if hopeless:
            self.turn()
            head = self.jobs[number]
            assert head.done() or self.waiting_before(number), "work that cannot be in time is not begun"
        else:
            self.in_time.add(number)

    def waiting_before(self, number: int) -> bool:
        return any(not job.done() for other, job in self.jobs.items() if other < number)

    @precondition(lambda self: any(seat.details for seat in self.seats))
    @rule()
    def an_image_is_asked_for(self) -> None:
        async def ask() -> None:
            self.jobs[len(self.jobs)] = asyncio.ensure_future(self.crew.inspect(LOOK))
            await asyncio.sleep(0)

        self.runner.run(ask())

    @rule(worker=WORKER)
    def a_worker_comes_up(self, worker: int) -> None:
        if self.seats[worker].details is None:
            self.seats[worker].up(UP)
            self.turn()

    @rule(worker=WORKER)
    def a_worker_dies(self, worker: int) -> None:
        seat = self.seats[worker]
        if seat.details is None:
            return
        held = list(seat.jobs)
        seat.down("killed", None)
        self.turn()
        assert not seat.jobs
        if held:
            answer = held[0].future.result()
            assert answer.judgement.reason is Reason.DEVICE_LOST, "the part at work is lost by name"
        for job in held[1:]:
            if job.future.done():
                assert job.future.result().judgement.outcome is Outcome.NOT_INSPECTED
            else:
                assert self.is_somewhere(job), "what was not begun is kept"

    def is_somewhere(self, job: object) -> bool:
        places = [self.crew._parts, self.crew._requests, *(seat.jobs for seat in self.seats)]
        return sum(job in place for place in places) == 1

    @rule(worker=WORKER)
    def a_worker_answers(self, worker: int) -> None:
        seat = self.seats[worker]
        if not seat.jobs:
            return
        job, now = seat.jobs[0], time.monotonic_ns()
        passed = Judgement(outcome=Outcome.PASS, reason=Reason.NONE)
        seat.heard(Judged(job=job.number, judgement=passed, begun_mono_ns=now, done_mono_ns=now + 1000))
        self.turn()
        assert job.future.result().judgement is passed

    @invariant()
    def no_worker_holds_more_than_it_should_and_none_that_is_down_holds_any(self) -> None:
        for seat in self.seats:
            assert len(seat.jobs) <= (AHEAD if seat.details else 0)

    @invariant()
    def every_job_without_an_answer_is_at_exactly_one_place(self) -> None:
        places = [*self.crew._parts, *self.crew._requests, *(job for seat in self.seats for job in seat.jobs)]
        unanswered = [job for job in places if not job.future.done()]
        assert len({job.number for job in unanswered}) == len(unanswered)
        assert len(unanswered) == sum(not job.done() for job in self.jobs.values())

    @invariant()
    def nothing_waits_while_a_worker_has_room(self) -> None:
        room = [seat for seat in self.seats if seat.details and len(seat.jobs) < AHEAD]
        assert not (room and any(not job.future.done() for job in self.crew._parts))

    @invariant()
    def an_answer_once_given_does_not_change(self) -> None:
        for number, job in self.jobs.items():
            if job.done():
                assert self.answers.setdefault(number, job.result().judgement.outcome) is job.result().judgement.outcome


def test_a_crew_loses_no_job_and_answers_none_twice() -> None:
    run_state_machine_as_test(
        CrewMachine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None, database=None)
    )
