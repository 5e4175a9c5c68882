"""The register maps: one table from which the server's image, the printed map and the simulated PLC are made.

Addresses count from 0, as on the wire ("40001" of the old notation is address 0). Registers are holding registers;
input registers (function 4) show the same. The whole map fits into one request of 125 registers, so that a PLC can
read everything in one consistent piece.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from lineside.bridges.plc import Command, Control, Status

__all__ = [
    "MAP_VERSION",
    "NEUTRAL",
    "NOTHING_TOLD",
    "Command",
    "Control",
    "Register",
    "RegisterMap",
    "Status",
    "WordOrder",
]

MAP_VERSION = 1
"""Shown to the PLC; changes when a register changes its meaning or its place, not when one is added."""

Direction = Literal["plc", "vision"]
"""Who writes it."""

Kind = Literal["bits", "u16", "i16", "u32", "text"]

Value = int | str


class WordOrder(enum.Enum):
    """How the bytes A (highest) to D of a 32-bit value lie in two registers. Text follows its byte order.

    16-bit values and bits always lie as Modbus says, high byte first.
    """

    ABCD = "ABCD"  # high word first, as Modbus lays its own bytes
    CDAB = "CDAB"  # low word first
    BADC = "BADC"
    DCBA = "DCBA"

    @property
    def low_word_first(self) -> bool:
        return self in (WordOrder.CDAB, WordOrder.DCBA)

    @property
    def low_byte_first(self) -> bool:
        return self in (WordOrder.BADC, WordOrder.DCBA)


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """One row of a map: a value in `width` words from `address`. `bits` names each bit from bit 0, "" for unused."""

    name: str
    direction: Direction
    address: int
    kind: Kind
    meaning: str
    width: int = 1
    bits: tuple[str, ...] = ()

    def encode(self, value: Value, order: WordOrder) -> list[int]:
        """The words of a value. Numbers beyond the range are shown as its end, never wrapped; long text is cut."""
        match self.kind:
            case "bits":
                return [int(value) & 0xFFFF]
            case "u16":
                return [min(max(int(value), 0), 0xFFFF)]
            case "i16":
                return [min(max(int(value), -0x8000), 0x7FFF) & 0xFFFF]
            case "u32":
                return _words_of_u32(int(value) & 0xFFFF_FFFF, order)
            case "text":
                raw = str(value).encode("ascii", "replace")[: 2 * self.width].ljust(2 * self.width, b"\0")
                return [_word(raw[at : at + 2], order) for at in range(0, len(raw), 2)]

    def decode(self, words: Sequence[int], order: WordOrder) -> Value:
        """The value of `width` words. Text ends at the first zero; what is not printable ASCII becomes "?"."""
        match self.kind:
            case "bits" | "u16":
                return words[0]
            case "i16":
                return words[0] - 0x1_0000 if words[0] & 0x8000 else words[0]
            case "u32":
                return _u32_of_words(words, order)
            case "text":
                raw = b"".join(_bytes(word, order) for word in words).partition(b"\0")[0]
                return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in raw).strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterMap:
    """All registers of one profile, in the order of their addresses. Words between two of them are always zero."""

    profile: str
    registers: tuple[Register, ...]
    by_name: Mapping[str, Register] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for before, after in pairwise(self.registers):
            if before.address + before.width > after.address:
                raise ValueError(f"{after.name} lies on {before.name}")
        object.__setattr__(self, "by_name", {register.name: register for register in self.registers})

    @property
    def size(self) -> int:
        """How many registers there are, unused ones included."""
        last = self.registers[-1]
        return last.address + last.width

    def written_by(self, direction: Direction) -> tuple[Register, ...]:
        return tuple(register for register in self.registers if register.direction == direction)

    def block(self, direction: Direction) -> range:
        """The addresses between the first and the last register of one direction."""
        registers = self.written_by(direction)
        return range(registers[0].address, registers[-1].address + registers[-1].width)

    def encode(self, values: Mapping[str, Value], order: WordOrder) -> dict[int, int]:
        """Word by address, of the registers named in `values`."""
        words: dict[int, int] = {}
        for name, value in values.items():
            register = self.by_name[name]
            words.update(enumerate(register.encode(value, order), register.address))
        return words

    def decode(
        self, words: Sequence[int], order: WordOrder, *, direction: Direction, start: int = 0
    ) -> dict[str, Value]:
        """Every value of one direction from `words`, the first of which stands at address `start`.

        Raises: IndexError where `words` do not cover the block.
        """
        values: dict[str, Value] = {}
        for register in self.written_by(direction):
            at = register.address - start
            if at < 0 or at + register.width > len(words):
                raise IndexError(f"{register.name} at {register.address} is not among the words read")
            values[register.name] = register.decode(words[at : at + register.width], order)
        return values


NOTHING_TOLD = 0
"""The verdict register while there is none. PASS is 1 and nothing else: zero, all ones and stale memory are no PASS."""


def _words_of_u32(value: int, order: WordOrder) -> list[int]:
    high, low = value >> 16, value & 0xFFFF
    if order.low_byte_first:
        high, low = _swapped(high), _swapped(low)
    return [low, high] if order.low_word_first else [high, low]


def _u32_of_words(words: Sequence[int], order: WordOrder) -> int:
    high, low = (words[1], words[0]) if order.low_word_first else (words[0], words[1])
    if order.low_byte_first:
        high, low = _swapped(high), _swapped(low)
    return high << 16 | low


def _swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8


def _word(two: bytes, order: WordOrder) -> int:
    return int.from_bytes(two, "little" if order.low_byte_first else "big")


def _bytes(word: int, order: WordOrder) -> bytes:
    return word.to_bytes(2, "little" if order.low_byte_first else "big")


def _plc(address: int, name: str, kind: Kind, meaning: str, *, width: int = 1, bits: Iterable[str] = ()) -> Register:
    return Register(
        name=name, direction="plc", address=address, kind=kind, meaning=meaning, width=width, bits=tuple(bits)
    )


_STATUS_AT = 64


def _vision(offset: int, name: str, kind: Kind, meaning: str, *, bits: Iterable[str] = ()) -> Register:
    return Register(
        name=name,
        direction="vision",
        address=_STATUS_AT + offset,
        kind=kind,
        meaning=meaning,
        width=2 if kind == "u32" else 1,
        bits=tuple(bits),
    )


def _names(flags: type[enum.IntFlag]) -> list[str]:
    return [str(flag.name) for flag in flags]


NEUTRAL = RegisterMap(
    profile="neutral",
    registers=(
        _plc(0, "control", "bits", "Held until answered: see the handshake", bits=_names(Control)),
        _plc(1, "plc_heartbeat", "u16", "Counts up at least every heartbeat period; the PLC counts as gone otherwise"),
        _plc(2, "command", "u16", "1 load recipe, 2 self-test, 3 clear queue, 4 abort; done with EXECUTE"),
        _plc(3, "recipe_number", "u16", "The recipe to load, as numbered in the bridge's file"),
        _plc(
            4, "part_id", "u32", "The part at the trigger, as the line numbers it; comes back with the result", width=2
        ),
        _plc(6, "encoder_count", "u32", "The encoder at the trigger, latched; comes back with the result", width=2),
        _plc(8, "deadline_ms", "u16", "Due time after the trigger; 0: the recipe's"),
        _plc(16, "serial", "text", "Serial text of the part; where empty, part_id names it in the records", width=16),
        _vision(0, "status", "bits", "Read it in the same request as what it speaks of", bits=_names(Status)),
        _vision(1, "vision_heartbeat", "u16", "Counts up while the bridge lives; standing still: stop or reject"),
        _vision(2, "acquisition_id", "u16", "The last trigger taken, 1 to 65535; note it at TRIGGER_ACK"),
        _vision(3, "result_acquisition_id", "u16", "The trigger that this result answers"),
        _vision(4, "result_part_id", "u32", "The part that this result is about"),
        _vision(6, "verdict", "u16", "1 PASS, 2 FAIL, 3 NOT_INSPECTED; anything but 1 means reject"),
        _vision(7, "reason", "u16", "Why it is no PASS: see the reason codes"),
        _vision(8, "defect_class", "u16", "Worst defect, as numbered in the bridge's file; 65535: not numbered there"),
        _vision(9, "score_x1000", "u16", "Worst score of all views times 1000; higher is worse"),
        _vision(10, "processing_ms", "u16", "From the trigger to the verdict, in the station"),
        _vision(11, "slack_ms", "i16", "Due time minus now when the result came to the bridge; negative: too late"),
        _vision(
            12, "recipe_current", "u16", "The recipe at work, as numbered in the bridge's file; 0: not numbered there"
        ),
        _vision(13, "recipe_used", "u16", "The recipe that judged this result"),
        _vision(14, "config_fingerprint", "u32", "First 32 bits of the SHA-256 over everything that judges"),
        _vision(16, "queue_free", "u16", "Triggers that can still be taken before a result must be acknowledged"),
        _vision(17, "fault_code", "u16", "Why FAULT or WARNING or a failed command: see the fault codes"),
        _vision(18, "triggers", "u32", "Triggers taken since the bridge started"),
        _vision(20, "passed", "u32", "Results acknowledged while shown as PASS"),
        _vision(22, "failed", "u32", "Results acknowledged while shown as FAIL"),
        _vision(24, "not_inspected", "u32", "Results acknowledged while shown as NOT_INSPECTED"),
        _vision(26, "missed", "u32", "Triggers not taken: each was answered with ACQUISITION_ERROR"),
        _vision(28, "boot_id", "u32", "New at every start of the bridge: counters and ids begin again"),
        _vision(30, "map_version", "u16", "1"),
        _vision(31, "results_waiting", "u16", "Results not yet acknowledged, the shown one included"),
        _vision(32, "acknowledged", "u32", "Results that the PLC has acknowledged"),
        _vision(34, "dropped", "u32", "Results given up: by the PLC's order (clear queue, abort), or at OVERRUN"),
        _vision(36, "late", "u32", "Verdicts that came after their due time and were shown as NOT_INSPECTED"),
        _vision(38, "refused_requests", "u32", "Modbus requests answered with an exception or cut off as malformed"),
        _vision(40, "connections", "u16", "Modbus connections now open"),
        _vision(41, "unreported", "u16", "Missed parts that the station could not yet be told of"),
        _vision(42, "result_encoder_count", "u32", "The encoder count that was latched at this result's trigger"),
        _vision(44, "results_shown", "u32", "Results shown since the bridge started: one more, another result"),
    ),
)
"""The map of this project. PLC writes 0 to 31, reads from 64; 0 to 109 is one request."""
