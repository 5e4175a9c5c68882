"""The half of a bridge that faces the station: carries out what the handshake asks, tells it what happens.

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
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog

from lineside.bridges.cursor import Cursor
from lineside.bridges.handshake import Handshake, HandshakeOptions
from lineside.bridges.missed_parts import MissedParts
from lineside.bridges.numbering import Numbering
from lineside.bridges.plc import (
    Abandon,
    Controls,
    Display,
    Effect,
    FaultCode,
    LoadRecipe,
    PartAtTrigger,
    RecordMissed,
    Release,
    Result,
    RunSelfTest,
    StationView,
    TakeTrigger,
)
from lineside.bridges.state_file import OwedPart, StateFile
from lineside.client import Outcome, Reason, StationClient, VerdictReader
from lineside.core.errors import ConfigError, LinesideError, StationFault
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["StationSide", "StationSideOptions", "open_station_side"]

_log = structlog.get_logger(__name__)

_LOOK_S = 0.25
"""How often the station's status is asked for; the stream tells of a lost connection at once."""

_ACKNOWLEDGE_S = 0.1
_EARLY_VERDICTS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class StationSideOptions:
    """`reader` names this bridge at the station: no two bridges of a station may share it."""

    station: str
    reader: str
    accept_timeout_s: float = 1.0
    """How long the station may take to accept a trigger. Later than that the part is somewhere else."""


@asynccontextmanager
async def open_station_side(
    options: StationSideOptions,
    handshake: HandshakeOptions,
    numbering: Numbering,
    state: StateFile,
) -> AsyncIterator[StationSide]:
    """A bridge's station side, at work for as long as the context lasts."""
    async with StationClient(options.station, timeout_s=options.accept_timeout_s) as client:
        side = StationSide(client, options, handshake, numbering, state)
        try:
            side.start()
            yield side
        finally:
            await side.stop()


