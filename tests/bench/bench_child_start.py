"""For how long the start of a child process holds up the event loop that starts it.

`make bench BENCH=child_start`. A task asks to be woken every millisecond; how late it comes at most, around each start,
is what the start costs everybody else: by `subprocess.Popen` on the loop itself, by `Child`, and without any start.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from measuring import Figure, Report, machine, median, percentile

from lineside.core.errors import LinesideError
from lineside.supervise.child import Child
from lineside.supervise.messages import Up

_STARTS = 40
_AROUND_S = 0.02


class _Owner:
    """Is not interested in what becomes of the child."""

    def up(self, message: Up) -> None: ...

    def heard(self, message: object) -> None: ...

    def down(self, why: str, error: LinesideError | None) -> None: ...

    def patient_until_mono_ns(self) -> int:
        return 0


async def held_up_ms(starts: Callable[[], Awaitable[Callable[[], Awaitable[None]]]]) -> float:
    """How late a timer came at most while that started something, which is ended afterwards."""
    late_ms: list[float] = []

    async def tick() -> None:
        while True:
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            late_ms.append((time.perf_counter() - due) * 1000)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(_AROUND_S)
    late_ms.clear()
    end = await starts()
    await asyncio.sleep(_AROUND_S)
    ticking.cancel()
    longest = max(late_ms)
    await end()
    return longest


async def on_the_loop() -> Callable[[], Awaitable[None]]:
    process = subprocess.Popen([sys.executable, "-c", "pass"])  # noqa: ASYNC220 - what is measured

    async def end() -> None:
        process.wait()

    return end


async def as_a_child() -> Callable[[], Awaitable[None]]:
    child = Child("measured", entry="none:none", argument=None, fds=[], handler=_Owner())
    child.start()
    return child.stop


async def nothing() -> Callable[[], Awaitable[None]]:
    async def end() -> None: ...

    return end


async def main() -> None:
    report = Report()
    report.console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
    ways = {"nothing is started": nothing, "Popen on the loop": on_the_loop, "Child": as_a_child}
    held: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_STARTS):
        for name, starts in ways.items():  # in turns, so that what else the machine does strikes all
            held[name].append(await held_up_ms(starts))
    rows = [
        Figure(section="start", what=f"{name}, {what}", value=value, unit="ms")
        for name, ms in held.items()
        for what, value in (("p50", median(ms)), ("p90", percentile(ms, 0.9)), ("max", max(ms)))
    ]
    report.add("start", rows, f"The longest that the event loop is held up around each of {_STARTS} starts")


if __name__ == "__main__":
    asyncio.run(main())
