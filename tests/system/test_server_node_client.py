"""A client in another language, written from the .proto alone, follows the stream."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from node_peer import installed

from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def client_script() -> Path:
    return installed("node_client") / "client.mjs"


async def test_a_client_written_from_the_proto_alone_follows_the_stream_and_acknowledges(client_script: Path) -> None:
    station = FakeStation()
    server = InspectionServer(station, station, station, ServeOptions(tcp="127.0.0.1:0"))
    await server.start()
    try:
        station.add_verdicts(30)
        client = await asyncio.create_subprocess_exec(
            *("node", str(client_script), server.addresses[0], "node-1", "50", str(ROOT / "proto")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert client.stdout is not None
        first = json.loads(await client.stdout.readline())  # it lives: the rest comes one by one
        for _ in range(10):
            station.add_verdicts(1, part_prefix="bad")
            station.add_verdicts(1)
            await asyncio.sleep(0.005)
        out, err = await client.communicate()
        cursor = await station.cursor("node-1")
    finally:
        await server.stop(grace_s=0.2)

    verdicts = [first, *map(json.loads, out.decode().splitlines())]
    assert (client.returncode, err.decode()) == (0, "")
    assert [verdict["sequence"] for verdict in verdicts] == list(range(1, 51))
    assert cursor == 50
    assert verdicts[30] == {"sequence": 31, "part_id": "bad-31", "outcome": "OUTCOME_FAIL", "defects": ["scratch"]}
    assert verdicts[31]["outcome"] == "OUTCOME_PASS"
