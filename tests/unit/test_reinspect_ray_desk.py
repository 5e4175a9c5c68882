"""The desk of the engine `ray`, without Ray."""

from __future__ import annotations

import asyncio

from lineside.reinspect.desk import Desk
from lineside.reinspect.task import Task

TASK = Task(chunk=7, parts=[])


async def test_a_ticket_is_there_as_soon_as_its_task_is_and_stays_there() -> None:
    desk = Desk()
    asked = asyncio.create_task(desk.has(0))
    await desk.hand(0, TASK)

    assert await asked
    await desk.done(0)
    assert await desk.has(0)


async def test_who_asks_for_the_next_ticket_waits_until_there_is_one_or_never_will_be() -> None:
    desk = Desk()
    await desk.hand(0, TASK)
    asked = asyncio.create_task(desk.has(1))
    await asyncio.sleep(0)

    assert not asked.done()
    await desk.close()
    assert not await asked


async def test_a_task_is_kept_until_its_rows_are_there_and_each_worker_that_took_it_counts() -> None:
    desk = Desk()
    await desk.hand(0, TASK)

    assert (TASK, 0) == await desk.take(0)
    assert (TASK, 1) == await desk.take(0)
    await desk.done(0)
    assert (None, 0) == await desk.take(0)


async def test_a_worker_that_comes_through_opening_is_not_counted_against_the_next() -> None:
    desk = Desk()

    assert [0, 1] == [await desk.opening(0), await desk.opening(0)]
    await desk.opened(0)
    assert 0 == await desk.opening(0)
