"""What the Modbus bridge adds: trigger bit to result bit over loopback, where it goes, and how many parts/s it holds.

    make bench BENCH=bridge ARGS="--parts 500"

The PLC is a Modbus client on a thread of its own. Every poll writes its bits and reads the whole map in one request
(function 23). Parts come when they come: each trigger bit goes out at once, at any moment between two polls; its result
is seen by a poll. Beside each part's time stands the station's own, trigger to verdict, from its record, and the moment
at which a reader of the stream was told of it: what comes after that is the PLC's wait for its next poll.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

from pymodbus.client import ModbusTcpClient
from small_bridge import running_bridge
from small_project import make_project, running

from lineside.bridges.modbus.register_map import NEUTRAL, WordOrder
from lineside.bridges.plc import Control, Status
from lineside.client import StationClient, VerdictReader

BLOCK = NEUTRAL.block("vision")


class Plc:
    """Polls in a fixed period; both loops run side by side. Times are monotonic seconds by part id."""

    def __init__(self, client: ModbusTcpClient, poll_s: float, period_s: float, parts: int) -> None:
        self.client, self.poll_s, self.period_s, self.parts = client, poll_s, period_s, parts
        self.bits = Control.TRIGGER_ENABLE | Control.BUFFER_ENABLE
        self.beat = 0
        self.triggered: dict[int, float] = {}
        self.answered: dict[int, float] = {}
        self._chance = random.Random(1)

    def run(self) -> float:
        """Until every part is answered; returns how long that took."""
        begun = next_poll = time.monotonic()
        part, due, may_trigger = 0, begun, False
        while len(self.answered) < self.parts and time.monotonic() - begun < 120 + self.parts * self.period_s:
            if part < self.parts and may_trigger and due <= next_poll:
                _sleep_until(due)
                part += 1
                due = (
                    max(due, time.monotonic() - self.period_s)
                    + self.period_s
                    + self._chance.uniform(-0.5, 0.5) * self.poll_s
                )
                self.bits |= Control.TRIGGER
                self._exchange(part)  # it goes out at once, with its part
            _sleep_until(next_poll)
            next_poll = max(next_poll + self.poll_s, time.monotonic() - self.poll_s)
            status = self._poll(part)
            may_trigger = Status.TRIGGER_READY in status and Control.TRIGGER not in self.bits
        return time.monotonic() - begun

    def _poll(self, part: int) -> Status:
        words = self._exchange(part)
        status = Status(words["status"])
        if Status.RESULTS_VALID in status and Control.RESULTS_ACK not in self.bits:
            self.answered.setdefault(words["result_part_id"], time.monotonic())
            self.bits |= Control.RESULTS_ACK
        elif Status.RESULTS_VALID not in status:
            self.bits &= ~Control.RESULTS_ACK
        if Control.TRIGGER in self.bits and status & (Status.TRIGGER_ACK | Status.ACQUISITION_ERROR):
            self.bits &= ~Control.TRIGGER
        return status

    def _exchange(self, part: int) -> dict[str, int]:
        self.beat = (self.beat + 1) & 0xFFFF
        values = {"control": int(self.bits), "plc_heartbeat": self.beat, "part_id": part}
        words = [0] * 6
        for address, word in NEUTRAL.encode(values, WordOrder.ABCD).items():
            words[address] = word
        if Control.TRIGGER in self.bits:
            self.triggered.setdefault(part, time.monotonic())
        answer = self.client.readwrite_registers(
            read_address=BLOCK.start, read_count=len(BLOCK), write_address=0, values=words, device_id=1
        )
        shown = NEUTRAL.decode(answer.registers, WordOrder.ABCD, direction="vision", start=BLOCK.start)
        return {name: int(value) for name, value in shown.items()}


def _sleep_until(mono_s: float) -> None:
    time.sleep(max(0.0, mono_s - time.monotonic()))


async def measure(station: str, port: int, *, parts: int, poll_ms: float, rate_hz: float) -> None:
    """Prints one row of the table."""
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=10)
    assert client.connect()
    plc = Plc(client, poll_ms / 1000, 1 / rate_hz, parts)
    told: dict[int, float] = {}
    own: dict[int, float] = {}
    async with StationClient(station) as asked:
        reader = asked.verdicts()
        listening = asyncio.create_task(_listen(reader, told, own))
        took_s = await asyncio.to_thread(plc.run)
        await reader.aclose()
        await listening
        alone = await _without_bridge(asked, parts=parts, period_s=1 / rate_hz)
    client.close()
    answered = plc.answered.keys() & told.keys()
    whole = [1000 * (plc.answered[part] - plc.triggered[part]) for part in answered]
    before = [1000 * (told[part] - plc.triggered[part]) - own[part] for part in answered]
    polling = [1000 * (plc.answered[part] - told[part]) for part in answered]
    added = [each - own[part] for each, part in zip(whole, answered, strict=True)]
    print(
        f"| {poll_ms:g} | {rate_hz:g} | {len(plc.answered)} of {parts} | {len(plc.answered) / took_s:.1f} "
        f"| {_p(own.values())} | {_p(before)} | {_p(polling)} | {_p(whole)} | {statistics.median(added):.1f} "
        f"| {_p(alone)} | {statistics.median(whole) - statistics.median(alone):.1f} |",
        flush=True,
    )


async def _without_bridge(station: StationClient, *, parts: int, period_s: float) -> list[float]:
    """What any client of the station waits from its trigger to the verdict that it is told, in ms, at the same rate."""
    waited = []
    for _ in range(parts):
        begun = time.monotonic()
        await station.trigger(wait=True)
        waited.append(1000 * (time.monotonic() - begun))
        await asyncio.sleep(max(0.0, begun + period_s - time.monotonic()))
    return waited


async def _listen(reader: VerdictReader, told: dict[int, float], own: dict[int, float]) -> None:
    async for verdict in reader:
        part = int(verdict.part_id)
        told[part] = time.monotonic()
        own[part] = verdict.latency.decide_ns / 1e6


def _p(values: Iterable[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"{cuts[49]:.1f} / {cuts[98]:.1f}"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=300)
    parts = parser.parse_args().parts
    print("times in ms, p50 / p99\n")
    columns = ("PLC poll", "parts/s asked", "answered", "parts/s held", "station: trigger to verdict")
    added = (
        "+ Modbus in, gRPC, disk, gRPC out",
        "+ PLC's wait for its poll",
        "trigger bit to result bit",
        "added to the station's, p50",
        "a gRPC client: trigger to told",
        "added to the client's, p50",
    )
    print(f"| {' | '.join((*columns, *added))} |")
    print("|---" * (len(columns) + len(added)) + "|")
    for poll_ms, rate_hz in ((5, 10), (5, 50), (2, 50)):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            station = make_project(project, trigger='source = "software"')
            with running(station) as process, running_bridge(project, process.address) as bridge:
                await measure(process.address, bridge.port, parts=parts, poll_ms=poll_ms, rate_hz=rate_hz)


if __name__ == "__main__":
    asyncio.run(main())
