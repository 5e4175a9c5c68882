"""A wire message as JSON for pipes: field names as in the .proto, numbers as numbers, enums by their short names."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.message import Message

__all__ = ["json_line"]


def json_line(message: Message) -> str:
    """The message on one line. Absent fields are null; 64-bit numbers are not quoted, unlike in proto3 JSON."""
    return json.dumps(_value(message), ensure_ascii=False)


def _value(message: Message) -> dict[str, Any]:
    return {field.name: _field(message, field) for field in message.DESCRIPTOR.fields}


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(value)
    if field.is_repeated:
        return [_scalar(each, field) for each in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _scalar(value, field)


def _scalar(value: Any, field: Any) -> Any:
    if isinstance(value, Message):
        return _value(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        prefix = "".join(f"_{letter}" if letter.isupper() else letter for letter in field.enum_type.name)
        return known.name.removeprefix(prefix.lstrip("_").upper() + "_") if known is not None else value
    return value.hex() if isinstance(value, bytes) else value
