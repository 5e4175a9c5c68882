"""The wire only grows: whatever a released client says or understands keeps its number, name, type and meaning.

`proto/released/v1.binpb` is the descriptor of the released wire, replaced at a release, never to silence this test.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from lineside.wire.v1 import inspection_pb2 as pb

RELEASED = Path(__file__).parents[2] / "proto" / "released" / "v1.binpb"


def released() -> FileDescriptorProto:
    [file] = FileDescriptorSet.FromString(RELEASED.read_bytes()).file
    return file


def today() -> FileDescriptorProto:
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return file


def breaches(before: FileDescriptorProto, after: FileDescriptorProto) -> list[str]:
    """What a client of `before` would misunderstand in `after`."""
    found = [] if before.package == after.package else [f"package {before.package} is gone"]
    messages = {message.name: message for message in after.message_type}
    enums = {enum.name: enum for enum in after.enum_type}
    for message in before.message_type:
        found += fields_changed(message, messages.get(message.name, DescriptorProto()))
    for enum in before.enum_type:
        found += values_changed(enum, enums.get(enum.name, EnumDescriptorProto()))
    calls = {method.name: method for service in after.service for method in service.method}
    found += [
        f"call {method.name} changed"
        for service in before.service
        for method in service.method
        if calls.get(method.name) != method
    ]
    return found


def fields_changed(before: DescriptorProto, after: DescriptorProto) -> list[str]:
    now = {field.number: field for field in after.field}
    reserved = {number for span in after.reserved_range for number in range(span.start, span.end)}
    found = []
    for field in before.field:
        place = f"{before.name}.{field.name} = {field.number}"
        if field.number not in now:
            if field.number not in reserved or field.name not in after.reserved_name:
                found.append(f"{place} was removed without reserving its number and name")
        elif meaning(field, before) != meaning(now[field.number], after):
            found.append(f"{place} changed, or its number was used again")
    return found


def meaning(field: FieldDescriptorProto, message: DescriptorProto) -> tuple[object, ...]:
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    return (field.name, field.type, field.label, field.type_name, oneof)


def values_changed(before: EnumDescriptorProto, after: EnumDescriptorProto) -> list[str]:
    now = {value.number: value.name for value in after.value}
    reserved = {number for span in after.reserved_range for number in range(span.start, span.end + 1)}
    return [
        f"{before.name}: {value.name} = {value.number} is gone or renamed"
        for value in before.value
        if now.get(value.number) != value.name
        and not (value.number not in now and value.number in reserved and value.name in after.reserved_name)
    ]


def test_the_wire_keeps_everything_that_was_released() -> None:
    assert breaches(released(), today()) == []


def verdict(file: FileDescriptorProto) -> DescriptorProto:
    return next(message for message in file.message_type if message.name == "Verdict")


def renumber(file: FileDescriptorProto) -> None:
    verdict(file).field[6].number = 99


def rename(file: FileDescriptorProto) -> None:
    verdict(file).field[6].name = "result"


def retype(file: FileDescriptorProto) -> None:
    verdict(file).field[0].type = FieldDescriptorProto.TYPE_INT32


def reuse(file: FileDescriptorProto) -> None:
    verdict(file).field[6].name, verdict(file).field[6].type = "colour", FieldDescriptorProto.TYPE_STRING


def remove(file: FileDescriptorProto) -> None:
    del verdict(file).field[6]


def swap_outcomes(file: FileDescriptorProto) -> None:
    outcome = next(enum for enum in file.enum_type if enum.name == "Outcome")
    outcome.value[1].name, outcome.value[2].name = outcome.value[2].name, outcome.value[1].name


def drop_call(file: FileDescriptorProto) -> None:
    del file.service[0].method[0]


@pytest.mark.parametrize("change", [renumber, rename, retype, reuse, remove, swap_outcomes, drop_call])
def test_a_change_that_would_mislead_a_released_client_is_found(change: Callable[[FileDescriptorProto], None]) -> None:
    changed = today()
    change(changed)

    assert len(breaches(released(), changed)) in (1, 2)


def add_field(file: FileDescriptorProto) -> None:
    verdict(file).field.add(name="shift", number=500, type=FieldDescriptorProto.TYPE_STRING)


def remove_and_reserve(file: FileDescriptorProto) -> None:
    gone = verdict(file).field[6]
    verdict(file).reserved_range.add(start=gone.number, end=gone.number + 1)
    verdict(file).reserved_name.append(gone.name)
    del verdict(file).field[6]


@pytest.mark.parametrize("change", [add_field, remove_and_reserve])
def test_growing_and_orderly_removal_are_no_breach(change: Callable[[FileDescriptorProto], None]) -> None:
    changed = today()
    change(changed)

    assert breaches(released(), changed) == []
