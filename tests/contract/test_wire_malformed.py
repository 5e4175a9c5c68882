"""Two hundred wrong requests: a clear status each, and the server is as before."""

from __future__ import annotations

import gc
import random
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import psutil
import pytest

from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation
from lineside.wire.v1 import inspection_pb2 as pb
from lineside.wire.v1.inspection_pb2_grpc import InspectionStub

OUR_FAULT = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}
MAX_MESSAGE_BYTES = 1024 * 1024
SERVICE = pb.DESCRIPTOR.services_by_name["Inspection"]
PIXELS = bytes(range(12))
GOOD = {"data": PIXELS, "width_px": 4, "height_px": 3}
MONO8 = pb.PIXEL_FORMAT_MONO8


def image(pixel_format: int = MONO8, view: str = "", **raw: Any) -> pb.Image:
    return pb.Image(raw=pb.RawPixels(**(GOOD | raw)), pixel_format=pixel_format, view=view)  # type: ignore[arg-type]


WRONG_IMAGES: dict[str, list[pb.Image]] = {
    "no image": [],
    "empty image": [pb.Image()],
    "no content": [pb.Image(pixel_format=MONO8)],
    "empty file": [pb.Image(encoded=b"", pixel_format=MONO8)],
    "text file": [pb.Image(encoded=b"hello", pixel_format=MONO8)],
    "no pixel format": [image(pixel_format=0)],
    "unknown pixel format": [image(pixel_format=99)],
    "negative pixel format": [image(pixel_format=-1)],
    "another pixel format": [image(pixel_format=pb.PIXEL_FORMAT_RGB8)],
    "16 bits in 8": [image(pixel_format=pb.PIXEL_FORMAT_MONO16)],
    "zero width": [image(width_px=0)],
    "zero height": [image(height_px=0)],
    "negative width": [image(width_px=-4)],
    "negative both": [image(width_px=-4, height_px=-3)],
    "huge": [image(width_px=2**31 - 1, height_px=2**31 - 1)],
    "wide": [image(width_px=70_000, height_px=1)],
    "one byte short": [image(data=PIXELS[:-1])],
    "one byte long": [image(data=PIXELS + b"\0")],
    "no bytes": [image(data=b"")],
    "stride below row": [image(stride_bytes=3)],
    "negative stride": [image(stride_bytes=-4)],
    "stride beyond data": [image(stride_bytes=64)],
    "odd stride of 16 bits": [image(pixel_format=pb.PIXEL_FORMAT_MONO16, data=bytes(27), stride_bytes=9)],
    "wrong crc": [image(crc32=zlib.crc32(PIXELS) ^ 1)],
    "unknown view": [image(view="bottom")],
    "same view twice": [image(view="top"), image(view="top")],
    "too many views": [image(view=f"view-{number}") for number in range(17)],
    "long view": [image(view="v" * 10_000)],
    "view with a line break": [image(view="top\n")],
}

