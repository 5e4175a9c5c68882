"""Readers and clients that are slow, frozen, cut off or malicious: line, memory and the others do not notice."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import grpc
import psutil
import pytest
from listener import Heard, Listener, listening, payloads_of, violations
from small_project import StationProcess, make_project, running, status_when
from test_server_connections import Cable

from lineside.client import Outcome, StationClient
from lineside.wire.v1 import inspection_pb2 as pb
from lineside.wire.v1.inspection_pb2_grpc import InspectionStub

TAKT = 'source = "takt"\ntakt_ms = 50'
CAMERA = 'backend = "simulated"\nprerendered = 8'
MB = 1_000_000
MAX_READERS = 64
"""The default of [serve]."""

LOCAL = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1))
measured: dict[str, str] = {}
"""What became of each attack, newest run, for the campaign's report."""

Attack = Callable[[str, StationClient], Awaitable[str]]
"""Called with the station's TCP address and a client on its unix socket; says what became of the attacker."""


def tcp_address(station: StationProcess) -> str:
    found = re.findall(r"serves on ([\d.]+:\d+),", station.log())
    return str(found[-1])


async def attacked(folder: Path, attack: Attack, *, grows_mb: float) -> list[Heard]:
    """A line at work under an attack. What was told, every promise held; the station grew by `grows_mb` at most."""
    station_file = make_project(folder, trigger=TAKT, camera=CAMERA, due_ms=3000)
    with running(station_file) as station, listening(station.address, folder / "heard") as listener:
        process = psutil.Process(station.process.pid)
        async with StationClient(station.address) as client:
            await asyncio.to_thread(listener.wait_for, 20)
            before = process.memory_info().rss, process.num_fds()
            said = await attack(tcp_address(station), client)
            await status_when(client, lambda status: [reader.connected for reader in status.readers].count(True) == 1)
            await asyncio.to_thread(listener.wait_for, listener.count + 20)
            after = process.memory_info().rss, process.num_fds()
        measured[attack.__name__] = f"{said}; the station grew by {(after[0] - before[0]) / MB:.0f} MB"
        return told_in_full(station, listener, folder, before, after, grows_mb)


def told_in_full(
    station: StationProcess,
    listener: Listener,
    folder: Path,
    before: tuple[int, int],
    after: tuple[int, int],
    grows_mb: float,
) -> list[Heard]:
    station.terminate()
    told = listener.wait_for(len(payloads_of(folder / "var")))
    assert violations(told, folder / "var") == []
    assert {Outcome(heard.verdict.outcome) for heard in told} <= {Outcome.PASS, Outcome.FAIL}, "every part was judged"
    assert (after[0] - before[0]) / MB <= grows_mb
    assert after[1] - before[1] <= 10, "descriptors are given back"
    return told


async def until_gone(client: StationClient, reader: str) -> float:
    """Waits until the station has dropped that reader; how long that took, in seconds."""
    begun = time.monotonic()
    await status_when(
        client, lambda status: all(not known.connected for known in status.readers if known.reader == reader)
    )
    return time.monotonic() - begun


async def a_frozen_process(address: str, client: StationClient) -> str:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        frozen = stack.enter_context(listening(address, folder / "frozen"))
        await asyncio.to_thread(frozen.wait_for, 20)
        frozen.process.send_signal(signal.SIGSTOP)
        took_s = await until_two_are_one(client)
        return f"frozen reader dropped after {took_s:.1f} s"


async def until_two_are_one(client: StationClient) -> float:
    """Waits until only the honest listener is left."""
    begun = time.monotonic()
    await status_when(client, lambda status: [reader.connected for reader in status.readers].count(True) == 1)
    return time.monotonic() - begun


async def a_half_open_connection(address: str, client: StationClient) -> str:
    async with Cable(address) as cable, grpc.aio.insecure_channel(cable.address, options=LOCAL) as channel:
        call = InspectionStub(channel).StreamVerdicts(pb.StreamVerdictsRequest(reader="half-open"))
        await call.read()
        cable.go_dead()
        took_s = await until_gone(client, "half-open")
        call.cancel()
    return f"half-open reader dropped after {took_s:.1f} s"


