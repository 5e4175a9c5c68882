"""The Modbus server: consistent reads, whole writes, proper exceptions, and no bit set by a damaged frame."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from pymodbus.client import AsyncModbusTcpClient

from lineside.bridges.handshake import Handshake
from lineside.bridges.modbus.profiles import PROFILES, LinkCounts, Profile
from lineside.bridges.modbus.register_image import READABLE, RegisterImage
from lineside.bridges.modbus.register_map import NEUTRAL, WordOrder
from lineside.bridges.modbus.server import ModbusServer
from lineside.bridges.plc import Control, Controls, Display

HEADER = struct.Struct(">HHHB")


class Line:
    """A server with a register image and nothing behind it: what the PLC wrote is kept."""

    def __init__(self, profile: Profile = PROFILES["neutral"], **options: int | tuple[str, ...]) -> None:
        self.written: list[Controls] = []
        self.shown = 0
        self.link = LinkCounts()
        self.display_of = Handshake(boot_id=9).display
        image = RegisterImage(
            profile, WordOrder.ABCD, plc_wrote=self.written.append, display=self.display, link=lambda: self.link
        )
        self.server = ModbusServer(image, unit_id=1, **options)  # type: ignore[arg-type]
        self.port = 0

    def display(self) -> Display:
        """Each time another one, with the same number in four places: a torn read would show two."""
        self.shown += 1
        number = self.shown & 0x7FFF
        return replace(
            self.display_of, result_part_id=number * 0x10001, processing_ms=number, acquisition_id=number, late=number
        )


@asynccontextmanager
async def listening(line: Line) -> AsyncIterator[Line]:
    line.port = await line.server.start("127.0.0.1", 0)
    try:
        yield line
    finally:
        await line.server.stop()


@asynccontextmanager
async def raw(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def frame(body: bytes, *, transaction: int = 1, unit: int = 1) -> bytes:
    return HEADER.pack(transaction, 0, len(body) + 1, unit) + body


async def answer_to(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(7)
    return await reader.readexactly(HEADER.unpack(head)[2] - 1)


async def ask(port: int, body: bytes, unit: int = 1) -> bytes:
    async with raw(port) as (reader, writer):
        writer.write(frame(body, unit=unit))
        return await answer_to(reader)


async def test_rule_b_a_read_of_everything_is_one_moment() -> None:
    async with listening(Line()) as line:
        client = AsyncModbusTcpClient("127.0.0.1", port=line.port)
        assert await client.connect()

        async def read() -> None:
            for _ in range(100):
                words = (await client.read_holding_registers(0, count=125)).registers
                shown = NEUTRAL.decode(words, WordOrder.ABCD, direction="vision")
                number = shown["processing_ms"]
                assert shown["result_part_id"] == int(number) * 0x10001
                assert shown["acquisition_id"] == shown["late"] == number

        await asyncio.gather(read(), read(), read())
        client.close()
    assert line.shown == 300


async def test_a_write_of_many_registers_is_one_moment() -> None:
    async with listening(Line()) as line:
        words = [0] * 9
        for address, word in NEUTRAL.encode({"control": 3, "part_id": 70_000}, WordOrder.ABCD).items():
            words[address] = word
        body = struct.pack(">BHHB9H", 16, 0, 9, 18, *words)
        answer = await ask(line.port, body)

    assert answer == struct.pack(">BHH", 16, 0, 9)
    assert [(Control.TRIGGER_ENABLE | Control.TRIGGER, 70_000)] == [(each.bits, each.part_id) for each in line.written]


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("unknown function", b"\x2b\x0e\x01\x00", 1),
        ("force listen only", b"\x08\x00\x04\x00\x00", 1),
        ("coils", struct.pack(">BHH", 1, 0, 1), 1),
        ("read beyond the map", struct.pack(">BHH", 3, READABLE - 1, 2), 2),
        ("read far beyond", struct.pack(">BHH", 4, 0xFFFF, 125), 2),
        ("read nothing", struct.pack(">BHH", 3, 0, 0), 3),
        ("read too much", struct.pack(">BHH", 3, 0, 126), 3),
        ("write what is ours", struct.pack(">BHH", 6, 64, 1), 2),
        ("write across the end", struct.pack(">BHHB2H", 16, 31, 2, 4, 1, 1), 2),
        ("write nothing", struct.pack(">BHHB", 16, 0, 0, 0), 3),
        ("fewer words than said", struct.pack(">BHHBH", 16, 0, 2, 4, 1), 3),
        ("more words than said", struct.pack(">BHHB3H", 16, 0, 2, 4, 1, 1, 1), 3),
        ("odd byte count", struct.pack(">BHHB2H", 16, 0, 2, 3, 1, 1), 3),
        ("count beyond a byte", struct.pack(">BHHBH", 16, 0, 200, 144, 1), 3),
        ("cut off", b"\x03\x00", 3),
        ("surplus", struct.pack(">BHHB", 3, 0, 1, 0), 3),
        ("both, read beyond", struct.pack(">BHHHHBH", 23, 127, 2, 0, 1, 2, 3), 2),
        ("an answer", b"\x83\x02", 1),
    ],
)
async def test_what_cannot_be_done_is_answered_with_its_exception_and_writes_nothing(
    what: str, body: bytes, code: int
) -> None:
    async with listening(Line()) as line:
        answer = await ask(line.port, body)

    assert answer == bytes([body[0] | 0x80, code]), what
    assert line.written == [] and line.server.refused == 1


async def test_read_and_write_in_one_request_reads_what_it_wrote() -> None:
    async with listening(Line()) as line:
        answer = await ask(line.port, struct.pack(">BHHHHBH", 23, 0, 2, 0, 1, 2, 33))

    assert answer == struct.pack(">BBHH", 23, 4, 33, 0)


async def test_requests_sent_in_one_piece_are_all_answered_in_order() -> None:
    """Where pymodbus's own server answers the first and forgets the others."""
    async with listening(Line()) as line, raw(line.port) as (reader, writer):
        bodies = [struct.pack(">BHH", 6, 2, number) for number in range(1, 21)]
        writer.write(b"".join(frame(body, transaction=number) for number, body in enumerate(bodies)))
        answers = [await answer_to(reader) for _ in bodies]

    assert bodies == answers
    assert [each.command for each in line.written] == list(range(1, 21))


