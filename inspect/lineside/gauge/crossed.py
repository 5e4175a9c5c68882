"""A study as a balanced table: every part measured as often by every operator; or the reason why it is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ConfigError
from lineside.gauge.measurement import Measurement, number_of

__all__ = ["Crossed", "crossed", "is_attribute"]

_NAMED = 3
"""So many missing values are named in a message."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Crossed:
    """The measurements by part, operator and trial, in the order of the names. `left_out` tells which parts are not in
    it, and why.
    """

    parts: tuple[str, ...]
    operators: tuple[str, ...]
    repeats: int
    cells: tuple[tuple[tuple[Measurement, ...], ...], ...]
    left_out: tuple[str, ...] = ()

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The values, float64 (parts, operators, repeats). Raises: ConfigError for one that is no number."""
        found = [[[number_of(row.value) for row in cell] for cell in part] for part in self.cells]
        for part, numbers in zip(self.cells, found, strict=True):
            for cell, of_cell in zip(part, numbers, strict=True):
                for row, number in zip(cell, of_cell, strict=True):
                    if number is None:
                        raise ConfigError(
                            f"{row.who} has the value {row.value!r}", expected="a number, as the others have"
                        )
        return np.array(found, np.float64)

    def of_part(self, place: int) -> tuple[Measurement, ...]:
        """All measurements of one part."""
        return tuple(row for cell in self.cells[place] for row in cell)


def is_attribute(rows: Sequence[Measurement]) -> bool:
    """Whether the study's values are words (pass, fail) throughout."""
    values = [row.value for row in rows if row.is_there]
    return bool(values) and all(number_of(value) is None for value in values)


def crossed(rows: Sequence[Measurement], *, drop_incomplete: bool = False) -> Crossed:
    """The table of a study. With `drop_incomplete` a part that lacks a value is left out, and told.

    Raises: ConfigError for a value that is missing, a part or operator measured less often, and too few of either.
    """
    by_cell = {(row.part, row.operator, row.trial): row for row in rows}
    operators = tuple(sorted({row.operator for row in rows}, key=_natural))
    trials = sorted({row.trial for row in rows})
    whole: list[str] = []
    missing: dict[str, list[str]] = {}
    for part in sorted({row.part for row in rows}, key=_natural):
        gaps = [
            _gap(part, operator, trial, by_cell.get((part, operator, trial)))
            for operator in operators
            for trial in trials
            if not ((row := by_cell.get((part, operator, trial))) and row.is_there)
        ]
        if gaps:
            missing[part] = gaps
        else:
            whole.append(part)
    if missing and not drop_incomplete:
        raise _incomplete([gap for gaps in missing.values() for gap in gaps])
    if len(whole) < 2 or len(trials) < 2:
        raise ConfigError(
            f"a study of {len(whole)} parts without a gap and {len(trials)} repeats",
            expected="at least two parts, each measured at least twice by every operator",
        )
    return Crossed(
        parts=tuple(whole),
        operators=operators,
        repeats=len(trials),
        cells=tuple(
            tuple(tuple(by_cell[part, operator, trial] for trial in trials) for operator in operators) for part in whole
        ),
        left_out=tuple(f"Part {part} is left out: {_few(gaps)}" for part, gaps in missing.items()),
    )


def _gap(part: str, operator: str, trial: int, row: Measurement | None) -> str:
    why = "was not measured" if row is None or not row.note else f"has no value ({row.note})"
    return f"part {part} by {operator}, trial {trial} {why}"


def _incomplete(gaps: Sequence[str]) -> ConfigError:
    return ConfigError(
        f"{len(gaps)} measurements of the study are missing: {_few(gaps)}",
        expected="every part measured as often by every operator: only then can the variation be told apart",
        remedy="go on with `lineside gauge run`, or leave such parts out by --drop-incomplete",
    )


def _few(gaps: Sequence[str]) -> str:
    more = f"; and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
    return "; ".join(gaps[:_NAMED]) + more


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts "part 10" behind "part 9"."""
    return [(0, int(each), "") if each.isdecimal() else (1, 0, each) for each in re.split(r"(\d+)", name) if each]
