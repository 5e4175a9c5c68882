"""The verdict stream as a client sees it: each sequence number once, in order, across lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from types import AsyncGeneratorType, TracebackType
from typing import Self, cast

import grpc
import structlog

from lineside.client.errors import error_of
from lineside.core.errors import LinesideError, OutOfRange, Stalled, StationFault, TooMany
from lineside.wire.v1 import inspection_pb2 as pb
from lineside.wire.v1.inspection_pb2_grpc import InspectionStub

__all__ = ["VerdictReader"]

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 0.25
_ACKNOWLEDGE_S = 1.0
_MISSED_HEARTBEATS = 3
_LEAST_PATIENCE_S = 1.5
_PASSING = (StationFault, Stalled, TooMany)
"""What may be over when asked again; every other error stays as it is."""

Stream = grpc.aio.UnaryStreamCall[pb.StreamVerdictsRequest, pb.StreamVerdictsResponse]


class VerdictReader:
    """Reads the stream for as long as it is iterated; made by `StationClient.verdicts`.

    Use it as an async context manager around `async for`: leaving it acknowledges what was handled. Where the station
    is gone, hangs or stops, it tries again, several times a second, and goes on after the last verdict it gave
    out. It ends with an error only where that is no use: a wrong request, another journal, a reader name taken over.
    """

    def __init__(
        self,
        stub: InspectionStub,
        address: str,
        start: pb.StreamVerdictsRequest,
        *,
        acknowledge: bool,
    ) -> None:
        self._stub = stub
        self._address = address
        self._start = start
        self._reader = start.reader
        self._acknowledges = acknowledge and bool(self._reader)
        self._patience_s = max(_MISSED_HEARTBEATS * start.heartbeat_ms / 1000, _LEAST_PATIENCE_S)
        self._position: int | None = start.after_sequence if start.WhichOneof("from") == "after_sequence" else None
        self._handled = 0
        self._acknowledged = 0
        self._handled_more = asyncio.Event()
        self._refused: LinesideError | None = None
        self._verdicts: AsyncGeneratorType[pb.Verdict, None] | None = None
        self._call: Stream | None = None
        self._closing = False
        self._ended = asyncio.Event()
        self._acknowledging: asyncio.Task[None] | None = None
        self.connected = False
        """Whether the stream lives at this moment, as far as heartbeats tell."""
        self.connections = 0
        """How often the stream was begun; more than one means that the connection was lost."""
        self.last_sequence = 0
        """The newest verdict in the station's journal when it last sent something."""
        self.boot_id = ""
        self.sent_utc_ns = 0
        """When the station sent what it sent last, by its own clock."""
        self.late = False
        """Whether the verdict given out last came too late for the line: then it means reject, PASS too."""
        self.gaps: list[pb.Gap] = []
        """Verdicts that were asked for and are no longer kept."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncGenerator[pb.Verdict, None]:
        if self._verdicts is None:
            self._verdicts = cast(AsyncGeneratorType[pb.Verdict, None], self._read())
        return self._verdicts

    async def aclose(self) -> None:
        """Ends the stream and, with automatic acknowledgement, acknowledges the last verdict handled.

        Where another task waits for the next verdict, its iteration ends as if there were no more.
        """
        self._closing = True
        if self._verdicts is not None and self._verdicts.ag_running:
            if self._call is not None:
                self._call.cancel()
            await self._ended.wait()
        elif self._verdicts is not None:
            await self._verdicts.aclose()
        if self._acknowledging is not None:
            self._acknowledging.cancel()
            await asyncio.gather(self._acknowledging, return_exceptions=True)
            self._acknowledging = None
            await self._acknowledge_handled()

    def handled(self, sequence: int) -> None:
        """All up to `sequence` is handled and may be acknowledged: call it for the last one before leaving early."""
        self._handled = max(self._handled, sequence)
        self._handled_more.set()

    async def _read(self) -> AsyncGenerator[pb.Verdict, None]:
        pause_s, told = _FIRST_PAUSE_S, -1
        if self._acknowledges:
            self._acknowledging = asyncio.create_task(self._keep_acknowledging(), name="acknowledge")
        try:
            while not self._closing:
                try:
                    async with aclosing(self._messages()) as messages:
                        async for message in messages:
                            pause_s = _FIRST_PAUSE_S
                            for verdict in self._new(message):
                                yield verdict
                                self.handled(verdict.sequence)  # asked for the next
                except _PASSING as error:
                    if told != self.connections:  # once per loss, not once per attempt
                        log.warning("verdict stream lost", station=self._address, after=self._position, why=str(error))
                        told = self.connections
                if not self._closing:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        finally:
            self._ended.set()

    async def _messages(self) -> AsyncGenerator[pb.StreamVerdictsResponse, None]:
        """One call's messages. Raises: the call's error, or StationFault when heartbeats stay away."""
        call: Stream = self._stub.StreamVerdicts(self._request(), wait_for_ready=True)
        self._call = call
        try:
            while True:
                async with asyncio.timeout(self._patience_s):
                    message = await call.read()
                if not isinstance(message, pb.StreamVerdictsResponse):
                    raise StationFault(f"the station at {self._address} ended the stream")
                if not self.connected:
                    self.connected = True
                    self.connections += 1
                self._note(message)
                yield message
        except TimeoutError as error:
            raise StationFault(f"no heartbeat from {self._address} for {self._patience_s:g} s") from error
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._address) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._closing or (task is not None and task.cancelling()):
                raise
            return  # only the call was cancelled, by `aclose`
        finally:
            self.connected = False
            call.cancel()

    def _request(self) -> pb.StreamVerdictsRequest:
        request = pb.StreamVerdictsRequest()
        request.CopyFrom(self._start)
        if self._position is not None and not self._reader:
            request.after_sequence = self._position
        return request

    def _note(self, message: pb.StreamVerdictsResponse) -> None:
        """Raises: OutOfRange when this is not the journal read until now; the error that refused an acknowledgement."""
        if self._refused is not None:
            raise self._refused
        if self._position is not None and message.last_sequence < self._position:
            raise OutOfRange(
                f"the station's journal ends at {message.last_sequence}, sequence {self._position} was read already",
                expected="the journal that was read until now",
                remedy="if it was begun anew, begin the reader anew too",
            )
        self.last_sequence = message.last_sequence
        self.boot_id = message.boot_id
        self.sent_utc_ns = message.sent_utc_ns
        if message.HasField("gap"):
            log.warning("verdicts are no longer kept", first=message.gap.first_sequence, last=message.gap.last_sequence)
            self.gaps.append(message.gap)
        if self._position is None and self._start.live_only:
            self._position = message.last_sequence  # the first message of a live stream has no verdicts

    def _new(self, message: pb.StreamVerdictsResponse) -> Iterator[pb.Verdict]:
        """The verdicts not given out before, one by one. Raises: as `_is_new`."""
        late = frozenset(message.late_sequences)
        for verdict in message.verdicts:
            if self._is_new(verdict.sequence, message):
                self.late = verdict.sequence in late
                yield verdict

    def _is_new(self, sequence: int, message: pb.StreamVerdictsResponse) -> bool:
        """False for one that was given out before the connection was lost.

        Raises, for one skipped: OutOfRange where the station keeps the cursor and would skip it again, else
        StationFault.
        """
        if self._position is not None:
            if sequence <= self._position:
                return False
            told = message.gap.last_sequence if message.HasField("gap") else 0
            if sequence != max(self._position, told) + 1:
                skipped = f"the stream went from sequence {self._position} to {sequence} without a word"
                if self._reader:
                    raise OutOfRange(
                        skipped,
                        expected=f"a cursor of reader {self._reader!r} that only this program moves",
                        remedy="give each program a reader name of its own",
                    )
                raise StationFault(skipped)
        self._position = sequence
        return True

    async def _keep_acknowledging(self) -> None:
        """Acknowledges what was handled, one call at a time: under load each call covers many verdicts."""
        while True:
            await self._handled_more.wait()
            self._handled_more.clear()
            if not await self._acknowledge_handled():
                if self._refused is not None:
                    return  # the stream ends with it
                await asyncio.sleep(_FIRST_PAUSE_S)
                self._handled_more.set()

    async def _acknowledge_handled(self) -> bool:
        """False when the station could not be told; what is lost here comes again to the next reader of that name."""
        sequence = self._handled
        if sequence <= self._acknowledged:
            return True
        request = pb.AcknowledgeVerdictsRequest(
            station_id=self._start.station_id, reader=self._reader, sequence=sequence
        )
        try:
            await self._stub.AcknowledgeVerdicts(request, timeout=_ACKNOWLEDGE_S)
        except grpc.aio.AioRpcError as failure:
            error: LinesideError = error_of(failure, self._address)
            log.warning("acknowledgement failed", reader=self._reader, sequence=sequence, why=str(error))
            if not isinstance(error, _PASSING):
                self._refused = error
            return False
        self._acknowledged = sequence
        return True
