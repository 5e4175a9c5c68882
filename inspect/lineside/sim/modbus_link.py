"""The simulated PLC's Modbus TCP card: exchanges registers with the bridge, beside the scan and at its own pace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from lineside.bridges.modbus.register_map import NEUTRAL, WordOrder
from lineside.core.errors import StationFault

__all__ = ["ModbusLink"]

_TIMEOUT_S = 0.5
_RECONNECT_S = 0.1

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # a bridge that is not there is what is being tried


class ModbusLink:
    """One connection to a bridge with the neutral map, made again and again. Used on one event loop.

    Each exchange writes `control` and reads all registers in one request. `registers` are those of the last exchange,
    None while there is no connection.
    """

    def __init__(self, host: str, port: int, *, order: WordOrder = WordOrder.ABCD, poll_s: float = 0.005) -> None:
        self._host, self._port, self._order, self._poll_s = host, port, order, poll_s
        self._cut_until_s = 0.0
        self._stopped = False
        self._words = dict.fromkeys(NEUTRAL.block("plc"), 0)
        self.control: Mapping[str, int] = {}
        self.registers: Mapping[str, int | str] | None = None
        self.exchanges = 0
        self.connections = 0

    def cut(self, for_s: float) -> None:
        """Drops the connection and makes no other one for so long."""
        self._cut_until_s = time.monotonic() + for_s

    def stop(self) -> None:
        """Lets `run` end. Cancelling it would not do: `asyncio.wait_for`, which pymodbus awaits an answer with, loses a
        cancellation that comes together with the answer (Python 3.11).
        """
        self._stopped = True

    async def run(self) -> None:
        """Keeps on exchanging until stopped."""
        while not self._stopped:
            if not self._is_cut:
                await self._connected()
            self.registers = None
            await asyncio.sleep(_RECONNECT_S)

    @property
    def _is_cut(self) -> bool:
        return time.monotonic() < self._cut_until_s

    async def _connected(self) -> None:
        client = AsyncModbusTcpClient(
            self._host, port=self._port, timeout=_TIMEOUT_S, retries=0, reconnect_delay=0, name="simulated PLC"
        )
        try:
            if not await client.connect():
                return
            self.connections += 1
            with contextlib.suppress(ModbusException, StationFault):  # whatever it is, a PLC connects anew
                while not (self._is_cut or self._stopped):
                    await self._exchange(client)
                    await asyncio.sleep(self._poll_s)
        finally:
            client.close()

    async def _exchange(self, client: AsyncModbusTcpClient) -> None:
        self._words.update(NEUTRAL.encode(self.control, self._order))
        answer = await client.readwrite_registers(  # one request: what is read has seen what was written
            read_address=0,
            read_count=NEUTRAL.size,
            write_address=NEUTRAL.block("plc").start,
            values=list(self._words.values()),
        )
        if answer.isError():
            raise StationFault(f"the bridge refused an exchange: {answer}")
        words = answer.registers
        self.registers = {
            **NEUTRAL.decode(words, self._order, direction="plc"),
            **NEUTRAL.decode(words, self._order, direction="vision"),
        }
        self.exchanges += 1
