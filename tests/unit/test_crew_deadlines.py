"""Work that cannot be done in time is not begun: a worker's time belongs to parts that still can be."""

from __future__ import annotations

import asyncio
import time

from lineside.core.frame import MissedFrame
from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.verdict import Judgement, Outcome
from lineside.supervise.child import ChildLimits
from lineside.supervise.crew import Answer, Crew, CrewPlan
from lineside.supervise.messages import InspectorUp, Judged

LOOK = {"top": MissedFrame(view="top", reason=Reason.NO_FRAME)}
TAKES_NS = 10_000_000_000
"""What a part takes here: far longer than any test."""
PASSED = Judgement(outcome=Outcome.PASS, reason=Reason.NONE)


def asked(crew: Crew, left_ns: int) -> asyncio.Task[Answer]:
    """A part that must be decided in so long."""
    return asyncio.create_task(crew.judge(LOOK, decide_by_mono_ns=time.monotonic_ns() + left_ns))


async def judged_once() -> Crew:
    """One worker, warm, that took TAKES_NS for its first part."""
    plan = CrewPlan(workers=1, entry="none:none", argument=None, fds=(), hang_ms=1000, limits=ChildLimits())
    crew = Crew(plan, on_change=lambda kind, detail: None)
    (seat,) = crew._seats
    seat.up(InspectorUp(provider="cpu", models=(Identity(id="model", sha256="a"),)))
    first = asked(crew, 10 * TAKES_NS)
    await asyncio.sleep(0)
    seat.heard(Judged(job=seat.jobs[0].number, judgement=PASSED, begun_mono_ns=1, done_mono_ns=1 + TAKES_NS))
    assert (await first).judgement is PASSED
    return crew


async def test_a_part_that_cannot_be_in_time_is_answered_at_once_and_never_given_to_a_worker() -> None:
    crew = await judged_once()

    answer = await asked(crew, TAKES_NS // 2)

    assert answer.judgement.reason is Reason.DUE_TIME
    assert "not begun: it would take 10000 ms" in answer.judgement.detail
    assert (answer.begun_mono_ns, list(crew._seats[0].jobs)) == (0, [])
    await crew.stop()


async def test_a_part_that_can_be_in_time_goes_first_though_it_came_behind_one_that_cannot() -> None:
    crew = await judged_once()
    hopeless, hopeful = asked(crew, TAKES_NS // 2), asked(crew, 10 * TAKES_NS)

    assert (await hopeless).judgement.reason is Reason.DUE_TIME
    assert [job.decide_by_mono_ns - time.monotonic_ns() > TAKES_NS for job in crew._seats[0].jobs] == [True]
    await crew.stop()
    assert (await hopeful).judgement.outcome is Outcome.NOT_INSPECTED


async def test_one_slow_spell_does_not_refuse_parts_for_ever() -> None:
    crew = await judged_once()
    refusals = 0
    while (part := asked(crew, TAKES_NS // 2)) and not await given(crew):
        refusals += (await part).judgement.reason is Reason.DUE_TIME
    await crew.stop()
    await part

    assert 1 <= refusals <= 20


async def given(crew: Crew) -> bool:
    """Whether the worker was given the part, after it had its chance."""
    await asyncio.sleep(0)
    return bool(crew._seats[0].jobs)
