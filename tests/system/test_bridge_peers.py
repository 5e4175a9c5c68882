"""Modbus clients that are not ours read and drive the map: mbpoll, in C over libmodbus, and jsmodbus, in JavaScript."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from node_peer import installed
from small_bridge import plc_at, running_bridge
from small_project import make_project, running

from lineside.bridges.plc import Status
from lineside.client import StationClient


@pytest.fixture(scope="session")
def plc_script() -> Path:
    return installed("node_modbus") / "plc.mjs"


async def _output_of(*command: str) -> str:
    """What it printed. Command and answer are printed too: `pytest -rP` shows the transcript."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    sys.stdout.write(f"$ {shlex.join((Path(command[0]).name, *command[1:]))}\n{out.decode()}\n")
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_a_plc_in_javascript_takes_a_part_through_both_loops(tmp_path: Path, plc_script: Path) -> None:
    station = make_project(tmp_path, trigger='source = "software"')
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        told = json.loads(await _output_of("node", str(plc_script), str(bridge.port), "305419896"))
        async with StationClient(process.address) as client:
            [verdict] = [verdict async for verdict in client.list_verdicts()]

    assert told["acquisition_id"] == told["result_acquisition_id"] == 1
    assert told["result_part_id"] == 305_419_896 == int(verdict.part_id)
    assert told["verdict"] == verdict.outcome


async def test_mbpoll_reads_and_drives_the_map(tmp_path: Path) -> None:
    if shutil.which("mbpoll") is None:
        pytest.skip("needs mbpoll, which is not installed here")
    station = make_project(tmp_path, trigger='source = "software"', due_ms=60_000)
    patient = '[recipes]\n1 = "small"\n[times]\nplc_silent_ms = 60000'
    with running(station) as process, running_bridge(tmp_path, process.address, recipes=patient) as bridge:

        async def poll(*words: str) -> str:
            return await _output_of("mbpoll", "-m", "tcp", "-p", str(bridge.port), "-a", "1", "-0", "-1", *words)

        async with plc_at(bridge.port) as watching:
            await poll("-r", "0", "127.0.0.1", "1", "1", "0", "0", "0", "4711")  # enabled, alive, part 4711
            while not (await watching.read())["status"] & Status.TRIGGER_READY:  # noqa: ASYNC110 # PLCs poll
                await asyncio.sleep(0.02)
            await poll("-r", "0", "127.0.0.1", "3")  # trigger
            while not (await watching.read())["status"] & Status.RESULTS_VALID:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            shown = await watching.read()
        read = await poll("-r", "64", "-c", "46", "127.0.0.1")
        refused = await asyncio.create_subprocess_exec(
            *("mbpoll", "-m", "tcp", "-p", str(bridge.port), "-0", "-1", "-r", "64", "127.0.0.1", "1"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        complaint, _ = await refused.communicate()

    words = {int(address): int(word) for address, word in re.findall(r"\[(\d+)\]:\s+(\d+)", read)}
    assert set(range(64, 110)) == set(words)
    assert Status.RESULTS_VALID in Status(words[64])
    assert (words[67], words[68] * 0x10000 + words[69], words[70]) == (1, 4711, shown["verdict"])
    assert b"Illegal data address" in complaint