async def test_a_request_that_comes_byte_by_byte_is_one_request() -> None:
    async with listening(Line()) as line, raw(line.port) as (reader, writer):
        for byte in frame(struct.pack(">BHH", 6, 2, 5)):
            writer.write(bytes([byte]))
            await writer.drain()
        assert await answer_to(reader) == struct.pack(">BHH", 6, 2, 5)


async def test_another_unit_is_answered_by_nobody_at_home() -> None:
    async with listening(Line()) as line:
        assert await ask(line.port, struct.pack(">BHH", 6, 2, 5), unit=7) == b"\x86\x0b"
        assert await ask(line.port, struct.pack(">BHH", 6, 2, 5), unit=255) == struct.pack(">BHH", 6, 2, 5)

    assert len(line.written) == 1


async def test_only_the_named_writers_may_write() -> None:
    async with listening(Line(writers=("10.1.2.3",))) as line:
        assert await ask(line.port, struct.pack(">BHH", 6, 2, 5)) == b"\x86\x01"
        assert (await ask(line.port, struct.pack(">BHH", 3, 2, 1)))[:1] == b"\x03"

    assert line.written[0:1] in ([], [Controls(encoder_count=0)])


async def test_connections_beyond_the_limit_are_closed_and_the_others_go_on() -> None:
    async with listening(Line(max_connections=2)) as line, raw(line.port) as first, raw(line.port):
        while line.server.connections < 2:  # noqa: ASYNC110 # the kernel accepts before we do
            await asyncio.sleep(0.005)
        async with raw(line.port) as (reader, _):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await answer_to(reader)
        first[1].write(frame(struct.pack(">BHH", 3, 0, 1)))
        assert await answer_to(first[0]) == b"\x03\x02\x00\x00"


async def test_a_connection_that_has_gone_silent_gives_way_to_a_new_one() -> None:
    """A PLC that loses its power never says goodbye: eight such and nobody could come in."""
    async with listening(Line(max_connections=1, idle_s=0)) as line, raw(line.port) as (silent, _):
        while line.server.connections < 1:  # noqa: ASYNC110 # the kernel accepts before we do
            await asyncio.sleep(0.005)
        assert await ask(line.port, struct.pack(">BHH", 3, 0, 1)) == b"\x03\x02\x00\x00"
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await answer_to(silent)


