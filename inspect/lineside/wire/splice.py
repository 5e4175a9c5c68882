"""Puts an already serialised message into another one, byte for byte.

A verdict is serialised once, when it is journalled. A response that carries it is written by hand as far as that one
field goes: tag, length, the journalled bytes. To the client it is the same message.
"""

__all__ = ["spliced"]

_LENGTH_DELIMITED = 2


def spliced(field_number: int, payload: bytes) -> bytes:
    """`payload` as the length-delimited field of that number (1 to 15, whose tag is one byte)."""
    return bytes((field_number << 3 | _LENGTH_DELIMITED,)) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
