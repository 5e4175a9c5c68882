"""The structured text of docs/plc.md, as it stands there, drives a real bridge and opens the gate for PASS alone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from small_bridge import running_bridge
from small_project import make_project, running
from structured_text import Program

from lineside.bridges.modbus.register_map import NEUTRAL, WordOrder
from lineside.client import Outcome, StationClient

PAGE = Path(__file__).parents[2] / "docs" / "plc.md"
BLOCK = NEUTRAL.block("vision")
SCAN_S = 0.01
GATE_DISTANCE = 1000


class Bits:
    """A word of named bits."""

    def __init__(self, register: str, word: int = 0) -> None:
        for place, name in enumerate(NEUTRAL.by_name[register].bits):
            setattr(self, name, bool(word >> place & 1))

    def word(self, register: str) -> int:
        return sum(getattr(self, name) << place for place, name in enumerate(NEUTRAL.by_name[register].bits))


class Out:
    """What the PLC writes. `control := 0` clears all its bits."""

    def __init__(self) -> None:
        self.control = Bits("control")
        self.plc_heartbeat = self.part_id = self.encoder_count = 0

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, Bits("control", value) if name == "control" and isinstance(value, int) else value)

    def words(self) -> list[int]:
        values: dict[str, int | str] = {
            "control": self.control.word("control"),
            "plc_heartbeat": self.plc_heartbeat,
            "part_id": self.part_id,
            "encoder_count": self.encoder_count,
        }
        words = [0] * 8
        for address, word in NEUTRAL.encode(values, WordOrder.ABCD).items():
            words[address] = word
        return words


class OnDelay:
    """TON."""

    Q = False
    _since = 0.0

    def __call__(self, *, IN: bool, PT: float) -> None:  # noqa: N803 - the standard's names
        now = time.monotonic()
        self._since = self._since or now if IN else 0.0
        self.Q = IN and now - self._since >= PT


class Cabinet:
    """What the program finds in its PLC: the link to the bridge, a FIFO of parts, an encoder, a gate."""

    def __init__(self, port: int) -> None:
        self.client = ModbusTcpClient("127.0.0.1", port=port, timeout=2, retries=0)
        assert self.client.connect()
        self.fifo: list[SimpleNamespace] = []
        self.rejected_everything = 0
        self.inputs = self._in([0] * len(BLOCK))
        page = PAGE.read_text()
        host = {
            "Out": Out(),
            "In": self.inputs,
            "VisionAlive": OnDelay(),
            "Exchange": self._exchange,
            "RejectEverything": self._reject_everything,
            "Fifo_Add": lambda **part: self.fifo.append(SimpleNamespace(**part, good=False)),
            "Fifo_AddReject": lambda **part: self.fifo.append(SimpleNamespace(**part, Acquisition=0, good=False)),
            "Fifo_Mark": self._mark,
            "Fifo_AtGate": lambda Count: any(part.Target == Count for part in self.fifo),  # noqa: N803
            "Fifo_IsGood": lambda: any(
                part.good for part in self.fifo if part.Target == self.program.values["EncoderNow"]
            ),
            "GATE_DISTANCE": GATE_DISTANCE,
            "EncoderNow": 0,
        }
        self.program = Program(page.split("IEC 61131-3")[1].split("```text\n")[1].split("```")[0], host)

    async def scan_until(self, done: Any, timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            self.program.scan()
            if done():
                return
            assert time.monotonic() < deadline, vars(self.inputs)
            await asyncio.sleep(SCAN_S)

    def _exchange(self, *, Out: Out, In: SimpleNamespace) -> None:  # noqa: N803
        try:
            answer = self.client.readwrite_registers(
                read_address=BLOCK.start, read_count=len(BLOCK), write_address=0, values=Out.words(), device_id=1
            )
        except (ModbusException, OSError):  # a vendor's block keeps what it has read last
            return
        In.__dict__.update(self._in(answer.registers).__dict__)

    @staticmethod
    def _in(words: list[int]) -> SimpleNamespace:
        values = NEUTRAL.decode(words, WordOrder.ABCD, direction="vision", start=BLOCK.start)
        return SimpleNamespace(**values | {"status": Bits("status", int(values["status"]))})

    def _mark(self, *, Acquisition: int, Good: bool) -> None:  # noqa: N803
        for part in self.fifo:
            if part.Acquisition == Acquisition:
                part.good = Good

    def _is_good(self) -> bool:
        return any(part.good for part in self.fifo if part.Target == self.program.values["EncoderNow"])

    def _reject_everything(self) -> None:
        self.rejected_everything += 1
        for part in self.fifo:
            part.good = False

    def gate_rejects(self, target: int) -> bool:
        """Scans once with the part that has this target at the gate; what the program put out."""
        self.program.values["EncoderNow"] = target
        self.program.scan()
        return bool(self.program.values["Gate"])


@pytest.mark.parametrize("due_ms", [60_000, 25])
async def test_the_program_of_the_page_opens_the_gate_for_a_pass_and_for_nothing_else(
    tmp_path: Path, due_ms: int
) -> None:
    """The slow model answers no part within 25 ms: what is then NOT_INSPECTED must be rejected."""
    station = make_project(tmp_path, trigger='source = "software"', due_ms=due_ms, layers=300 if due_ms == 25 else 0)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        cabinet = Cabinet(bridge.port)
        values = cabinet.program.values
        await cabinet.scan_until(lambda: cabinet.inputs.status.TRIGGER_READY)
        for part_id in range(101, 107):
            values.update(PartId=part_id, Encoder=10 * part_id, NextPart=True)
            await cabinet.scan_until(lambda: len(cabinet.fifo) == values["PartId"] - 100)
        await cabinet.scan_until(lambda: cabinet.inputs.acknowledged == 6)
        rejected = {part.Part: cabinet.gate_rejects(part.Target) for part in cabinet.fifo}
        cabinet.client.close()
        async with StationClient(process.address) as client:
            passed = {int(each.part_id): each.outcome == Outcome.PASS async for each in client.list_verdicts()}

    assert set(range(101, 107)) == rejected.keys() == passed.keys()
    assert [] == [part for part in rejected if not rejected[part] and not passed[part]], "the gate was open for no PASS"
    assert any(passed.values()) == (due_ms > 25)
    assert cabinet.rejected_everything or rejected == {part: not good for part, good in passed.items()}


async def test_the_program_of_the_page_rejects_everything_when_the_bridge_is_gone(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger='source = "software"', due_ms=60_000)
    with running(station) as process, running_bridge(tmp_path, process.address) as bridge:
        cabinet = Cabinet(bridge.port)
        await cabinet.scan_until(lambda: cabinet.inputs.status.TRIGGER_READY)
        bridge.kill()
        await cabinet.scan_until(lambda: cabinet.rejected_everything > 0)
        cabinet.client.close()

    assert 0 == cabinet.program.values["Out"].control.word("control")
