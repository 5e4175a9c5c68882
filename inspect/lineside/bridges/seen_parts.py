"""Parts that the station triggers itself, by its camera or its takt: the PLC takes their results, and no more.

Nothing is owed to the PLC, so nothing need survive a `kill -9`: every start begins with now, under a new boot id. What
was judged before was shown by the bridge before it, or is missing at the gate, which rejects it. While the bridge lives
it misses nothing: a stream that was cut goes on after the last verdict, and one that comes too late says so.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from lineside.bridges.handshake import Handshake
from lineside.bridges.numbering import Numbering
from lineside.bridges.plc import Effect, Release
from lineside.client import StationClient, VerdictReader
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["SeenParts", "acquisition_id_of"]


class SeenParts:
    """Used on one event loop. `tell` takes a step of the handshake and carries out what follows from it."""

    unreported = 0
    """No trigger of a PLC is taken, so none is missed."""

    def __init__(
        self,
        client: StationClient,
        handshake: Handshake,
        tell: Callable[[Callable[[int], list[Effect]]], None],
        *,
        numbering: Numbering,
    ) -> None:
        self._client, self._handshake, self._tell, self._numbering = client, handshake, tell, numbering
        self._verdicts: VerdictReader | None = None

    @property
    def connected(self) -> bool:
        """Whether the verdict stream lives."""
        return self._verdicts is not None and self._verdicts.connected

    def work(self) -> tuple[Coroutine[Any, Any, object], ...]:
        """What is to run for as long as the bridge does."""
        return (self._follow(),)

    async def carry_out(self, effect: Effect) -> None:
        """Does what the handshake asks for a part."""
        if isinstance(effect, Release):
            self._tell(lambda now_ns: self._handshake.released(effect.acquisition_id, now_ns))

    async def report(self) -> None:
        """There is nothing to report."""

    async def _follow(self) -> None:
        async with self._client.verdicts() as verdicts:
            self._verdicts = verdicts
            async for verdict in verdicts:
                recorded_ns = max(0, verdicts.sent_utc_ns - verdict.decided_utc_ns)
                self._forward(verdict, fresh_ns=verdict.slack_ns - recorded_ns, late=verdicts.late)

    def _forward(self, verdict: pb.Verdict, *, fresh_ns: int, late: bool) -> None:
        """`fresh_ns`: from now to the part's due time, as the station saw it when it sent the verdict."""
        result = replace(
            self._numbering.result(verdict, acquisition_id_of(verdict.trigger_number), late=late),
            part_id=verdict.trigger_number & 0xFFFF_FFFF,
            encoder_count=verdict.encoder_count if verdict.HasField("encoder_count") else None,
        )
        self._tell(lambda now_ns: self._handshake.came(result, now_ns + fresh_ns, now_ns))


def acquisition_id_of(trigger_number: int) -> int:
    """The station's trigger number in 16 bits, 1 to 65535 and over again: a PLC that counts its parts can compare."""
    return (trigger_number - 1) % 0xFFFF + 1
