"""A Modbus bridge as a real process, and a PLC that talks to it with a real Modbus client."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient

from lineside.bridges.modbus.register_map import NEUTRAL, WordOrder
from lineside.bridges.plc import Control, Status

BLOCK = NEUTRAL.block("vision")


class BridgeProcess:
    """`lineside bridge modbus` as a process."""

    def __init__(self, folder: Path, station: str, extra: str, recipes: str) -> None:
        self.file = folder / "bridge.toml"
        self.file.write_text(
            f'station = "{station}"\nlisten = "127.0.0.1:0"\nstate_file = "bridge-state.json"\n'
            f'health = "127.0.0.1:0"\ndefect_classes = ["anomaly"]\n{extra}\n{recipes}\n'
        )
        self._log_path = folder / "bridge.log"
        self._log_path.write_text("")
        self._log = self._log_path.open("ab")
        command = [sys.executable, "-m", "lineside", "bridge", "modbus", str(self.file)]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self.port, self.health_port = self._wait_until_serving()

    def _wait_until_serving(self) -> tuple[int, int]:
        deadline = time.monotonic() + 30
        while "bridge serves Modbus on port " not in self.log():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        words = self.log().partition("serves Modbus on port ")[2].split("\n")[0].split(", health on port ")
        return int(words[0]), int(words[1])

    def log(self) -> str:
        return self._log_path.read_text()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self._log.close()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._log.close()
        return code


@contextmanager
def running_bridge(
    folder: Path, station: str, extra: str = "", *, recipes: str = '[recipes]\n1 = "small"'
) -> Iterator[BridgeProcess]:
    """A bridge that serves; ended in order afterwards if the test has not done so."""
    bridge = BridgeProcess(folder, station, extra, recipes)
    try:
        yield bridge
    finally:
        if bridge.process.poll() is None:
            assert bridge.terminate() == 0, bridge.log()


class Plc:
    """A PLC's side of the neutral map: holds its control word, counts its heartbeat with every write."""

    def __init__(self, client: AsyncModbusTcpClient, order: WordOrder) -> None:
        self.client = client
        self.order = order
        self.bits = Control.TRIGGER_ENABLE | Control.BUFFER_ENABLE
        self.beat = 0
        self.data: dict[str, int | str] = {}

    async def write(self, on: int = 0, off: int = 0, **data: int | str) -> None:
        """Changes bits and data in one request."""
        self.bits = Control((self.bits | on) & ~off)
        self.beat = (self.beat + 1) & 0xFFFF
        self.data |= data
        values = {"control": int(self.bits), "plc_heartbeat": self.beat} | self.data
        words = [0] * 32
        for address, word in NEUTRAL.encode(values, self.order).items():
            words[address] = word
        answer = await self.client.write_registers(0, words, device_id=1)
        assert not answer.isError(), answer

    async def read(self) -> dict[str, int]:
        """Everything that the bridge shows, in one request."""
        answer = await self.client.read_holding_registers(BLOCK.start, count=len(BLOCK), device_id=1)
        assert not answer.isError(), answer
        values = NEUTRAL.decode(answer.registers, self.order, direction="vision", start=BLOCK.start)
        return {name: int(value) for name, value in values.items()}

    async def until(
        self, condition: Callable[[dict[str, int]], bool], timeout_s: float = 20.0, *, beating: bool = True
    ) -> dict[str, int]:
        """Polls, with its heartbeat counting unless told otherwise, until the condition holds."""
        deadline = time.monotonic() + timeout_s
        while True:
            shown = await self.read()
            if condition(shown):
                return shown
            assert time.monotonic() < deadline, (Status(shown["status"]), shown)
            if beating:
                await self.write()
            await asyncio.sleep(0.005)

    async def until_status(self, on: int = 0, off: int = 0) -> dict[str, int]:
        return await self.until(lambda shown: shown["status"] & on == on and not shown["status"] & off)

    async def trigger(self, **data: int | str) -> int:
        """One acquisition loop; returns the acquisition id."""
        await self.until_status(on=Status.TRIGGER_READY)
        await self.write(on=Control.TRIGGER, **data)
        shown = await self.until_status(on=Status.TRIGGER_ACK)
        await self.write(off=Control.TRIGGER)
        await self.until_status(off=Status.TRIGGER_ACK)
        return shown["acquisition_id"]

    async def take_result(self) -> dict[str, int]:
        """One inspection loop."""
        result = await self.until_status(on=Status.RESULTS_VALID)
        await self.write(on=Control.RESULTS_ACK)
        await self.until_status(off=Status.RESULTS_VALID)
        await self.write(off=Control.RESULTS_ACK)
        return result


@asynccontextmanager
async def plc_at(port: int, order: WordOrder = WordOrder.ABCD) -> AsyncIterator[Plc]:
    """A PLC connected to the bridge on this port."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    assert await client.connect()
    try:
        yield Plc(client, order)
    finally:
        client.close()
