"""What the Modbus bridge adds: trigger bit to result bit over loopback, and how many parts a second it holds.

    make bench BENCH=bridge ARGS="--parts 500"

The PLC is a Modbus client in this process. Every poll writes its bits and reads the whole map in one request
(function 23), as a PLC with a task of that period does. Beside each part's time stands the station's own, trigger to
verdict, from its record.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

from pymodbus.client import AsyncModbusTcpClient
from small_bridge import running_bridge
from small_project import make_project, running

from lineside.bridges.modbus.register_map import NEUTRAL, WordOrder
from lineside.bridges.plc import Control, Status
from lineside.client import StationClient

BLOCK = NEUTRAL.block("vision")


class Plc:
    """Polls in a fixed period; both loops run side by side."""

    def __init__(self, client: AsyncModbusTcpClient, poll_s: float, period_s: float, parts: int) -> None:
        self.client, self.poll_s, self.period_s, self.parts = client, poll_s, period_s, parts
        self.bits = Control.TRIGGER_ENABLE | Control.BUFFER_ENABLE
        self.beat = self.polls = self.behind = 0
        self.triggered: dict[int, float] = {}
        self.answered: dict[int, float] = {}
        self.not_ready = 0

    async def run(self) -> float:
        part, due = 0, time.monotonic()
        begun = next_poll = time.monotonic()
        while len(self.answered) < self.parts and time.monotonic() - begun < 120 + self.parts * self.period_s:
            now = time.monotonic()
            if now < next_poll:
                await asyncio.sleep(next_poll - now)
            else:
                self.behind += 1
            next_poll = max(next_poll + self.poll_s, time.monotonic() - self.poll_s)
            words = await self._exchange(part)
            arrived = time.monotonic()
            status = Status(words["status"])
            if Status.RESULTS_VALID in status and Control.RESULTS_ACK not in self.bits:
                self.answered.setdefault(words["result_part_id"], arrived)
                self.bits |= Control.RESULTS_ACK
            elif Status.RESULTS_VALID not in status:
                self.bits &= ~Control.RESULTS_ACK
            if Control.TRIGGER in self.bits:
                if status & (Status.TRIGGER_ACK | Status.ACQUISITION_ERROR):
                    self.bits &= ~Control.TRIGGER
            elif part < self.parts and arrived >= due:
                if Status.TRIGGER_READY in status:
                    part += 1
                    due = max(due + self.period_s, arrived - self.period_s)
                    self.bits |= Control.TRIGGER
                    await self._exchange(part)  # the bit goes out at once, with its part
                else:
                    self.not_ready += 1
        return time.monotonic() - begun

    async def _exchange(self, part: int) -> dict[str, int]:
        self.beat = (self.beat + 1) & 0xFFFF
        self.polls += 1
        values = {"control": int(self.bits), "plc_heartbeat": self.beat, "part_id": part}
        words = [0] * 6
        for address, word in NEUTRAL.encode(values, WordOrder.ABCD).items():
            words[address] = word
        if Control.TRIGGER in self.bits:
            self.triggered.setdefault(part, time.monotonic())
        answer = await self.client.readwrite_registers(
            read_address=BLOCK.start, read_count=len(BLOCK), write_address=0, values=words, device_id=1
        )
        shown = NEUTRAL.decode(answer.registers, WordOrder.ABCD, direction="vision", start=BLOCK.start)
        return {name: int(value) for name, value in shown.items()}


async def measure(station: str, port: int, *, parts: int, poll_ms: float, rate_hz: float) -> None:
    """Prints one row of the table."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=10)
    assert await client.connect()
    plc = Plc(client, poll_ms / 1000, 1 / rate_hz, parts)
    took_s = await plc.run()
    client.close()
    async with StationClient(station) as asked:
        own = {
            int(verdict.part_id): verdict.latency.decide_ns / 1e6
            async for verdict in asked.list_verdicts(limit=parts, newest_first=True)
        }
        told = []
        for _ in range(parts):  # the same way without bridge and PLC: trigger, judged, recorded, told
            begun = time.monotonic()
            await asked.trigger(wait=True)
            told.append(1000 * (time.monotonic() - begun))
            await asyncio.sleep(max(0.0, begun + 1 / rate_hz - time.monotonic()))
    whole = {part: 1000 * (plc.answered[part] - plc.triggered[part]) for part in plc.answered}
    added = statistics.median(whole.values()) - statistics.median(own.values())
    beyond = statistics.median(whole.values()) - statistics.median(told)
    print(
        f"| {poll_ms:g} | {rate_hz:g} | {len(whole)} of {parts} | {len(whole) / took_s:.1f} "
        f"| {_p(own.values())} | {_p(told)} | {_p(whole.values())} | {added:.1f} | {beyond:.1f} |",
        flush=True,
    )


def _p(values: object) -> str:
    cuts = statistics.quantiles(values, n=100)  # type: ignore[call-overload]
    return f"{cuts[49]:.1f} / {cuts[98]:.1f}"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=300)
    parts = parser.parse_args().parts
    print("times in ms, p50 / p99\n")
    columns = ("PLC poll", "parts/s asked", "answered", "parts/s held")
    times = ("station: trigger to verdict", "gRPC: trigger to told", "trigger bit to result bit")
    times = (*times, "added to the station's, p50", "added to gRPC's, p50")
    print(f"| {' | '.join((*columns, *times))} |")
    print("|---" * 9 + "|")
    for poll_ms, rate_hz in ((5, 10), (5, 50), (2, 50)):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            station = make_project(project, trigger='source = "software"')
            with running(station) as process, running_bridge(project, process.address) as bridge:
                await measure(process.address, bridge.port, parts=parts, poll_ms=poll_ms, rate_hz=rate_hz)


if __name__ == "__main__":
    asyncio.run(main())
