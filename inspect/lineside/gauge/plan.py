"""Which part is measured by whom, and when: every repeat goes once through all, in an order left to chance.

Within a repeat the operators come in random order, and each takes all parts in a random order of their own. So no part
is measured twice in a row by habit, what drifts meanwhile does not fall on one part or operator, and an operator need
not change places with every part. The seed makes the order again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from lineside.core.errors import ConfigError
from lineside.gauge.measurement import Measurement

__all__ = ["MAX_MEASUREMENTS", "make_plan"]

MAX_MEASUREMENTS = 10_000


def make_plan(
    *,
    parts: Sequence[str],
    operators: Sequence[str],
    repeats: int,
    seed: int,
    measured: str = "",
    references: Mapping[str, str] | None = None,
) -> tuple[Measurement, ...]:
    """All measurements of the study in the order in which they are to be taken. `references` are by part.

    Raises: ConfigError for fewer than two parts or repeats, no operator, a name twice or empty, or a reference of an
    unknown part.
    """
    _check(parts, operators, repeats, references or {})
    chance = random.Random(seed)
    taken = []
    for trial in range(1, repeats + 1):
        for operator in chance.sample(operators, len(operators)):
            for part in chance.sample(parts, len(parts)):
                taken.append((part, operator, trial))
    return tuple(
        Measurement(
            order=order,
            part=part,
            operator=operator,
            trial=trial,
            reference=(references or {}).get(part, ""),
            measured=measured,
        )
        for order, (part, operator, trial) in enumerate(taken, start=1)
    )


def _check(parts: Sequence[str], operators: Sequence[str], repeats: int, references: Mapping[str, str]) -> None:
    if len(parts) < 2 or not operators or repeats < 2:
        raise ConfigError(
            f"a study of {len(parts)} parts, {len(operators)} operators and {repeats} repeats",
            expected="at least two parts, one operator or placement, and two repeats; ten, three and three are usual",
        )
    if len(parts) * len(operators) * repeats > MAX_MEASUREMENTS:
        raise ConfigError(
            f"a study of {len(parts) * len(operators) * repeats} measurements", expected=f"at most {MAX_MEASUREMENTS}"
        )
    for what, names in (("part", parts), ("operator", operators)):
        doubled = sorted({name for name in names if names.count(name) > 1 or not name.strip()})
        if doubled:
            raise ConfigError(
                f"{what} {doubled[0]!r} is there twice or without a name", expected="a name of its own for each"
            )
    if strange := sorted(references.keys() - set(parts)):
        raise ConfigError(f"a reference for part {strange[0]!r}, which is not in the study", expected=", ".join(parts))
