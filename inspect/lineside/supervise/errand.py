"""One piece of heavy work, done now and then, in a process that is started for it and ended after it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lineside.core.errors import LinesideError, StationFault
from lineside.supervise.child import Child
from lineside.supervise.messages import Done, Up

__all__ = ["run_errand"]


class _Errand:
    """Waits for the child's answer, or for its end."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def up(self, message: Up) -> None:
        pass  # it has its work already

    def heard(self, message: object) -> None:
        if isinstance(message, Done) and not self.answer.done():
            self.answer.set_result(message.value)

    def down(self, why: str, error: LinesideError | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(error or StationFault(f"the process that was to do it: {why}"))

    def patient_until_mono_ns(self) -> int:
        return 0  # the child itself says how long it may be silent


async def run_errand(name: str, *, entry: str, argument: object, fds: Sequence[int]) -> object:
    """Runs `entry` ("module:function") in a child process and returns the value of its Done message.

    Cancelled, it ends the process. Raises: what the child was in trouble with; StationFault when it died or hung.
    """
    errand = _Errand()
    child = Child(name, entry=entry, argument=argument, fds=fds, handler=errand)
    child.start()
    try:
        return await errand.answer
    finally:
        await child.stop()
