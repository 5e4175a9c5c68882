"""Connections that are lost, half-open or frozen, and servers that come and go: real sockets and processes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lineside.client import StationClient, StationUnreachable, VerdictReader
from lineside.core.errors import ConfigError, OutOfRange, StationFault, TakenOver
from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation

FAKE_STATION = Path(__file__).with_name("fake_station.py")
LONG_S = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Far longer than it takes, so that a busy machine fails nothing."""
    async with asyncio.timeout(LONG_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in a server or the kernel
            await asyncio.sleep(0.02)


async def until_nobody_reads(observer: StationClient) -> None:
    async with asyncio.timeout(LONG_S):
        while (await observer.status()).readers:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(station: FakeStation, **options: Any) -> AsyncIterator[InspectionServer]:
    server = InspectionServer(station, station, station, ServeOptions(**({"tcp": "127.0.0.1:0"} | options)))
    await server.start()
    try:
        yield server
    finally:
        await server.stop(grace_s=0.2)


class Cable:
    """A TCP proxy that can be pulled (closed) or go dead: both ends stay open and nothing passes."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._alive = asyncio.Event()
        self._alive.set()
        self._ends: set[asyncio.Task[None]] = set()
        self.address = ""

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.pull()
        await asyncio.gather(*self._ends, return_exceptions=True)

    def pull(self) -> None:
        """Closes what is connected; a new connection may be made."""
        for end in self._ends:
            end.cancel()

    def go_dead(self) -> None:
        """What is connected stays open and silent; new connections pass again after `repair`."""
        self._alive = asyncio.Event()

    def repair(self) -> None:
        """New connections pass; the dead ones stay dead."""
        self._alive = asyncio.Event()
        self._alive.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)
        alive = self._alive
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)

        async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                if self._alive is not alive or not alive.is_set():
                    await asyncio.Event().wait()  # dead, and silent about it
                sink.write(data)
                await sink.drain()

        carriers = [asyncio.create_task(carry(reader, far_writer)), asyncio.create_task(carry(far_reader, writer))]
        try:
            await asyncio.wait(carriers, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # pulled
        finally:
            for carrier in carriers:
                carrier.cancel()
            await asyncio.gather(*carriers, return_exceptions=True)
            for end in (writer, far_writer):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()


async def collect(reader: VerdictReader, into: list[int], count: int) -> None:
    async for verdict in reader:
        into.append(verdict.sequence)
        if len(into) == count:
            reader.handled(verdict.sequence)
            return


async def test_a_client_reads_each_verdict_once_and_in_order_while_its_cable_is_pulled_again_and_again() -> None:
    station, seen = FakeStation(), list[int]()
    async with (
        serving(station) as server,
        Cable(server.addresses[0]) as cable,
        StationClient(cable.address) as client,
        client.verdicts(reader="plc-1") as reader,
    ):
        reading = asyncio.create_task(collect(reader, seen, 300))
        for pulls in range(1, 6):
            await until(lambda: reader.connected)
            station.add_verdicts(50)
            await until(lambda pulls=pulls: len(seen) >= 40 * pulls)  # type: ignore[misc]
            cable.pull()
            station.add_verdicts(10)
        await reading

    assert seen == list(range(1, 301))
    assert reader.connections > 1
    assert await station.cursor("plc-1") == 300


async def test_a_dead_connection_is_noticed_at_both_ends_and_read_on_over_a_new_one() -> None:
    station, seen = FakeStation(), list[int]()
    async with (
        serving(station) as server,
        Cable(server.addresses[0]) as cable,
        StationClient(cable.address) as client,
        client.verdicts(after_sequence=0) as reader,
        StationClient(server.addresses[0]) as observer,
    ):
        reading = asyncio.create_task(collect(reader, seen, 20))
        station.add_verdicts(10)
        await until(lambda: len(seen) == 10)
        cable.go_dead()
        await until(lambda: not reader.connected)
        await until_nobody_reads(observer)
        cable.repair()
        station.add_verdicts(10)
        await reading

    assert seen == list(range(1, 21))


async def test_a_reader_that_comes_back_need_not_wait_until_its_dead_connection_is_noticed() -> None:
    station, seen = FakeStation(), list[int]()
    station.add_verdicts(3)
    patient = {"ping_after_ms": 60_000, "ping_timeout_ms": 60_000}  # the server would notice after two minutes
    async with (
        serving(station, **patient) as server,
        Cable(server.addresses[0]) as cable,
        StationClient(cable.address) as before,
        StationClient(server.addresses[0]) as after,
        before.verdicts(reader="plc-1") as old,
        after.verdicts(reader="plc-1") as new,
    ):
        await anext(aiter(old))
        cable.go_dead()
        await collect(new, seen, 3)

    assert seen == [1, 2, 3]


async def test_the_program_whose_reader_name_is_taken_over_ends_instead_of_fighting_for_it() -> None:
    station = FakeStation()
    station.add_verdicts(1)
    async with (
        serving(station) as server,
        StationClient(server.addresses[0]) as client,
        client.verdicts(reader="plc-1") as first,
        client.verdicts(reader="plc-1") as second,
    ):
        await anext(aiter(first))
        await anext(aiter(second))
        with pytest.raises(TakenOver, match="plc-1"):
            await anext(aiter(first))


async def test_a_named_reader_that_meets_a_shorter_journal_is_told_instead_of_missing_its_first_verdicts() -> None:
    station = FakeStation()
    station.add_verdicts(50)
    async with serving(station) as server:
        address = server.addresses[0]
        client = await StationClient(address).__aenter__()
        reader = client.verdicts(reader="plc-1", acknowledge=False)
        verdicts = aiter(reader)
        assert list(range(1, 51)) == [(await anext(verdicts)).sequence for _ in range(50)]
    begun_anew = FakeStation()
    begun_anew.add_verdicts(20)
    async with serving(begun_anew, tcp=address):
        with pytest.raises(OutOfRange, match="journal ends at 20, sequence 50 was read already"):
            await asyncio.wait_for(anext(verdicts), LONG_S)
        await reader.aclose()
        await client.__aexit__(None, None, None)


async def test_a_named_reader_whose_cursor_somebody_else_moved_is_told_instead_of_trying_for_ever() -> None:
    station = FakeStation()
    station.add_verdicts(10)
    async with serving(station) as server:
        address = server.addresses[0]
        client = await StationClient(address).__aenter__()
        reader = client.verdicts(reader="plc-1", acknowledge=False)
        verdicts = aiter(reader)
        assert list(range(1, 11)) == [(await anext(verdicts)).sequence for _ in range(10)]
    station.add_verdicts(5)
    await station.acknowledge("plc-1", 14)
    async with serving(station, tcp=address):
        with pytest.raises(OutOfRange, match="went from sequence 10 to 15 without a word"):
            await asyncio.wait_for(anext(verdicts), LONG_S)
        await reader.aclose()
        await client.__aexit__(None, None, None)


async def test_an_acknowledgement_that_can_never_succeed_ends_the_reader() -> None:
    station = FakeStation()
    station.add_verdicts(1)
    async with (
        serving(station) as server,
        StationClient(server.addresses[0]) as client,
        client.verdicts(reader="plc-1", heartbeat_ms=50) as reader,
    ):
        await anext(aiter(reader))
        reader.handled(99)
        with pytest.raises(OutOfRange, match="acknowledges sequence 99"):
            await asyncio.wait_for(anext(aiter(reader)), LONG_S)


async def test_a_reader_of_another_journal_is_told_instead_of_waiting_for_ever() -> None:
    station = FakeStation()
    async with (
        serving(station) as server,
        StationClient(server.addresses[0]) as client,
        client.verdicts(after_sequence=7) as reader,
    ):
        with pytest.raises(OutOfRange, match="the journal ends at 0"):
            await anext(aiter(reader))


async def test_a_client_waits_for_a_server_that_is_away_and_reads_on_when_it_is_back() -> None:
    station, seen = FakeStation(), list[int]()
    async with serving(station) as server:
        address = server.addresses[0]
        async with StationClient(address) as client, client.verdicts(after_sequence=0) as reader:
            reading = asyncio.create_task(collect(reader, seen, 9))
            station.add_verdicts(4)
            await until(lambda: len(seen) == 4)
            await server.stop(grace_s=0.2)
            await until(lambda: not reader.connected)
            with pytest.raises(StationUnreachable):
                await client.status()
            station.add_verdicts(5)
            async with serving(station, tcp=address):
                await reading

    assert seen == list(range(1, 10))


async def test_a_frozen_reader_process_is_dropped_and_reads_on_without_loss_when_it_thaws() -> None:
    station = FakeStation()
    async with serving(station) as server, StationClient(server.addresses[0]) as observer:
        watch = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lineside", "watch", "--json", "--after", "0", "--count", "40"),
            *("--station", server.addresses[0]),
            stdout=asyncio.subprocess.PIPE,
        )
        assert watch.stdout is not None
        station.add_verdicts(20)
        lines = [await watch.stdout.readline() for _ in range(20)]
        watch.send_signal(signal.SIGSTOP)
        await until_nobody_reads(observer)
        station.add_verdicts(20)
        watch.send_signal(signal.SIGCONT)
        lines += [await watch.stdout.readline() for _ in range(20)]

        assert await watch.wait() == 0
        assert [json.loads(line)["sequence"] for line in lines] == list(range(1, 41))


async def test_a_frozen_server_is_noticed_by_its_silence_and_read_on_when_it_thaws() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(FAKE_STATION), "100", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    seen: list[int] = []
    try:
        address = (await process.stderr.readline()).decode().strip()
        async with StationClient(address) as client, client.verdicts(after_sequence=0) as reader:
            reading = asyncio.create_task(collect(reader, seen, 100))
            await until(lambda: len(seen) > 20)
            process.send_signal(signal.SIGSTOP)
            await until(lambda: not reader.connected)
            process.send_signal(signal.SIGCONT)
            await reading
    finally:
        process.kill()
        await process.wait()

    assert seen == list(range(1, 101))


async def test_a_unix_socket_serves_owner_and_group_and_is_gone_after_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "sockets" / "station.sock"
    async with serving(FakeStation(), tcp="", unix=str(path)) as server, StationClient(server.addresses[0]) as client:
        mode = stat.S_IMODE(path.stat().st_mode)
        ready = (await client.status()).ready

    assert (mode, ready, path.exists()) == (0o660, True, False)


async def test_a_server_that_is_told_to_stop_while_it_starts_leaves_no_socket(tmp_path: Path) -> None:
    station, path = FakeStation(), tmp_path / "station.sock"
    begun = 0
    for turns in range(8):  # of the loop, after which it is told
        server = InspectionServer(station, station, station, ServeOptions(tcp="", unix=str(path)))
        starting = asyncio.create_task(server.start())
        for _ in range(turns):
            await asyncio.sleep(0)
        begun += path.exists()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        if not starting.cancelled():  # it was too late: the server serves
            await server.stop(grace_s=0.2)
        assert not path.exists()
    assert begun, "it was never told while the socket was there"


async def test_a_socket_left_behind_by_a_killed_station_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "station.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    async with serving(FakeStation(), tcp="", unix=str(path)) as server, StationClient(server.addresses[0]) as client:
        assert (await client.status()).ready


async def test_a_socket_on_which_another_station_listens_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "station.sock"
    async with serving(FakeStation(), tcp="", unix=str(path)) as server:
        second = InspectionServer(FakeStation(), FakeStation(), FakeStation(), ServeOptions(tcp="", unix=str(path)))
        with pytest.raises(ConfigError, match="another process listens"):
            await second.start()
        async with StationClient(server.addresses[0]) as client:
            assert (await client.status()).ready


@pytest.mark.parametrize("name", ["file", "x" * 120])
async def test_a_path_that_can_be_no_socket_is_refused(tmp_path: Path, name: str) -> None:
    precious = tmp_path / "file"
    precious.write_text("precious")
    station = FakeStation()
    server = InspectionServer(station, station, station, ServeOptions(tcp="", unix=str(tmp_path / name)))

    with pytest.raises(ConfigError, match=r"no socket|bytes"):
        await server.start()
    assert precious.read_text() == "precious"


async def test_a_second_station_on_the_same_port_is_refused_and_does_not_share_it() -> None:
    station = FakeStation()
    async with serving(station) as server:
        second = InspectionServer(station, station, station, ServeOptions(tcp=server.addresses[0]))
        with pytest.raises(ConfigError, match=re.escape(server.addresses[0])):
            await second.start()


async def test_a_client_with_no_station_says_so_in_one_line() -> None:
    async with StationClient("127.0.0.1:1") as client:
        with pytest.raises(
            StationUnreachable, match=r"^no answer from the station at 127\.0\.0\.1:1 .*give its address$"
        ):
            await client.status()


def test_unreachable_is_a_station_fault_so_that_the_command_line_ends_with_3() -> None:
    assert issubclass(StationUnreachable, StationFault)