class StationSide:
    """One handshake and the station behind it. Used on one event loop."""

    def __init__(
        self,
        client: StationClient,
        options: StationSideOptions,
        handshake: HandshakeOptions,
        numbering: Numbering,
        state: StateFile,
    ) -> None:
        self._client, self._options, self._numbering, self._state = client, options, numbering, state
        self.boot_id = time.time_ns() // 1_000_000 & 0xFFFF_FFFF or 1
        self._handshake = Handshake(
            boot_id=self.boot_id,
            last_acquisition_id=state.state.last_acquisition_id,
            restored=[_no_longer_fresh(part) for part in state.state.owed],
            options=handshake,
            now_ns=time.monotonic_ns(),
        )
        self._heartbeat_s = handshake.heartbeat_ns / 1e9
        self._tasks: set[asyncio.Task[object]] = set()
        self._verdicts: VerdictReader | None = None
        self._status: pb.GetStationStatusResponse | None = None
        self._missed = MissedParts(client, state, self._write)
        self._cursor = Cursor()
        self._acknowledged = 0
        self._asking = 0
        self._acquisition_of: dict[int, int] = {}  # by trigger number
        self._sequence_of: dict[int, int] = {}  # by acquisition id
        self._early: OrderedDict[int, tuple[pb.Verdict, bool]] = OrderedDict()  # by trigger number
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the error after which going on is no use."""

    # What the PLC's side calls.

    def write(self, controls: Controls) -> None:
        """The PLC has written; all of it counts as one moment."""
        self._carry_out(self._handshake.plc(controls, time.monotonic_ns()))

    def display(self) -> Display:
        """What the PLC is to see at this moment."""
        self._carry_out(self._handshake.tick(time.monotonic_ns()))
        return self._handshake.display

    @property
    def unreported(self) -> int:
        """Missed parts that the station could not yet be told of."""
        return self._missed.count

    # Its life.

    def start(self) -> None:
        """Begins to follow the station."""
        for work in (self._follow(), self._watch(), self._acknowledge(), self._beat()):
            self._run(work)
        for part in self._state.state.owed:
            _log.warning("owed from before a restart", acquisition_id=part.acquisition_id, part_id=part.part_id)

    async def stop(self) -> None:
        """Ends everything; what is owed to the PLC stays in the state file."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not self.failure.cancel():
            self.failure.exception()  # whoever waits for it has it; asyncio need not complain

    def _run(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self.failure.done():
            self.failure.set_exception(error)

    # What the handshake asks for.

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case TakeTrigger(part=part):
                    self._asking += 1
                    self._run(self._take(part))
                case RecordMissed(part=part):
                    self._run(self._missed.note(part, self._request_id(part)))
                case Release(acquisition_id=acquisition_id):
                    self._run(self._release(acquisition_id))
                case Abandon(acquisition_ids=given_up):
                    self._run(self._let_go(given_up))
                case LoadRecipe(recipe_number=number):
                    self._run(self._load_recipe(number))
                case RunSelfTest():
                    self._run(self._self_test())

    def _tell(self, step: Callable[[int], list[Effect]]) -> None:
        self._carry_out(step(time.monotonic_ns()))

    async def _take(self, part: PartAtTrigger) -> None:
        """Triggers the station and writes the part down, both at the same time."""
        owed = OwedPart(acquisition_id=part.acquisition_id, part_id=part.part_id, encoder_count=part.encoder_count)
        writing = self._write(owed=(*self._state.state.owed, owed), last_acquisition_id=part.acquisition_id)
        asking = self._client.trigger(
            part.name,
            encoder_count=part.encoder_count,
            due_ms=part.deadline_ms or None,
            request_id=self._request_id(part),
        )
        written, answer = await asyncio.gather(writing, asking, return_exceptions=True)
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
            await asyncio.sleep(_LOOK_S)
        self._tell(lambda now_ns: self._handshake.released(acquisition_id, now_ns))

    async def _let_go(self, acquisition_ids: tuple[int, ...]) -> bool:
        """Forgets parts, durably; then the station may, too. False when it could not be written down."""
        owed = tuple(part for part in self._state.state.owed if part.acquisition_id not in acquisition_ids)
        if not await self._write(owed=owed):
            return False
        for acquisition_id in acquisition_ids:
            self._cursor.finished(self._sequence_of.pop(acquisition_id, 0))
        return True

    async def _load_recipe(self, number: int) -> None:
        recipe_id = self._numbering.recipes.get(number)
        fault = FaultCode.NONE if recipe_id else FaultCode.UNKNOWN_RECIPE
        if recipe_id:
            try:
                await self._client.change_recipe(recipe_id, requested_by=f"PLC by bridge {self._options.reader}")
                await self._look()  # the echo of the recipe number comes before COMMAND_DONE
            except LinesideError as error:
                _log.warning("recipe not changed", recipe_id=recipe_id, why=str(error))
                fault = FaultCode.RECIPE_REFUSED
        self._tell(lambda now_ns: self._handshake.command_ended(fault, now_ns))

    async def _self_test(self) -> None:
        passed = False
        try:
            answer = await self._client.self_test()
            passed = answer.passed
        except LinesideError as error:
            _log.warning("self-test did not run", why=str(error))
        fault = FaultCode.NONE if passed else FaultCode.SELF_TEST_FAILED
        self._tell(lambda now_ns: self._handshake.command_ended(fault, now_ns, self_test_ok=passed))

    # What the station tells.

    async def _follow(self) -> None:
        await self._begin_reader()
        async with self._client.verdicts(reader=self._options.reader, acknowledge=False) as verdicts:
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
                    await self._client.acknowledge(self._options.reader, status.last_sequence)
                await self._write(reader_begun=True)
            except StationFault:
                await asyncio.sleep(_LOOK_S)

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

    async def _watch(self) -> None:
        while True:
            with suppress(StationFault):
                await self._look()
                await self._missed.report()
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> None:
        try:
            self._status = await self._client.status()
        except StationFault:
            self._status = None
            raise
        finally:
            self._show_station()

    def _show_station(self) -> None:
        status, stream = self._status, self._verdicts
        view = StationView()
        if status is not None and stream is not None and stream.connected:
            view = StationView(
                connected=True,
                ready=status.ready,
                paused=status.paused,
                recipe_number=self._numbering.recipe_number(status.recipe.id),
                config_fingerprint=_first_32_bits(status.config_fingerprint),
            )
        self._tell(lambda now_ns: self._handshake.station(view, now_ns))

    async def _acknowledge(self) -> None:
        """Moves the reader's cursor at the station; late is harmless, for what comes again is known."""
        while True:
            await asyncio.sleep(_ACKNOWLEDGE_S)
            position = self._cursor.position
            if position <= self._acknowledged:
                continue
            with suppress(StationFault):
                self._acknowledged = await self._client.acknowledge(self._options.reader, position)

    async def _beat(self) -> None:
        """The clock of the handshake, where no PLC reads."""
        while True:
            self._show_station()
            self._tell(self._handshake.tick)
            await asyncio.sleep(min(self._heartbeat_s, _LOOK_S) / 2)

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
        return f"{self._options.reader}-{self.boot_id:08x}-{part.number}"


def _no_longer_fresh(part: OwedPart) -> Result:
    return Result(
        acquisition_id=part.acquisition_id,
        part_id=part.part_id,
        encoder_count=part.encoder_count,
        outcome=Outcome.NOT_INSPECTED,
        reason=Reason.PLC_LOST,
    )


def _first_32_bits(fingerprint: str) -> int:
    digits = fingerprint.rpartition(":")[2][:8]
    try:
        return int(digits, 16)
    except ValueError as error:
        raise ConfigError(f'config fingerprint "{fingerprint}"', expected="hexadecimal digits") from error