FRAMES = 10_000


async def test_ten_thousand_malformed_frames_crash_nothing_and_set_no_bit() -> None:
    """The test's own parser says which frames are requests after all; only their writes may be seen."""
    random_ = random.Random(4)
    async with listening(Line()) as line:
        asked = [0] * 32
        sent = 0
        while sent < FRAMES:
            async with raw(line.port) as (reader, writer):
                draining = asyncio.create_task(_drain(reader))
                while sent < FRAMES:
                    bad = _malformed(random_)
                    sent += 1
                    frames, clean = _whole_frames(bad)
                    for each in frames:
                        _apply(asked, each)
                    try:
                        writer.write(bad)
                        await writer.drain()
                    except ConnectionError:
                        break
                    if not clean:
                        break
                with suppress(OSError):
                    writer.write_eof()
                await draining
        probe = await ask(line.port, struct.pack(">BHH", 3, 0, 32))

    assert probe == struct.pack(">BB32H", 3, 64, *asked)
    assert line.server.refused > FRAMES / 2


async def _drain(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(65536):
            pass


def _malformed(random_: random.Random) -> bytes:
    """A frame with something wrong in it, most of the time."""
    function = random_.choice([3, 4, 6, 16, 16, 23, 22, 1, 5, 15, random_.randrange(256)])
    address, count = random_.choice([0, 2, 31, 64, 0xFFFF]), random_.choice([0, 1, 2, 123, 125, 126, 0xFFFF])
    words = random_.randbytes(random_.choice([0, 1, 2, 3, 4, 246, random_.randrange(246)]))
    body = random_.choice(
        [
            bytes([function]) + random_.randbytes(random_.randrange(8)),
            struct.pack(">BHH", function, address, count),
            struct.pack(">BHHB", function, address, count, len(words)) + words,
            struct.pack(">BHHHHB", function, address, count, address, count, len(words))[:10] + words,
        ]
    )[:253]
    whole = bytearray(frame(body, transaction=random_.randrange(0x10000)))
    match random_.randrange(6):
        case 0:
            whole[random_.randrange(7)] = random_.randrange(256)  # the header itself
        case 1:
            whole[random_.randrange(len(whole))] ^= 1 << random_.randrange(8)
        case 2:
            del whole[random_.randrange(1, len(whole)) :]
        case 3:
            whole += random_.randbytes(random_.randrange(1, 5))
    return bytes(whole)


def _whole_frames(data: bytes) -> tuple[list[bytes], bool]:
    """The frames at the beginning, and whether nothing else follows: else the test hangs up after it."""
    frames = []
    while len(data) >= 7:
        _, protocol, length, _ = HEADER.unpack_from(data)
        if protocol != 0 or not 2 <= length <= 254 or len(data) < 6 + length:
            return frames, False
        frames.append(data[: 6 + length])
        data = data[6 + length :]
    return frames, not data


def _apply(asked: list[int], data: bytes) -> None:
    """By the Modbus specification, written down a second time: what a valid write changes."""
    unit, body = data[6], data[7:]
    if unit not in (0, 1, 255):
        return
    if body[0] == 6 and len(body) == 5:
        _set(asked, *struct.unpack(">H", body[1:3]), body[3:])
    elif body[0] == 16 and len(body) >= 6:
        address, count, size = struct.unpack_from(">HHB", body, 1)
        if 1 <= count <= 123 and size == 2 * count == len(body) - 6:
            _set(asked, address, body[6:])
    elif body[0] == 23 and len(body) >= 10:
        read, reads, address, count, size = struct.unpack_from(">HHHHB", body, 1)
        fits = 1 <= reads <= 125 and read + reads <= READABLE
        if fits and 1 <= count <= 121 and size == 2 * count == len(body) - 10:
            _set(asked, address, body[10:])


def _set(asked: list[int], address: int, raw_words: bytes) -> None:
    words = struct.unpack(f">{len(raw_words) // 2}H", raw_words)
    if address + len(words) <= len(asked):
        asked[address : address + len(words)] = words
