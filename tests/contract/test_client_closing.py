"""A verdict reader is closed by whoever likes, whatever it is doing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lineside.client import StationClient, VerdictReader
from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation

LONG_S = 20.0


@asynccontextmanager
async def client_of(station: FakeStation) -> AsyncIterator[StationClient]:
    server = InspectionServer(station, station, station, ServeOptions(tcp="127.0.0.1:0"))
    await server.start()
    try:
        async with StationClient(server.addresses[0]) as client:
            yield client
    finally:
        await server.stop(grace_s=0.2)


async def sequences(reader: VerdictReader) -> list[int]:
    return [verdict.sequence async for verdict in reader]


@pytest.mark.parametrize("options", [{"after_sequence": 0}, {"reader": "plc-1"}])
async def test_a_reader_closed_while_another_task_waits_for_the_next_verdict_ends_there(
    options: dict[str, object],
) -> None:
    station = FakeStation()
    station.add_verdicts(3)
    async with client_of(station) as client:
        reader = client.verdicts(**options)  # type: ignore[arg-type]
        reading = asyncio.create_task(sequences(reader))
        async with asyncio.timeout(LONG_S):
            while reader.last_sequence < 3:  # noqa: ASYNC110 - what is waited for happens in the other task
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)  # it has them all, and waits
            await reader.aclose()
            seen = await reading

    assert [1, 2, 3] == seen
    assert not reader.connected


async def test_a_reader_closed_while_it_tries_to_reach_a_station_ends_there() -> None:
    async with StationClient("127.0.0.1:1") as client:
        reader = client.verdicts(after_sequence=0)
        reading = asyncio.create_task(sequences(reader))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(LONG_S):
            await reader.aclose()
            assert [] == await reading


async def test_a_task_that_is_cancelled_while_it_reads_is_cancelled() -> None:
    async with client_of(FakeStation()) as client, client.verdicts(after_sequence=0) as reader:
        reading = asyncio.create_task(sequences(reader))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_a_closed_reader_gives_out_nothing_more_and_may_be_closed_again() -> None:
    station = FakeStation()
    station.add_verdicts(2)
    async with client_of(station) as client:
        reader = client.verdicts(after_sequence=0)
        first = await anext(aiter(reader))
        await reader.aclose()
        await reader.aclose()

        assert (1, []) == (first.sequence, await sequences(reader))
