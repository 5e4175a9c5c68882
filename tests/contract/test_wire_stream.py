"""What the verdict stream promises a reader, over a real socket, by the generated stub alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation
from lineside.wire.v1 import inspection_pb2 as pb
from lineside.wire.v1.inspection_pb2_grpc import InspectionStub

ANY_PORT = "127.0.0.1:0"


@asynccontextmanager
async def serving(station: FakeStation, **options: Any) -> AsyncIterator[tuple[InspectionServer, Any]]:
    server = InspectionServer(station, station, station, ServeOptions(tcp=ANY_PORT, **options))
    await server.start()
    try:
        async with grpc.aio.insecure_channel(server.addresses[0]) as channel:
            yield server, InspectionStub(channel)
    finally:
        await server.stop(grace_s=0.2)


@asynccontextmanager
async def a_connection_of_its_own(server: InspectionServer) -> AsyncIterator[Any]:
    """As another process has it: channels of one process to one address share a connection, and its flow control."""
    alone = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(server.addresses[0], options=alone) as channel:
        yield InspectionStub(channel)


async def sequences(call: Any, count: int) -> list[int]:
    """The next `count` sequence numbers, however they are spread over messages."""
    seen: list[int] = []
    while len(seen) < count:
        message = await call.read()
        seen += [verdict.sequence for verdict in message.verdicts]
    return seen


async def status_and_message(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a stream ends, heartbeats and verdicts aside."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        while True:
            assert await call.read() is not grpc.aio.EOF
    return failure.value.code(), failure.value.details() or ""


async def test_a_reader_gets_the_missed_verdicts_and_then_live_ones_in_order() -> None:
    station = FakeStation()
    station.add_verdicts(30)
    async with serving(station) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=10))
        missed = await sequences(call, 20)
        station.add_verdicts(5)

        assert missed + await sequences(call, 5) == list(range(11, 36))
        call.cancel()


async def test_what_the_stream_delivers_is_the_journalled_verdict_byte_for_byte() -> None:
    station = FakeStation()
    station.add_verdicts(1, part_prefix="bad")
    async with serving(station) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=0))
        await call.read()
        [told] = (await call.read()).verdicts

        record = await station.get(sequence=1)
        assert told.SerializeToString(deterministic=True) == record.payload
        call.cancel()


async def test_a_reader_that_is_behind_gets_several_verdicts_in_one_message_of_bounded_size() -> None:
    station = FakeStation()
    station.add_verdicts(900)
    async with serving(station, max_stream_message_bytes=64 * 1024) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=0))
        first = await call.read()
        sizes = []
        received = 0
        while received < 900:
            message = await call.read()
            sizes.append(message.ByteSize())
            received += len(message.verdicts)

        assert (len(first.verdicts), first.last_sequence) == (0, 900)
        assert len(sizes) < 30
        assert max(sizes) < 66 * 1024
        call.cancel()


async def test_an_idle_stream_says_at_once_and_then_regularly_that_it_lives() -> None:
    async with serving(FakeStation()) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(live_only=True, heartbeat_ms=50))
        beats = [await call.read() for _ in range(3)]

        assert [(0, 0), (0, 0), (0, 0)] == [(len(beat.verdicts), beat.last_sequence) for beat in beats]
        assert beats[0].sent_utc_ns < beats[1].sent_utc_ns < beats[2].sent_utc_ns
        assert all(beat.boot_id for beat in beats)
        call.cancel()


async def test_a_live_reader_gets_nothing_old() -> None:
    station = FakeStation()
    station.add_verdicts(7)
    async with serving(station) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(live_only=True))
        await call.read()
        station.add_verdicts(2)

        assert await sequences(call, 2) == [8, 9]
        call.cancel()


async def test_a_named_reader_comes_back_to_where_it_acknowledged() -> None:
    station = FakeStation()
    station.add_verdicts(10)
    async with serving(station) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(reader="plc-1"))
        await sequences(call, 10)
        call.cancel()
        await stub.AcknowledgeVerdicts(pb.AcknowledgeVerdictsRequest(reader="plc-1", sequence=6))
        again = stub.StreamVerdicts(pb.StreamVerdictsRequest(reader="plc-1"))

        assert await sequences(again, 4) == [7, 8, 9, 10]
        again.cancel()


async def test_verdicts_no_longer_kept_are_reported_as_a_gap_with_both_ends() -> None:
    station = FakeStation()
    station.add_verdicts(20)
    station.forget_before(13)
    async with serving(station) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=4))
        await call.read()
        message = await call.read()

        assert (message.gap.first_sequence, message.gap.last_sequence) == (5, 12)
        assert [verdict.sequence for verdict in message.verdicts] == list(range(13, 21))
        call.cancel()


async def test_a_journal_with_nothing_left_reports_the_gap_all_the_same() -> None:
    station = FakeStation()
    station.add_verdicts(20)
    station.forget_before(21)
    async with serving(station) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=4))
        await call.read()
        message = await call.read()
        station.add_verdicts(1)

        assert (message.gap.first_sequence, message.gap.last_sequence) == (5, 20)
        assert await sequences(call, 1) == [21]
        call.cancel()


async def test_a_named_reader_is_not_sent_more_than_its_window_until_it_acknowledges() -> None:
    station = FakeStation()
    station.add_verdicts(50)
    async with serving(station) as (_, stub):
        request = pb.StreamVerdictsRequest(reader="plc-1", max_unacknowledged=8, heartbeat_ms=50)
        call = stub.StreamVerdicts(request)
        first = await sequences(call, 8)
        quiet = [len((await call.read()).verdicts) for _ in range(3)]
        await stub.AcknowledgeVerdicts(pb.AcknowledgeVerdictsRequest(reader="plc-1", sequence=5))

        assert (first, quiet) == (list(range(1, 9)), [0, 0, 0])
        assert await sequences(call, 5) == [9, 10, 11, 12, 13]
        call.cancel()


async def test_a_gap_larger_than_the_window_does_not_close_the_window() -> None:
    station = FakeStation()
    station.add_verdicts(100)
    station.forget_before(91)
    async with serving(station) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(reader="plc-1", max_unacknowledged=10))

        assert await sequences(call, 10) == list(range(91, 101))
        call.cancel()


async def test_a_named_reader_that_never_acknowledges_is_cut_off_with_the_reason() -> None:
    station = FakeStation()
    station.add_verdicts(50)
    async with serving(station, stalled_after_s=0.2) as (_, stub):
        request = pb.StreamVerdictsRequest(reader="plc-1", max_unacknowledged=8, heartbeat_ms=50)
        status, message = await status_and_message(stub.StreamVerdicts(request))

        assert status is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "acknowledged nothing" in message


async def test_a_reader_that_takes_nothing_is_cut_off_and_leaves_the_others_alone() -> None:
    station = FakeStation()
    async with serving(station, stalled_after_s=0.3) as (server, stub), a_connection_of_its_own(server) as other:
        stalled = other.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=0))
        await stalled.read()  # and never again
        lively = stub.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=0))
        station.add_verdicts(500)
        received = len(await sequences(lively, 500))  # now both are known to the server
        async with asyncio.timeout(60):
            while len((await stub.GetStationStatus(pb.GetStationStatusRequest())).readers) > 1:
                station.add_verdicts(500)
                received += len(await sequences(lively, 500))

            assert received == station.last_sequence
            status, message = await status_and_message(stalled)
        assert status is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "took no message" in message
        lively.cancel()


async def test_a_second_call_under_a_readers_name_takes_over_and_the_first_is_told() -> None:
    station = FakeStation()
    station.add_verdicts(3)
    async with serving(station) as (_, stub):
        old = stub.StreamVerdicts(pb.StreamVerdictsRequest(reader="plc-1"))
        await sequences(old, 3)
        new = stub.StreamVerdicts(pb.StreamVerdictsRequest(reader="plc-1"))
        status, message = await status_and_message(old)

        assert status is grpc.StatusCode.ABORTED
        assert "taken over" in message
        assert await sequences(new, 3) == [1, 2, 3]
        readers = (await stub.GetStationStatus(pb.GetStationStatusRequest())).readers
        assert [("plc-1", True)] == [(reader.reader, reader.connected) for reader in readers]
        new.cancel()


async def test_a_reader_ahead_of_the_journal_is_told_so_and_not_left_waiting() -> None:
    station = FakeStation()
    station.add_verdicts(3)
    async with serving(station) as (_, stub):
        status, message = await status_and_message(stub.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=4)))

        assert status is grpc.StatusCode.OUT_OF_RANGE
        assert "the journal ends at 3" in message


async def test_readers_beyond_the_limit_are_refused_but_a_reader_may_replace_itself() -> None:
    async with serving(FakeStation(), max_readers=2) as (_, stub):
        named = stub.StreamVerdicts(pb.StreamVerdictsRequest(reader="plc-1"))
        unnamed = stub.StreamVerdicts(pb.StreamVerdictsRequest(live_only=True))
        await asyncio.gather(named.read(), unnamed.read())
        status, _ = await status_and_message(stub.StreamVerdicts(pb.StreamVerdictsRequest(live_only=True)))
        renewed = stub.StreamVerdicts(pb.StreamVerdictsRequest(reader="plc-1"))

        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await renewed.read()).boot_id
        for call in (unnamed, renewed):
            call.cancel()


async def test_the_status_shows_each_reader_and_how_far_behind_it_is() -> None:
    station = FakeStation()
    station.add_verdicts(9)
    async with serving(station) as (_, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(reader="plc-1"))
        await sequences(call, 9)
        await stub.AcknowledgeVerdicts(pb.AcknowledgeVerdictsRequest(reader="plc-1", sequence=7))
        [reader] = (await stub.GetStationStatus(pb.GetStationStatusRequest())).readers

        assert (reader.reader, reader.sent_sequence, reader.acknowledged_sequence, reader.lag) == ("plc-1", 9, 7, 2)
        assert reader.peer.startswith("ipv4:127.0.0.1:")
        call.cancel()


async def test_a_cursor_moves_forward_only_and_never_beyond_the_journal() -> None:
    station = FakeStation()
    station.add_verdicts(9)
    async with serving(station) as (_, stub):
        acknowledge = stub.AcknowledgeVerdicts
        cursor = (await acknowledge(pb.AcknowledgeVerdictsRequest(reader="plc-1", sequence=7))).sequence
        with pytest.raises(grpc.aio.AioRpcError) as backward:
            await acknowledge(pb.AcknowledgeVerdictsRequest(reader="plc-1", sequence=6))
        with pytest.raises(grpc.aio.AioRpcError) as ahead:
            await acknowledge(pb.AcknowledgeVerdictsRequest(reader="plc-1", sequence=10))

        assert cursor == 7
        assert backward.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert ahead.value.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_a_station_that_stops_sends_readers_what_there_is_and_says_why_it_ends() -> None:
    station = FakeStation()
    async with serving(station) as (server, stub):
        call = stub.StreamVerdicts(pb.StreamVerdictsRequest(after_sequence=0))
        await call.read()
        station.add_verdicts(2_000)
        stopping = asyncio.create_task(server.stop(grace_s=5.0))
        seen = await sequences(call, 2_000)
        status, message = await status_and_message(call)
        await stopping

        assert seen == list(range(1, 2_001))
        assert (status, "stops" in message) == (grpc.StatusCode.UNAVAILABLE, True)
