"""Parts that came while nothing could inspect them: kept until the station has recorded each as NOT_INSPECTED."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from lineside.bridges.plc import PartAtTrigger
from lineside.bridges.state_file import MAX_MISSED, MissedPart, StateFile
from lineside.client import StationClient
from lineside.core.errors import LinesideError

__all__ = ["MissedParts"]

_log = structlog.get_logger(__name__)

_RECORD_DUE_MS = 1
"""No station inspects within a millisecond: a trigger with this due time makes a NOT_INSPECTED record, never a PASS."""


class MissedParts:
    """Used on one event loop. `write` makes changes to the state durable, and says whether it could."""

    def __init__(self, client: StationClient, state: StateFile, write: Callable[..., Awaitable[bool]]) -> None:
        self._client, self._state, self._write = client, state, write

    @property
    def count(self) -> int:
        """Those that the station could not yet be told of."""
        return len(self._state.state.missed) + self._state.state.missed_beyond

    async def note(self, part: PartAtTrigger, request_id: str) -> None:
        """Writes the part down and tells the station; where it cannot be told now, `report` will.

        `request_id` is that of the part's trigger: where the station did take that one after all, no second record
        is made.
        """
        state = self._state.state
        if len(state.missed) >= MAX_MISSED:
            await self._write(missed_beyond=state.missed_beyond + 1)
            return
        noted = MissedPart(request_id=request_id, name=part.name, encoder_count=part.encoder_count)
        await self._write(missed=(*state.missed, noted))
        await self._tell_station(noted)

    async def report(self) -> None:
        """Tells the station of those it does not know yet."""
        for part in self._state.state.missed:
            if not await self._tell_station(part):
                return

    async def _tell_station(self, part: MissedPart) -> bool:
        try:
            await self._client.trigger(
                part.name, encoder_count=part.encoder_count, due_ms=_RECORD_DUE_MS, request_id=part.request_id
            )
        except LinesideError as error:
            _log.warning("a missed part is not recorded yet", part_id=part.name, why=str(error))
            return False
        return await self._write(missed=tuple(each for each in self._state.state.missed if each != part))
