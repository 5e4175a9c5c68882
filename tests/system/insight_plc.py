"""A PLC program for an In-Sight camera, written from the public description of its Modbus blocks alone.

Nothing here is imported from the bridge: bytes, bits and words stand as the description has them. Only where the four
blocks begin is this bridge's own, as it is every camera's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from pymodbus.client import AsyncModbusTcpClient

CONTROL_AT, INPUT_AT, STATUS_AT, OUTPUT_AT = 0, 2, 32, 34
OUTPUT_WORDS = 6

# Vision Control, as (byte, bit).
TRIGGER_ENABLE, TRIGGER, BUFFER_RESULTS, RESULTS_ACK = (0, 0), (0, 1), (0, 2), (0, 3)
EXECUTE_COMMAND, SET_OFFLINE = (0, 4), (0, 7)
SET_USER_DATA, CLEAR_ERROR, CLEAR_EXPOSURE_COMPLETE = (2, 0), (2, 2), (2, 3)

# Vision Status.
TRIGGER_READY, TRIGGER_ACK, ACQ_ERROR, ONLINE = (0, 0), (0, 1), (0, 3), (0, 7)
INSPECTION_COMPLETED, RESULTS_BUFFER_OVERRUN, RESULTS_VALID = (1, 1), (1, 2), (1, 3)
COMMAND_EXECUTING, COMMAND_COMPLETED, COMMAND_FAILED, ERROR = (1, 4), (1, 5), (1, 6), (1, 7)
SET_USER_DATA_ACK, EXPOSURE_COMPLETE, JOB_PASS = (2, 0), (2, 3), (2, 4)

TEST_RUN = 0x1007

Bit = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Status:
    """One reading of the Vision Status block and the Output block."""

    block: bytes
    output: tuple[int, ...]

    def __getitem__(self, bit: Bit) -> bool:
        byte, place = bit
        return bool(self.block[byte] >> place & 1)

    @property
    def current_job(self) -> int:
        return self.output[0]

    @property
    def acquisition_id(self) -> int:
        return self.output[2]

    @property
    def inspection_id(self) -> int:
        return self.output[3]

    @property
    def user_result(self) -> int:
        """The first result word: the job puts the part's number there."""
        return self.output[5]


class InSightPlc:
    """One scan: the Vision Control and Input blocks go out, the Vision Status and Output blocks come in."""

    def __init__(self, client: AsyncModbusTcpClient) -> None:
        self._client = client
        self._control = bytearray(4)
        self.command = 0
        self.user_data = 0

    def set(self, bit: Bit, on: bool = True) -> None:
        byte, place = bit
        self._control[byte] = self._control[byte] & ~(1 << place) | on << place

    async def scan(self) -> Status:
        low_byte_first = [int.from_bytes(self._control[at : at + 2], "little") for at in (0, 2)]
        words = [*low_byte_first, self.command, self.user_data]
        answer = await self._client.write_registers(CONTROL_AT, words)
        assert not answer.isError(), answer
        answer = await self._client.read_holding_registers(STATUS_AT, count=OUTPUT_AT - STATUS_AT + OUTPUT_WORDS)
        assert not answer.isError(), answer
        block = b"".join(word.to_bytes(2, "little") for word in answer.registers[:2])
        return Status(block, tuple(answer.registers[2:]))

    async def until(self, condition: Callable[[Status], bool], timeout_s: float = 30.0) -> Status:
        deadline = time.monotonic() + timeout_s
        while not condition(status := await self.scan()):
            assert time.monotonic() < deadline, (status.block.hex(" "), status.output)
            await asyncio.sleep(0.005)
        return status

    async def enable(self, *, buffered: bool) -> None:
        """After a reset: Trigger Enable low until nothing of the acquisition is up."""
        self.set(TRIGGER_ENABLE, False)
        await self.until(lambda status: not (status[TRIGGER_READY] or status[TRIGGER_ACK] or status[ACQ_ERROR]))
        self.set(BUFFER_RESULTS, buffered)
        self.set(TRIGGER_ENABLE)

    async def acquire(self, part: int) -> int:
        """The acquisition loop; returns the Acquisition ID, stored at Trigger Ack."""
        self.user_data = part
        self.set(SET_USER_DATA)
        await self.until(lambda status: status[SET_USER_DATA_ACK])
        self.set(SET_USER_DATA, False)
        await self.until(lambda status: status[TRIGGER_READY] and not status[SET_USER_DATA_ACK])
        self.set(TRIGGER)
        acked = await self.until(lambda status: status[TRIGGER_ACK])
        assert not acked[TRIGGER_READY]
        self.set(TRIGGER, False)
        await self.until(lambda status: not status[TRIGGER_ACK])
        return acked.acquisition_id

    async def part_may_move(self) -> None:
        """Waits for Exposure Complete and clears it."""
        await self.until(lambda status: status[EXPOSURE_COMPLETE])
        self.set(CLEAR_EXPOSURE_COMPLETE)
        await self.until(lambda status: not status[EXPOSURE_COMPLETE])
        self.set(CLEAR_EXPOSURE_COMPLETE, False)

    async def take_result(self) -> Status:
        """The result loop; returns what stood there while Results Valid was up."""
        result = await self.until(lambda status: status[RESULTS_VALID])
        self.set(RESULTS_ACK)
        await self.until(lambda status: not status[RESULTS_VALID])
        self.set(RESULTS_ACK, False)
        await self.scan()
        return result

    async def execute(self, command: int) -> bool:
        """A command, offline as it must be; True when it was completed."""
        self.set(SET_OFFLINE)
        await self.until(lambda status: not status[ONLINE])
        self.command = command
        self.set(EXECUTE_COMMAND)
        ended = await self.until(lambda status: status[COMMAND_COMPLETED] or status[COMMAND_FAILED])
        self.set(EXECUTE_COMMAND, False)
        await self.until(lambda status: not (status[COMMAND_COMPLETED] or status[COMMAND_FAILED]))
        self.set(SET_OFFLINE, False)
        await self.until(lambda status: status[ONLINE])
        return ended[COMMAND_COMPLETED]
