"""The desk of the engine `ray`: the tasks that are out, and how often a worker died over each. Knows nothing of Ray."""

from __future__ import annotations

import asyncio
from collections import Counter

from lineside.reinspect.task import Task

__all__ = ["Desk"]


class Desk:
    """Keeps each task, under its ticket, from when it is handed over until its rows have arrived. One event loop."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._taken: Counter[int] = Counter()
        self._openings: Counter[int] = Counter()
        self._handed = 0
        self._closed = False
        self._changed = asyncio.Condition()

    async def hand(self, ticket: int, task: Task) -> None:
        """The driver hands tasks over under 0, 1, 2, …"""
        async with self._changed:
            self._tasks[ticket] = task
            self._handed = ticket + 1
            self._changed.notify_all()

    async def close(self) -> None:
        """No task will be handed over any more."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def has(self, ticket: int) -> bool:
        """Whether there ever was a task under this ticket. Waits until that is known; then it never changes."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or ticket < self._handed)
            return ticket < self._handed

    async def take(self, ticket: int) -> tuple[Task | None, int]:
        """The task, for as long as its rows have not arrived, and how many workers took it and were lost with it."""
        self._taken[ticket] += 1
        return self._tasks.get(ticket), self._taken[ticket] - 1

    async def opening(self, ticket: int) -> int:
        """A worker opens its judge for this task: how many did so before and did not come through."""
        self._openings[ticket] += 1
        return self._openings[ticket] - 1

    async def opened(self, ticket: int) -> None:
        """It has come through."""
        del self._openings[ticket]

    async def done(self, ticket: int) -> None:
        """The rows have arrived at the driver."""
        self._tasks.pop(ticket, None)
        self._taken.pop(ticket, None)
