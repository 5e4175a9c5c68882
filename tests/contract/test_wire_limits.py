"""What the server has in hand is bounded over all clients: one call or image too many is refused at once."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from waiting import until

from lineside.client import StationClient
from lineside.core.errors import InvalidRequest, TooMany
from lineside.serve import InspectionServer, ServeOptions
from lineside.serve.image_requests import ImageRequests
from lineside.testing import FakeStation
from lineside.wire.v1 import inspection_pb2 as pb

LONG_S = 20.0


@asynccontextmanager
async def serving(station: FakeStation, **options: Any) -> AsyncIterator[str]:
    server = InspectionServer(station, station, station, ServeOptions(tcp="127.0.0.1:0", **options))
    await server.start()
    try:
        yield server.addresses[0]
    finally:
        await server.stop(grace_s=0.2)


async def test_watchers_of_health_are_bounded_too() -> None:
    async with serving(FakeStation(), max_calls=2) as address, grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watchers = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(4)]
        for watcher in watchers:
            assert (await watcher.read()).status == health_pb2.HealthCheckResponse.SERVING
        one_too_many = health.Watch(health_pb2.HealthCheckRequest())
        with pytest.raises(grpc.aio.AioRpcError, match="RESOURCE_EXHAUSTED"):
            await one_too_many.read()
        for watcher in watchers:
            watcher.cancel()


def image(side_px: int, **raw: Any) -> pb.Image:
    data = bytes(side_px * side_px)
    fields: dict[str, Any] = {"data": data, "width_px": side_px, "height_px": side_px} | raw
    pixels = pb.RawPixels(**fields)
    return pb.Image(raw=pixels, pixel_format=pb.PIXEL_FORMAT_MONO8)


async def test_a_call_too_many_is_refused_at_once_whichever_connection_it_comes_by_and_room_comes_back() -> None:
    station = FakeStation()
    station.hold()
    async with serving(station, max_calls=3) as address, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(StationClient(address)) for _ in range(4)]
        waiting = [asyncio.create_task(client.trigger(f"P-{n}", wait=True)) for n, client in enumerate(clients[:3])]
        await until(lambda: station.status().counters.triggers == 3)

        with pytest.raises(TooMany, match="3 calls are in progress; expected at most 3"):
            await clients[3].status()
        with pytest.raises(TooMany):
            async for _ in clients[3].push_frames(one_frame()):
                raise AssertionError("an answer to a call that was refused")

        station.release()
        assert [1, 2, 3] == sorted(answer.trigger_number for answer in await asyncio.gather(*waiting))
        assert 3 == (await clients[3].status()).last_sequence


async def one_frame() -> AsyncIterator[pb.PushFramesRequest]:
    yield pb.PushFramesRequest(frame_id=1, images=[image(10)])


async def test_images_beyond_the_bytes_in_hand_are_refused_and_taken_again_once_there_is_room() -> None:
    station = FakeStation()
    station.hold()
    async with serving(station, max_image_bytes=1200) as address, StationClient(address) as client:
        pushed = asyncio.create_task(anext(client.push_frames(one_large_frame())))
        await until(lambda: station.status().counters.triggers == 1)

        with pytest.raises(TooMany, match=r"bytes of images while \d+ are being judged; expected at most 1200"):
            await client.inspect([image(30)])
        assert pb.OUTCOME_PASS == (await client.inspect([image(10)])).outcome

        station.release()
        assert not (await pushed).error
        assert pb.OUTCOME_PASS == (await client.inspect([image(30)])).outcome
        assert pb.OUTCOME_PASS == (await client.inspect([image(60)])).outcome, "one alone is taken, whatever its size"


async def one_large_frame() -> AsyncIterator[pb.PushFramesRequest]:
    yield pb.PushFramesRequest(frame_id=1, images=[image(30)])


async def test_an_image_is_checked_beside_the_event_loop() -> None:
    """A task on the loop that never waits is done when the loop comes round; one that waits for a thread is not."""
    request = pb.InspectImageRequest(images=[image(3000, crc32=zlib.crc32(bytes(9_000_000)))])

    async def check() -> int:
        async with ImageRequests(max_bytes=10**9).admitted(request) as images:
            return len(images[0].data)

    checking = asyncio.create_task(check())
    await asyncio.sleep(0)
    assert not checking.done()
    assert 9_000_000 == await checking


async def test_a_large_damaged_image_is_refused_and_no_longer_counts() -> None:
    requests = ImageRequests(max_bytes=10_000_000)
    damaged = pb.InspectImageRequest(images=[image(3000, crc32=1)])
    for _ in range(3):
        with pytest.raises(InvalidRequest, match="CRC-32"):
            async with requests.admitted(damaged):
                raise AssertionError("admitted")
