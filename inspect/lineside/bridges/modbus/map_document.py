"""The register map as a document: Markdown for people, CSV for PLC tools. Made from the table that the code runs on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from lineside.bridges.modbus.register_map import Register, RegisterMap

__all__ = ["as_csv", "as_markdown"]

_OLD_NOTATION = 40001
_WRITER = {"plc": "PLC", "vision": "bridge"}
_IEC_TYPE = {"bits": "WORD", "u16": "UINT", "i16": "INT", "u32": "UDINT", "text": "STRING"}


def as_markdown(registers: RegisterMap) -> str:
    """One table of registers, one of bits."""
    lines = ["| address | old notation | words | type | written by | name | meaning |", "|---|---|---|---|---|---|---|"]
    for each in registers.registers:
        where = f"| {each.address} | {each.address + _OLD_NOTATION} | {each.width} | {each.kind} "
        lines.append(f"{where}| {_WRITER[each.direction]} | `{each.name}` | {each.meaning} |")
    lines += ["", "| register | bit | name |", "|---|---|---|"]
    lines += [f"| `{each.name}` | {place} | `{bit}` |" for each, place, bit in _bits(registers)]
    return "\n".join(lines) + "\n"


def as_csv(registers: RegisterMap) -> str:
    """A row per register, and one per named bit. Types are IEC 61131-3's; a text has its length in characters."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", "address", "old_notation", "bit", "words", "type", "written_by", "meaning"])
    for each in registers.registers:
        kind = f"STRING[{2 * each.width}]" if each.kind == "text" else _IEC_TYPE[each.kind]
        old = each.address + _OLD_NOTATION
        writer.writerow([each.name, each.address, old, "", each.width, kind, _WRITER[each.direction], each.meaning])
        for place, bit in enumerate(each.bits):
            if bit:
                row = [f"{each.name}.{bit}", each.address, old, place, "", "BOOL", _WRITER[each.direction], ""]
                writer.writerow(row)
    return out.getvalue()


def _bits(registers: RegisterMap) -> Iterator[tuple[Register, int, str]]:
    for each in registers.registers:
        for place, bit in enumerate(each.bits):
            if bit:
                yield each, place, bit
