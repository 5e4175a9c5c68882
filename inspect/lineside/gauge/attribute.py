"""What a study of words (pass, fail) shows: do the ratings agree, with themselves, each other and the standard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from lineside.core.errors import ConfigError
from lineside.gauge.crossed import Crossed, crossed
from lineside.gauge.measurement import Measurement
from lineside.gauge.rules import Rule, Ruling, rule_of_kappa, worst
from lineside.statistics.agreement import Kappa, cohen, fleiss

__all__ = ["AttributeAnalysis", "analyse_attribute"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AttributeAnalysis:
    """All that the report tells of a study of words. `between` is of all operators, then of each two of them."""

    table: Crossed
    confidence: float
    within: tuple[Kappa, ...]
    between: tuple[Kappa, ...]
    against: tuple[Kappa, ...]
    rules: tuple[Rule, ...]

    @property
    def ruling(self) -> Ruling:
        return worst(self.rules)

    @property
    def answer(self) -> str:
        """One sentence, for those who read no further."""
        weakest = next(rule for rule in self.rules if rule.ruling is self.ruling)
        return (
            f"The ratings are {self.ruling.words} by AIAG's rules; the weakest is {weakest.clause} ({weakest.limits})."
        )

    @property
    def more(self) -> tuple[str, ...]:
        kappas = (*self.within, *self.between, *self.against)
        weakest = min(kappas, key=_weakness)
        said = [weakest.words, *(each.words for each in self.between[:1] if each is not weakest)]
        at_worst = max(rule.at_worst for rule in self.rules)
        if at_worst > self.ruling:
            said.append(f"Within the bounds they may also be {at_worst.words}: more parts would tell.")
        return (*(f"{each[0].upper()}{each[1:]}" for each in said), *(f"{each}." for each in self.table.left_out))


def analyse_attribute(
    rows: Sequence[Measurement], *, confidence: float = 0.95, drop_incomplete: bool = False
) -> AttributeAnalysis:
    """The standard is the column `reference`, in the same words. Raises: ConfigError for a study that is incomplete, or
    a standard that only some parts have or that differs within a part.
    """
    table = crossed(rows, drop_incomplete=drop_incomplete)
    words = [[[row.value for row in cell] for cell in part] for part in table.cells]
    by_operator = [[part[place] for part in words] for place in range(len(table.operators))]
    within = tuple(
        fleiss(ratings, what=f"{operator} alone", confidence=confidence)
        for operator, ratings in zip(table.operators, by_operator, strict=True)
    )
    standard = _standard(table)
    against = tuple(
        cohen(
            ratings,
            [[word] * table.repeats for word in standard],
            what=f"{operator} and the standard",
            confidence=confidence,
        )
        for operator, ratings in zip(table.operators, by_operator, strict=True)
        if standard
    )
    between = _between(table, words, by_operator, confidence)
    weakest_first = sorted(
        (*within, *between, *against), key=lambda kappa: -1.0 if kappa.value is None else kappa.value
    )
    rules = tuple(rule_of_kappa(each) for each in weakest_first)
    return AttributeAnalysis(
        table=table, confidence=confidence, within=within, between=between, against=against, rules=rules
    )


def _between(
    table: Crossed, words: list[list[list[str]]], by_operator: list[list[list[str]]], confidence: float
) -> tuple[Kappa, ...]:
    if len(table.operators) == 1:
        return ()
    everyone = fleiss(
        [[word for cell in part for word in cell] for part in words], what="all operators", confidence=confidence
    )
    if len(table.operators) == 2:
        return (everyone,)
    pairs = [
        cohen(one, other, what=f"{first} and {second}", confidence=confidence)
        for (first, one), (second, other) in combinations(zip(table.operators, by_operator, strict=True), 2)
    ]
    return (everyone, *pairs)


def _standard(table: Crossed) -> list[str]:
    """The standard's word for each part; empty where there is none."""
    told = []
    for place, part in enumerate(table.parts):
        of_part = {row.reference for row in table.of_part(place) if row.reference}
        if len(of_part) > 1:
            raise ConfigError(f"part {part} has the references {', '.join(sorted(of_part))}", expected="one word")
        told.append(next(iter(of_part), ""))
    if any(told) and not all(told):
        without = table.parts[told.index("")]
        raise ConfigError(
            f"part {without} has no reference, others have", expected="a reference for every part, or none"
        )
    return told if all(told) else []


def _weakness(kappa: Kappa) -> float:
    """Sorts the weakest first, one that cannot be told before all."""
    return -2.0 if kappa.value is None else kappa.value