async def a_reader_that_never_acknowledges(address: str, client: StationClient) -> str:
    async with grpc.aio.insecure_channel(address, options=LOCAL) as channel:
        request = pb.StreamVerdictsRequest(reader="stuck", max_unacknowledged=4)
        call = InspectionStub(channel).StreamVerdicts(request)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            while await call.read() is not grpc.aio.EOF:
                pass
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "acknowledged nothing for" in str(ended.value.details())
    return str(ended.value.details()).partition(",")[0]


async def messages_larger_than_any_picture(address: str, client: StationClient) -> str:
    async with grpc.aio.insecure_channel(address, options=LOCAL) as channel:
        stub = InspectionStub(channel)
        huge = pb.InspectImageRequest(images=[pb.Image(encoded=bytes(60 * MB), pixel_format=pb.PIXEL_FORMAT_MONO8)])
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError, match="larger than max") as refused:
                await stub.InspectImage(huge)
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    return "each refused before it was taken in"


async def hundreds_of_large_messages_at_once(address: str, client: StationClient) -> str:
    large = pb.InspectImageRequest(images=[pb.Image(encoded=bytes(MB), pixel_format=pb.PIXEL_FORMAT_MONO8)])
    async with grpc.aio.insecure_channel(address, options=LOCAL) as channel:
        stub = InspectionStub(channel)
        answers = await asyncio.gather(*(stub.InspectImage(large) for _ in range(300)), return_exceptions=True)
    codes = {answer.code() for answer in answers if isinstance(answer, grpc.aio.AioRpcError)}
    assert len(answers) == 300
    assert codes <= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED}
    return "each refused"


async def two_thousand_streams(address: str, client: StationClient) -> str:
    channels = [grpc.aio.insecure_channel(address, options=LOCAL) for _ in range(8)]
    request = pb.StreamVerdictsRequest(live_only=True)
    calls = [InspectionStub(channel).StreamVerdicts(request) for channel in channels for _ in range(250)]
    firsts = await asyncio.gather(*(call.read() for call in calls), return_exceptions=True)
    counts = Counter(first.code() if isinstance(first, grpc.aio.AioRpcError) else "admitted" for first in firsts)
    refused = [first for first in firsts if isinstance(first, grpc.aio.AioRpcError)]
    assert counts["admitted"] <= MAX_READERS - 1
    assert counts[grpc.StatusCode.RESOURCE_EXHAUSTED] >= 1000
    assert any("readers follow this station already" in str(error.details()) for error in refused)
    for call in calls:
        call.cancel()
    await asyncio.gather(*(channel.close() for channel in channels))
    return f"{counts['admitted']} admitted, the others refused"


async def sockets_that_say_little_or_nothing(address: str, client: StationClient) -> str:
    host, _, port = address.rpartition(":")
    with ExitStack() as stack:
        silent, slow = (
            [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(100)] for _ in range(2)
        )
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        begun = time.monotonic()
        open_ones = {*silent, *slow}
        for byte in range(600):
            for one in slow:
                if one in open_ones and byte < len(preface) and not sent(one, preface[byte : byte + 1]):
                    open_ones.discard(one)
            open_ones -= {one for one in open_ones if closed(one)}
            if not open_ones:
                break
            await asyncio.sleep(0.05)
        assert not open_ones, "sockets that say nothing are kept"
    return f"200 slow sockets dropped after {time.monotonic() - begun:.1f} s"


def sent(one: socket.socket, data: bytes) -> bool:
    try:
        one.send(data)
    except OSError:
        return False
    return True


def closed(one: socket.socket) -> bool:
    """Whether the station has closed that connection."""
    one.setblocking(False)
    try:
        while one.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


ATTACKS: dict[Attack, float] = {
    a_frozen_process: 20,
    a_half_open_connection: 20,
    a_reader_that_never_acknowledges: 20,
    messages_larger_than_any_picture: 150,
    hundreds_of_large_messages_at_once: 900,  # 256 calls at once of 1 MB each, in flight twice, and what malloc keeps
    two_thousand_streams: 120,
    sockets_that_say_little_or_nothing: 20,
}
"""By how many MB the station may grow, at most."""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_the_line_goes_on_and_the_offender_is_shown_out(tmp_path: Path, attack: Attack) -> None:
    told = await attacked(tmp_path, attack, grows_mb=ATTACKS[attack])

    assert len(told) >= 40
    assert [heard.verdict.sequence for heard in told if heard.late] == []