WRONG_REQUESTS: list[tuple[str, Any]] = [
    *(("InspectImage", pb.InspectImageRequest(images=images)) for images in WRONG_IMAGES.values()),
    ("InspectImage", pb.InspectImageRequest(station_id="elsewhere", images=[image()])),
    ("TriggerInspection", pb.TriggerInspectionRequest(part_id="x" * 257)),
    ("TriggerInspection", pb.TriggerInspectionRequest(part_id="x" * 900_000)),
    ("TriggerInspection", pb.TriggerInspectionRequest(part_id="a\0b")),
    ("TriggerInspection", pb.TriggerInspectionRequest(due_ms=0)),
    ("TriggerInspection", pb.TriggerInspectionRequest(due_ms=-5)),
    ("TriggerInspection", pb.TriggerInspectionRequest(due_ms=2**31 - 1)),
    ("TriggerInspection", pb.TriggerInspectionRequest(request_id="r" * 200)),
    ("TriggerInspection", pb.TriggerInspectionRequest(station_id="elsewhere")),
    ("TriggerInspection", pb.TriggerInspectionRequest(part_id="x" * 2 * MAX_MESSAGE_BYTES)),
    ("StreamVerdicts", pb.StreamVerdictsRequest()),
    ("StreamVerdicts", pb.StreamVerdictsRequest(after_sequence=-1)),
    ("StreamVerdicts", pb.StreamVerdictsRequest(after_sequence=2**63 - 1)),
    ("StreamVerdicts", pb.StreamVerdictsRequest(reader="")),
    ("StreamVerdicts", pb.StreamVerdictsRequest(reader="r" * 129)),
    ("StreamVerdicts", pb.StreamVerdictsRequest(reader="a\nb")),
    ("StreamVerdicts", pb.StreamVerdictsRequest(live_only=True, heartbeat_ms=-1)),
    ("StreamVerdicts", pb.StreamVerdictsRequest(live_only=True, heartbeat_ms=1)),
    ("StreamVerdicts", pb.StreamVerdictsRequest(live_only=True, heartbeat_ms=10**9)),
    ("StreamVerdicts", pb.StreamVerdictsRequest(reader="r", max_unacknowledged=-1)),
    ("StreamVerdicts", pb.StreamVerdictsRequest(reader="r", max_unacknowledged=10**9)),
    ("StreamVerdicts", pb.StreamVerdictsRequest(station_id="elsewhere", live_only=True)),
    ("AcknowledgeVerdicts", pb.AcknowledgeVerdictsRequest()),
    ("AcknowledgeVerdicts", pb.AcknowledgeVerdictsRequest(reader="r", sequence=-1)),
    ("AcknowledgeVerdicts", pb.AcknowledgeVerdictsRequest(reader="r", sequence=2**62)),
    ("AcknowledgeVerdicts", pb.AcknowledgeVerdictsRequest(reader="r" * 500, sequence=1)),
    ("GetVerdict", pb.GetVerdictRequest()),
    ("GetVerdict", pb.GetVerdictRequest(sequence=0)),
    ("GetVerdict", pb.GetVerdictRequest(sequence=-1)),
    ("GetVerdict", pb.GetVerdictRequest(sequence=10**9)),
    ("GetVerdict", pb.GetVerdictRequest(trigger_number=-(2**63))),
    ("ListVerdicts", pb.ListVerdictsRequest(page_size=-1)),
    ("ListVerdicts", pb.ListVerdictsRequest(page_size=1001)),
    ("ListVerdicts", pb.ListVerdictsRequest(after_sequence=-1)),
    ("ListVerdicts", pb.ListVerdictsRequest(from_utc_ns=-1)),
    ("ListVerdicts", pb.ListVerdictsRequest(to_utc_ns=-1)),
    ("ListVerdicts", pb.ListVerdictsRequest(part_id="p" * 300)),
    ("ListVerdicts", pb.ListVerdictsRequest(outcomes=[0])),  # type: ignore[list-item]
    ("ListVerdicts", pb.ListVerdictsRequest(outcomes=[1, 77])),  # type: ignore[list-item]
    ("GetImage", pb.GetImageRequest()),
    ("GetImage", pb.GetImageRequest(image_id="../../etc/passwd")),
    ("GetImage", pb.GetImageRequest(image_id="i" * 600)),
    ("GetImage", pb.GetImageRequest(image_id="a\0b")),
    ("GetStationStatus", pb.GetStationStatusRequest(station_id="elsewhere")),
    ("PauseStation", pb.PauseStationRequest(why="w" * 2_000)),
    ("PauseStation", pb.PauseStationRequest(requested_by="a\x1b[31mb")),
    ("ResumeStation", pb.ResumeStationRequest(requested_by="w" * 2_000)),
    ("ChangeRecipe", pb.ChangeRecipeRequest(recipe_id="r" * 2_000)),
]


