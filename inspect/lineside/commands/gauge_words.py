"""What the words of `lineside gauge` mean."""

from __future__ import annotations

from collections.abc import Sequence

from lineside.core.errors import ConfigError
from lineside.gauge.measurand import Measurand
from lineside.gauge.measurement import Measurement, number_of

__all__ = ["names_of", "numbers_of", "pair_of", "unit_of"]


def names_of(text: str, what: str) -> list[str]:
    """What "3" means (1, 2, 3), and what "Ann,Bob"."""
    if not text:
        raise ConfigError(f"a new study without {what}", expected=f"--{what} with a number of them, or their names")
    if text.isdecimal():
        return [str(number) for number in range(1, min(int(text), 10_000) + 1)]
    return [name.strip() for name in text.split(",")]


def pair_of(text: str) -> tuple[str, str]:
    part, equals, value = text.rpartition("=")
    if not equals or not part or not value:
        raise ConfigError(f"the reference {text!r}", expected="PART=VALUE")
    return part, value


def numbers_of(pairs: Sequence[str]) -> dict[str, float]:
    numbers = {}
    for part, value in map(pair_of, pairs):
        number = number_of(value)
        if number is None:
            raise ConfigError(f"the reference {value!r} of part {part}", expected="a number")
        numbers[part] = number
    return numbers


def unit_of(rows: Sequence[Measurement]) -> str:
    measured = {row.measured for row in rows}
    if len(measured) != 1 or "" in measured:
        return ""
    try:
        return Measurand.of_words(measured.pop()).quantity.unit
    except ConfigError:  # measured elsewhere, in words of its own
        return ""
