"""The bridge that docs/plc.md shows as a beginning works as it stands there."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import suppress
from pathlib import Path

from lineside.bridges.plc import Control, Status
from lineside.client import Outcome
from lineside.serve import InspectionServer, ServeOptions
from lineside.testing import FakeStation

PAGE = Path(__file__).parents[2] / "docs" / "plc.md"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(30):
        while True:
            with suppress(ConnectionRefusedError):
                return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.05)


async def test_the_bridge_of_the_page_takes_a_part_through_both_loops(tmp_path: Path) -> None:
    source = PAGE.read_text().split("<!-- file: line_bridge.py -->\n```python\n")[1].split("```")[0]
    (tmp_path / "line_bridge.py").write_text(source)
    station = FakeStation()
    server = InspectionServer(station, station, station, ServeOptions(tcp="127.0.0.1:0"))
    await server.start()
    port = _free_port()
    bridge = await asyncio.create_subprocess_exec(
        sys.executable, "line_bridge.py", server.addresses[0], str(port), cwd=tmp_path
    )
    try:
        reader, writer = await _connected(port)
        beat = 0

        async def until(on: Status, bits: Control) -> dict[str, int]:
            nonlocal beat
            async with asyncio.timeout(20):
                while True:
                    beat += 1
                    writer.write(json.dumps({"bits": bits, "heartbeat": beat, "part_id": 42}).encode() + b"\n")
                    shown: dict[str, int] = json.loads(await reader.readline())
                    if shown["status"] & on == on:
                        return shown
                    await asyncio.sleep(0.005)

        await until(Status.TRIGGER_READY, Control.TRIGGER_ENABLE)
        acked = await until(Status.TRIGGER_ACK, Control.TRIGGER_ENABLE | Control.TRIGGER)
        result = await until(Status.RESULTS_VALID, Control.TRIGGER_ENABLE)
        writer.close()
        await writer.wait_closed()
    finally:
        bridge.kill()
        await bridge.wait()
        await server.stop(grace_s=0.2)

    assert (result["result_acquisition_id"], result["result_part_id"]) == (acked["acquisition_id"], 42)
    assert result["verdict"] == Outcome.PASS