def damaged_requests(count: int) -> list[tuple[str, bytes]]:
    """Bytes that are no message of the call's kind: cut, flipped, random, or texts that are not UTF-8."""
    chance = random.Random(20)
    damaged: list[tuple[str, bytes]] = [
        (method.name, b"\x0a\x02\xff\xfe") for method in SERVICE.methods if not method.client_streaming
    ]
    whole = [(call, request.SerializeToString()) for call, request in WRONG_REQUESTS]
    while len(damaged) < count:
        call, payload = chance.choice(whole)
        if call == "PauseStation":
            continue  # with luck a mutation of it would be a good one
        mutation = bytearray(payload[: chance.randint(0, 200)] + chance.randbytes(chance.randint(1, 20)))
        mutation[chance.randrange(len(mutation))] ^= 1 << chance.randrange(8)
        if not is_message(call, bytes(mutation)):
            damaged.append((call, bytes(mutation)))
    return damaged


def is_message(call: str, payload: bytes) -> bool:
    try:
        getattr(pb, SERVICE.methods_by_name[call].input_type.name).FromString(payload)
    except Exception:  # noqa: BLE001 - whatever the parser says
        return False
    return True


@pytest.fixture
def station() -> FakeStation:
    station = FakeStation()
    station.add_verdicts(5)
    return station


@pytest.fixture
async def address(station: FakeStation) -> AsyncIterator[str]:
    options = ServeOptions(tcp="127.0.0.1:0", max_message_bytes=MAX_MESSAGE_BYTES)
    server = InspectionServer(station, station, station, options)
    await server.start()
    yield server.addresses[0]
    await server.stop(grace_s=0.2)


async def refusal(channel: grpc.aio.Channel, call: str, payload: bytes) -> grpc.aio.AioRpcError:
    """How the server refuses those bytes; fails when it does not."""
    path = f"/{SERVICE.full_name}/{call}"
    make: Callable[[str], Any] = (
        channel.unary_stream if SERVICE.methods_by_name[call].server_streaming else channel.unary_unary
    )
    answer = make(path)(payload, timeout=10)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        if SERVICE.methods_by_name[call].server_streaming:
            await answer.read()
        else:
            await answer
    return refused.value


@pytest.mark.parametrize(("call", "request_"), WRONG_REQUESTS, ids=lambda each: getattr(each, "DESCRIPTOR", each))
async def test_a_wrong_request_gets_a_status_that_says_what_is_wrong(address: str, call: str, request_: Any) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        refused = await refusal(channel, call, request_.SerializeToString())

    assert refused.code() not in OUR_FAULT
    assert refused.details()


async def test_two_hundred_damaged_requests_are_refused_and_leave_nothing_behind(
    address: str, station: FakeStation
) -> None:
    requests = damaged_requests(200)
    process = psutil.Process()
    async with grpc.aio.insecure_channel(address) as channel:
        for call, payload in requests[:50]:
            await refusal(channel, call, payload)
        gc.collect()
        descriptors, memory_bytes = process.num_fds(), process.memory_info().rss
        statuses = {(await refusal(channel, call, payload)).code() for call, payload in requests for _ in range(5)}
        gc.collect()
        status = await InspectionStub(channel).GetStationStatus(pb.GetStationStatusRequest())  # type: ignore[no-untyped-call]

        assert statuses == {grpc.StatusCode.INVALID_ARGUMENT}
        assert process.num_fds() <= descriptors + 1
        assert process.memory_info().rss < memory_bytes + 20_000_000
        assert (status.ready, station.status().counters.triggers) == (True, 5)


@pytest.mark.parametrize("images", WRONG_IMAGES.values(), ids=WRONG_IMAGES.keys())
async def test_a_wrong_pushed_frame_is_refused_alone_or_not_inspected_and_the_next_one_is_judged(
    address: str, images: list[pb.Image]
) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        call = InspectionStub(channel).PushFrames()  # type: ignore[no-untyped-call]
        await call.write(pb.PushFramesRequest(images=images, frame_id=1))
        wrong = await call.read()
        await call.write(pb.PushFramesRequest(images=[image()], frame_id=2))
        right = await call.read()
        await call.done_writing()

    assert (wrong.frame_id, right.frame_id) == (1, 2)
    assert wrong.error or wrong.verdict.outcome == pb.OUTCOME_NOT_INSPECTED
    assert (right.error, right.verdict.outcome) == ("", pb.OUTCOME_PASS)
