"""Parts that the PLC triggers: asked of the station, written down, answered once.

What survives a `kill -9`, and how:

- before TRIGGER_ACK: the PLC has no acknowledge and sees ACQUISITION_ERROR or a dead heartbeat: it rejects;
- from TRIGGER_ACK to RESULTS_ACK: the part is in the state file. The next start owes it an answer, and gives
  NOT_INSPECTED(PLC_LOST): its verdict is no longer fresh, whatever it was;
- RESULTS_VALID falls only after the state file has let go of the part; killed in between, the part comes again under
  a new boot id, as NOT_INSPECTED: never twice as new, never as PASS;
- the station is told last: what it sends again after that is known to be finished.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog

from lineside.bridges.cursor import Cursor
from lineside.bridges.handshake import Handshake
from lineside.bridges.missed_parts import MissedParts
from lineside.bridges.numbering import Numbering
from lineside.bridges.plc import Abandon, Effect, PartAtTrigger, RecordMissed, Release, TakeTrigger
from lineside.bridges.state_file import OwedPart, StateFile
from lineside.client import StationClient, VerdictReader
from lineside.core.errors import LinesideError, StationFault
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["AskedParts"]

_log = structlog.get_logger(__name__)

_AGAIN_S = 0.25
_ACKNOWLEDGE_S = 0.1
_EARLY_VERDICTS = 64


class AskedParts:
    """Used on one event loop. `tell` takes a step of the handshake and carries out what follows from it.

    `reader` is the bridge's name at the station, and `boot_id` changes with every start of the bridge.
    """

    def __init__(
        self,
        client: StationClient,
        handshake: Handshake,
        tell: Callable[[Callable[[int], list[Effect]]], None],
        *,
        reader: str,
        boot_id: int,
        numbering: Numbering,
        state: StateFile,
    ) -> None:
        self._client, self._handshake, self._tell = client, handshake, tell
        self._reader, self._boot_id = reader, boot_id
        self._numbering, self._state = numbering, state
        self._verdicts: VerdictReader | None = None
        self._missed = MissedParts(client, state, self._write)
        self._cursor = Cursor()
        self._acknowledged = 0
        self._asking = 0
        self._acquisition_of: dict[int, int] = {}  # by trigger number
        self._sequence_of: dict[int, int] = {}  # by acquisition id
        self._early: OrderedDict[int, tuple[pb.Verdict, bool]] = OrderedDict()  # by trigger number

    @property
    def connected(self) -> bool:
        """Whether the verdict stream lives."""
        return self._verdicts is not None and self._verdicts.connected

    @property
    def unreported(self) -> int:
        """Missed parts that the station could not yet be told of."""
        return self._missed.count

    def work(self) -> tuple[Coroutine[Any, Any, object], ...]:
        """What is to run for as long as the bridge does."""
        return self._follow(), self._acknowledge()

    async def carry_out(self, effect: Effect) -> None:
        """Does what the handshake asks for a part."""
        match effect:
            case TakeTrigger(part=part):
                await self._take(part)
            case RecordMissed(part=part):
                await self._missed.note(part, self._request_id(part))
            case Release(acquisition_id=acquisition_id):
                await self._release(acquisition_id)
            case Abandon(acquisition_ids=given_up):
                await self._let_go(given_up)

    async def report(self) -> None:
        """Tells the station of missed parts that it does not know yet."""
        await self._missed.report()

    # What the handshake asks for.

    async def _take(self, part: PartAtTrigger) -> None:
        """Triggers the station and writes the part down, both at the same time."""
        self._asking += 1
        owed = OwedPart(acquisition_id=part.acquisition_id, part_id=part.part_id, encoder_count=part.encoder_count)
        asking = self._client.trigger(
            part.name,
            encoder_count=part.encoder_count,
            due_ms=part.deadline_ms or None,
            request_id=self._request_id(part),
        )
        writing = self._write(owed=(*self._state.state.owed, owed), last_acquisition_id=part.acquisition_id)
        answer, written = await asyncio.gather(asking, writing, return_exceptions=True)
        self._asking -= 1
        if isinstance(answer, pb.TriggerInspectionResponse) and written is True:
            self._acquisition_of[answer.trigger_number] = part.acquisition_id
            self._tell(lambda now_ns: self._handshake.taken(part.acquisition_id, now_ns))
            self._forward_early()
            return
        for failure in (written, answer):
            if isinstance(failure, BaseException) and not isinstance(failure, LinesideError):
                raise failure
        _log.warning("trigger not taken", part_id=part.name, why=str(answer))
        self._tell(lambda now_ns: self._handshake.not_taken(part.acquisition_id, now_ns))
        self._forward_early()
        await self._let_go((part.acquisition_id,))

    async def _release(self, acquisition_id: int) -> None:
        while not await self._let_go((acquisition_id,)):  # noqa: ASYNC110 # a disk sends no events
            await asyncio.sleep(_AGAIN_S)
        self._tell(lambda now_ns: self._handshake.released(acquisition_id, now_ns))

    async def _let_go(self, acquisition_ids: tuple[int, ...]) -> bool:
        """Forgets parts, durably; then the station may, too. False when it could not be written down."""
        owed = tuple(part for part in self._state.state.owed if part.acquisition_id not in acquisition_ids)
        if not await self._write(owed=owed):
            return False
        for acquisition_id in acquisition_ids:
            self._cursor.finished(self._sequence_of.pop(acquisition_id, 0))
        return True

    # What the station tells.

    async def _follow(self) -> None:
        await self._begin_reader()
        async with self._client.verdicts(reader=self._reader, acknowledge=False) as verdicts:
            self._verdicts = verdicts
            async for verdict in verdicts:
                self._cursor.came(verdict.sequence)
                acquisition_id = self._acquisition_of.pop(verdict.trigger_number, None)
                if acquisition_id is not None:
                    self._forward(verdict, acquisition_id, late=verdicts.late)
                elif self._asking:  # its trigger's answer may still be under way
                    self._early[verdict.trigger_number] = verdict, verdicts.late
                    self._forget_early(_EARLY_VERDICTS)
                else:
                    self._cursor.finished(verdict.sequence)  # not this bridge's, or of an earlier start

    async def _begin_reader(self) -> None:
        """A bridge that the station has never seen begins with now: the parts of the past have passed."""
        while not self._state.state.reader_begun:
            try:
                status = await self._client.status()
                if status.last_sequence:
                    await self._client.acknowledge(self._reader, status.last_sequence)
                await self._write(reader_begun=True)
            except StationFault:
                await asyncio.sleep(_AGAIN_S)

    def _forward_early(self) -> None:
        for trigger_number in [number for number in self._early if number in self._acquisition_of]:
            verdict, late = self._early.pop(trigger_number)
            self._forward(verdict, self._acquisition_of.pop(trigger_number), late=late)
        if not self._asking:
            self._forget_early(0)

    def _forget_early(self, kept: int) -> None:
        while len(self._early) > kept:
            _, (verdict, _) = self._early.popitem(last=False)
            self._cursor.finished(verdict.sequence)

    def _forward(self, verdict: pb.Verdict, acquisition_id: int, *, late: bool) -> None:
        owed = any(part.acquisition_id == acquisition_id for part in self._state.state.owed)
        if owed:
            self._sequence_of[acquisition_id] = verdict.sequence
        else:
            self._cursor.finished(verdict.sequence)  # given up, or answered as overdue and acknowledged already
        result = self._numbering.result(verdict, acquisition_id, late=late)
        self._tell(lambda now_ns: self._handshake.told(result, now_ns))

    async def _acknowledge(self) -> None:
        """Moves the reader's cursor at the station; late is harmless, for what comes again is known."""
        while True:
            await asyncio.sleep(_ACKNOWLEDGE_S)
            position = self._cursor.position
            if position <= self._acknowledged:
                continue
            with suppress(StationFault):
                self._acknowledged = await self._client.acknowledge(self._reader, position)

    async def _write(self, **changes: object) -> bool:
        try:
            await self._state.write(**changes)
        except StationFault as error:
            _log.error("state not durable", error=str(error))
            self._tell(lambda now_ns: self._handshake.durable(False, now_ns))
            return False
        self._tell(lambda now_ns: self._handshake.durable(True, now_ns))
        return True

    def _request_id(self, part: PartAtTrigger) -> str:
        """The same for the same trigger of the PLC, and for no other, of this start or another."""
        return f"{self._reader}-{self._boot_id:08x}-{part.number}"
