"""The verdict stream: each reader pulls from the feed at its own pace, so that a slow one delays nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from lineside.core.errors import InvalidRequest, OutOfRange, Stalled
from lineside.core.ports import JournalReader, VerdictFeed
from lineside.core.record import VerdictRecord
from lineside.serve.arguments import reader_name
from lineside.serve.options import ServeOptions
from lineside.serve.readers import Reader, Readers
from lineside.wire.splice import spliced
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["VerdictStream"]

_MAX_RECORDS = 1000
_HEARTBEAT_MS = range(50, 60_001)
_WINDOW = range(1, 100_001)


class VerdictStream:
    """Serves StreamVerdicts for one station."""

    def __init__(
        self, feed: VerdictFeed, journal: JournalReader, readers: Readers, options: ServeOptions, *, boot_id: str
    ) -> None:
        self._feed = feed
        self._journal = journal
        self._readers = readers
        self._options = options
        self._boot_id = boot_id

    async def follow(self, request: pb.StreamVerdictsRequest, peer: str) -> AsyncGenerator[bytes, None]:
        """Serialised StreamVerdictsResponse messages, the first at once, then for as long as the call lives.

        Raises: InvalidRequest, OutOfRange, TooMany, TakenOver, Stalled, and StationFault when the station stops.
        """
        heartbeat_s = _within(request.heartbeat_ms or self._options.heartbeat_ms, _HEARTBEAT_MS, "heartbeat_ms") / 1000
        window = _within(request.max_unacknowledged or self._options.max_unacknowledged, _WINDOW, "max_unacknowledged")
        start = await self._start(request)
        reader = Reader(
            name=request.reader,
            peer=peer,
            sent_sequence=start,
            acknowledged_sequence=start if request.reader else 0,
            window=window,
        )
        self._readers.admit(reader)
        try:
            yield self._message((), None)
            while True:
                yield await self._next(reader, heartbeat_s)
        finally:
            self._readers.leave(reader)

    async def _start(self, request: pb.StreamVerdictsRequest) -> int:
        match request.WhichOneof("from"):
            case "live_only":
                return self._feed.last_sequence
            case "reader":
                start = await self._journal.cursor(reader_name(request.reader))
            case "after_sequence":
                start = request.after_sequence
            case _:
                raise InvalidRequest(
                    "the request does not say from where to stream",
                    expected="after_sequence, reader or live_only",
                    remedy="set after_sequence = 0 for all there are",
                )
        if start < 0:
            raise InvalidRequest(f"after_sequence {start}", expected="0 or more")
        if start > self._feed.last_sequence:
            raise OutOfRange(
                f"the reader has handled sequence {start}, the journal ends at {self._feed.last_sequence}",
                expected="a reader of this journal",
                remedy="if the journal was begun anew, begin the reader anew too: after_sequence = 0",
            )
        return start

    async def _next(self, reader: Reader, heartbeat_s: float) -> bytes:
        """The next message: verdicts as soon as there are any, a heartbeat when there are none for so long."""
        heartbeat_mono_s = time.monotonic() + heartbeat_s
        while True:
            if reader.ended is not None and not reader.connected:
                raise reader.ended()  # taken over: the rest belongs to the newer call
            message = await self._news(reader)
            if message is not None:
                return message
            with reader:
                waited = await self._wait(reader, heartbeat_mono_s - time.monotonic())
            if not waited:
                return self._message((), None)

    async def _news(self, reader: Reader) -> bytes | None:
        """The verdicts that this reader may have now, and the gap before them if some are no longer kept."""
        room = min(reader.room, _MAX_RECORDS)
        if room <= 0:
            return None
        records = await self._feed.read(
            reader.sent_sequence, max_records=room, max_bytes=self._options.max_stream_message_bytes
        )
        first = records[0].sequence if records else self._feed.first_sequence
        gap = None
        if first > reader.sent_sequence + 1:
            gap = pb.Gap(
                first_sequence=reader.sent_sequence + 1,
                last_sequence=first - 1,
                why="the journal keeps these verdicts no longer",
            )
            reader.sent_sequence = reader.gap_end = first - 1
        if records:
            reader.sent_sequence = records[-1].sequence
        return self._message(records, gap) if records or gap else None

    async def _wait(self, reader: Reader, timeout_s: float) -> bool:
        """Waits for a verdict or, where the window is full, for an acknowledgement. False when the time is over."""
        if timeout_s <= 0:
            return False
        if reader.room > 0:
            return await self._feed.wait_beyond(reader.sent_sequence, timeout_s)
        silent_s = time.monotonic() - reader.acknowledged_mono_s
        if silent_s > self._options.stalled_after_s and self._feed.last_sequence > reader.sent_sequence:
            raise Stalled(
                f"reader {reader.name!r} acknowledged nothing for {silent_s:.1f} s, "
                f"{reader.sent_sequence - reader.acknowledged_sequence} verdicts unacknowledged",
                expected=f"an acknowledgement within {self._options.stalled_after_s:g} s while {reader.window} wait",
                remedy="acknowledge what was handled, then call again",
            )
        try:
            async with asyncio.timeout(timeout_s):
                await reader.acknowledgement()
        except TimeoutError:
            return False
        return True

    def _message(self, records: Sequence[VerdictRecord], gap: pb.Gap | None) -> bytes:
        now_mono_ns = time.monotonic_ns()
        rest = pb.StreamVerdictsResponse(
            last_sequence=self._feed.last_sequence,
            boot_id=self._boot_id,
            gap=gap,
            sent_utc_ns=time.time_ns(),
            late_sequences=[record.sequence for record in records if record.is_late(now_mono_ns)],
        )
        field_number = pb.StreamVerdictsResponse.VERDICTS_FIELD_NUMBER
        return b"".join((*(spliced(field_number, record.payload) for record in records), rest.SerializeToString()))


def _within(value: int, allowed: range, name: str) -> int:
    if value not in allowed:
        raise InvalidRequest(f"{name} {value}", expected=f"{allowed.start} to {allowed.stop - 1}, or 0 for the default")
    return value
