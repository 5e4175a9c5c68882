"""The half of a bridge that faces the station: carries out what the handshake asks, tells it what happens.

Where its parts come from is one of two: `AskedParts` that the PLC triggers, `SeenParts` that the station triggers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from lineside.bridges.asked_parts import AskedParts
from lineside.bridges.handshake import Handshake, HandshakeOptions
from lineside.bridges.numbering import Numbering
from lineside.bridges.plc import Controls, Display, Effect, FaultCode, LoadRecipe, Result, RunSelfTest, StationView
from lineside.bridges.seen_parts import SeenParts
from lineside.bridges.state_file import OwedPart, StateFile
from lineside.client import Outcome, Reason, StationClient
from lineside.core.errors import ConfigError, LinesideError, StationFault
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["StationSide", "StationSideOptions", "open_station_side"]

_log = structlog.get_logger(__name__)

_LOOK_S = 0.25
"""How often the station's status is asked for; the stream tells of a lost connection at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StationSideOptions:
    """`reader` names this bridge at the station: no two bridges of a station may share it."""

    station: str
    reader: str
    accept_timeout_s: float = 1.0
    """How long the station may take to accept a trigger. Later than that the part is somewhere else."""


class Parts(Protocol):
    """Where a bridge's parts come from, and what becomes of them."""

    @property
    def connected(self) -> bool:
        """Whether the verdict stream lives."""
        ...

    @property
    def unreported(self) -> int:
        """Missed parts that the station could not yet be told of."""
        ...

    def work(self) -> tuple[Coroutine[Any, Any, object], ...]:
        """Called once, at the start: what is to run for as long as the bridge does."""
        ...

    async def carry_out(self, effect: Effect) -> None:
        """Called for every effect of the handshake that is about parts."""
        ...

    async def report(self) -> None:
        """Called when the station is there: tells it of missed parts that it does not know yet."""
        ...


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
        self._client, self._options, self._numbering = client, options, numbering
        self.boot_id = time.time_ns() // 1_000_000 & 0xFFFF_FFFF or 1
        owed = state.state.owed if handshake.plc_triggers else ()
        for part in owed:
            _log.warning("owed from before a restart", acquisition_id=part.acquisition_id, part_id=part.part_id)
        self._handshake = Handshake(
            boot_id=self.boot_id,
            last_acquisition_id=state.state.last_acquisition_id,
            restored=[_no_longer_fresh(part) for part in owed],
            options=handshake,
            now_ns=time.monotonic_ns(),
        )
        self._parts: Parts
        if handshake.plc_triggers:
            self._parts = AskedParts(
                client,
                self._handshake,
                self._tell,
                reader=options.reader,
                boot_id=self.boot_id,
                numbering=numbering,
                state=state,
            )
        else:
            self._parts = SeenParts(client, self._handshake, self._tell, numbering=numbering)
        self._heartbeat_s = handshake.heartbeat_ns / 1e9
        self._tasks: set[asyncio.Task[object]] = set()
        self._status: pb.GetStationStatusResponse | None = None
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
        return self._parts.unreported

    # Its life.

    def start(self) -> None:
        """Begins to follow the station."""
        for work in (*self._parts.work(), self._watch(), self._beat()):
            self._run(work)

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

    def _tell(self, step: Callable[[int], list[Effect]]) -> None:
        self._carry_out(step(time.monotonic_ns()))

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case LoadRecipe(recipe_number=number):
                    self._run(self._load_recipe(number))
                case RunSelfTest():
                    self._run(self._self_test())
                case _:
                    self._run(self._parts.carry_out(effect))

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

    # How the station is.

    async def _watch(self) -> None:
        while True:
            with suppress(StationFault):
                await self._look()
                await self._parts.report()
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
        status, view = self._status, StationView()
        if status is not None and self._parts.connected:
            view = StationView(
                connected=True,
                ready=status.ready,
                paused=status.paused,
                recipe_number=self._numbering.recipe_number(status.recipe.id),
                config_fingerprint=_first_32_bits(status.config_fingerprint),
            )
        self._tell(lambda now_ns: self._handshake.station(view, now_ns))

    async def _beat(self) -> None:
        """The clock of the handshake, where no PLC reads."""
        while True:
            self._show_station()
            self._tell(self._handshake.tick)
            await asyncio.sleep(min(self._heartbeat_s, _LOOK_S) / 2)


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
