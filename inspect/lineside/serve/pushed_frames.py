"""Frames of remote cameras: each becomes a trigger and gets its verdict back on the same call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from lineside.core.errors import LinesideError
from lineside.core.ports import StationControl
from lineside.serve import arguments
from lineside.serve.image_requests import ImageRequests
from lineside.wire.splice import spliced
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["PushedFrames"]


class PushedFrames:
    """Serves PushFrames for one station: at most `max_in_flight` frames per call are being judged at once.

    While they are, the call is not read; HTTP/2 flow control then holds the camera back.
    """

    def __init__(
        self,
        control: StationControl,
        image_requests: ImageRequests,
        check_station: Callable[[str], None],
        *,
        max_in_flight: int,
    ) -> None:
        self._control = control
        self._image_requests = image_requests
        self._check_station = check_station
        self._max_in_flight = max_in_flight
        self._stopping: asyncio.Future[None] | None = None
        self._stop_error: Callable[[], LinesideError] | None = None

    def stop(self, error: Callable[[], LinesideError]) -> None:
        """Ends every call with an `error`, once the frames in flight have their verdicts."""
        self._stop_error = error
        if self._stopping is not None and not self._stopping.done():
            self._stopping.set_result(None)

    async def converse(self, requests: AsyncIterator[pb.PushFramesRequest]) -> AsyncGenerator[bytes, None]:
        """One answer per frame, as soon as it is known. A refused frame is answered with `error`; the call goes on."""
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_future()
        in_flight: set[asyncio.Task[bytes]] = set()
        reading = _next(requests)
        more = True
        try:
            while True:
                reads = more and len(in_flight) < self._max_in_flight and self._stop_error is None
                if not reads and not in_flight:
                    break
                waited: list[asyncio.Future[Any]] = [*in_flight]
                if reads:
                    waited += [reading, self._stopping]
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                for answered in [task for task in in_flight if task.done()]:
                    in_flight.discard(answered)
                    yield answered.result()
                if reads and reading.done():
                    request = reading.result()
                    if request is None:
                        more = False
                    else:
                        in_flight.add(asyncio.create_task(self._answer(request)))
                        reading = _next(requests)
            if self._stop_error is not None:
                raise self._stop_error()
        finally:
            for task in (reading, *in_flight):
                task.cancel()
            await asyncio.gather(reading, *in_flight, return_exceptions=True)

    async def _answer(self, request: pb.PushFramesRequest) -> bytes:
        try:
            self._check_station(request.station_id)
            async with self._image_requests.admitted(request) as images:
                record = await self._control.push(
                    images,
                    part_id=arguments.part_id(request.part_id),
                    encoder_count=arguments.encoder_count(request),
                    due_ms=arguments.due_ms(request),
                    captured_utc_ns=arguments.not_negative(request.captured_utc_ns, "captured_utc_ns"),
                    frame_id=request.frame_id,
                )
        except LinesideError as error:
            return pb.PushFramesResponse(frame_id=request.frame_id, error=str(error)).SerializeToString()
        response = pb.PushFramesResponse(frame_id=request.frame_id, late=record.is_late(time.monotonic_ns()))
        return response.SerializeToString() + spliced(response.VERDICT_FIELD_NUMBER, record.payload)


def _next(requests: AsyncIterator[pb.PushFramesRequest]) -> asyncio.Task[pb.PushFramesRequest | None]:
    async def read() -> pb.PushFramesRequest | None:
        return await anext(requests, None)

    return asyncio.create_task(read())
