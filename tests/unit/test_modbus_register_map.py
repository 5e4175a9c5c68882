"""One table, four word orders: what is written is what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.bridges.modbus.register_map import NEUTRAL, Control, Status, WordOrder

orders = st.sampled_from(WordOrder)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (WordOrder.ABCD, [0x0A0B, 0x0C0D]),
        (WordOrder.CDAB, [0x0C0D, 0x0A0B]),
        (WordOrder.BADC, [0x0B0A, 0x0D0C]),
        (WordOrder.DCBA, [0x0D0C, 0x0B0A]),
    ],
)
def test_each_word_order_lays_a_32_bit_value_as_its_name_says(order: WordOrder, words: list[int]) -> None:
    assert words == NEUTRAL.by_name["part_id"].encode(0x0A0B0C0D, order)


@given(value=st.integers(0, 2**32 - 1), order=orders)
def test_a_32_bit_value_comes_back_in_every_order(value: int, order: WordOrder) -> None:
    register = NEUTRAL.by_name["part_id"]

    assert value == register.decode(register.encode(value, order), order)


@given(value=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=32), order=orders)
def test_a_serial_comes_back_in_every_order(value: str, order: WordOrder) -> None:
    register = NEUTRAL.by_name["serial"]

    assert value == register.decode(register.encode(value, order), order)


@given(value=st.integers(-0x8000, 0x7FFF), order=orders)
def test_slack_is_signed(value: int, order: WordOrder) -> None:
    register = NEUTRAL.by_name["slack_ms"]

    assert value == register.decode(register.encode(value, order), order)


def test_a_number_beyond_its_register_is_shown_as_the_end_of_the_range_and_never_wraps() -> None:
    by_name, order = NEUTRAL.by_name, WordOrder.ABCD

    assert [0xFFFF] == by_name["processing_ms"].encode(70_000, order)
    assert [0] == by_name["processing_ms"].encode(-1, order)
    assert [0x8000] == by_name["slack_ms"].encode(-40_000, order)


def test_text_shows_what_is_not_printable_as_a_question_mark() -> None:
    register = NEUTRAL.by_name["serial"]

    assert "A?B" == register.decode([0x4107, 0x4200, 0x4343] + [0] * 13, WordOrder.ABCD)


def test_the_whole_map_fits_into_one_modbus_request() -> None:
    assert NEUTRAL.size <= 125


def test_no_bit_is_named_twice_and_each_flag_has_its_place() -> None:
    assert [flag.name for flag in Control] == list(NEUTRAL.by_name["control"].bits)
    assert [flag.name for flag in Status] == list(NEUTRAL.by_name["status"].bits)
    assert all(1 << place == flag for place, flag in enumerate(Status))


@given(values=st.fixed_dictionaries({"verdict": st.integers(0, 3), "boot_id": st.integers(0, 2**32 - 1)}), order=orders)
def test_the_block_that_the_plc_reads_decodes_as_it_was_encoded(values: dict[str, int], order: WordOrder) -> None:
    words = [0] * NEUTRAL.size
    for address, word in NEUTRAL.encode(values, order).items():
        words[address] = word
    block = NEUTRAL.block("vision")

    decoded = NEUTRAL.decode(words[block.start :], order, direction="vision", start=block.start)

    assert values == {name: decoded[name] for name in values}
