"""What is good enough: the rules of AIAG's manual, each named with its figure and its limits.

"Measurement Systems Analysis" (4th edition 2010), chapter II.D: a gauge that takes up to 10 % of the variation or of
the tolerance is acceptable, above 30 % it is not, between them it may be, for the use at hand; and it should tell at
least five kinds of part apart. Chapter III.C: a kappa above 0.75 is good agreement, below 0.40 poor.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from lineside.statistics.agreement import GOOD, POOR, Kappa
from lineside.statistics.gauge_study import Bounded, GaugeStudy
from lineside.statistics.wording import percent

__all__ = ["Rule", "Ruling", "answer_of", "rule_of_kappa", "rules_of", "worst"]

_ACCEPTABLE, _NOT_ACCEPTABLE = 0.10, 0.30
_CATEGORIES = 5


class Ruling(enum.IntEnum):
    """From good to bad."""

    ACCEPTABLE = 0
    MARGINAL = 1
    NOT_ACCEPTABLE = 2

    @property
    def words(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule and what it says of this gauge: `clause` is a part of a sentence whose subject is the gauge."""

    name: str
    figure: str
    limits: str
    ruling: Ruling
    clause: str
    at_worst: Ruling
    """What it would say of the bad bound of the figure."""


def rules_of(study: GaugeStudy, tolerance: float | None) -> tuple[Rule, ...]:
    """The rules that hold for the study; that of the tolerance where there is one."""
    rules = []
    if tolerance is not None:
        rules.append(_rule_of_share("tolerance", study.share_of_tolerance(tolerance)))
    rules.append(_rule_of_share("total variation", study.gauge_share))
    told = "any number of" if study.whole_categories is None else str(study.whole_categories)
    rules.append(
        Rule(
            name="number of distinct categories (ndc)",
            figure=told,
            limits=f"at least {_CATEGORIES}",
            ruling=_by_categories(study.categories.value),
            clause=f"tells {told} kinds of part apart (ndc; at least {_CATEGORIES})",
            at_worst=_by_categories(study.categories.low),
        )
    )
    return tuple(rules)


def rule_of_kappa(kappa: Kappa) -> Rule:
    """What a kappa means."""
    return Rule(
        name=f"kappa, {kappa.what}",
        figure="none" if kappa.value is None else f"{kappa.value:.2f}",
        limits=f"above {GOOD:g} good, below {POOR:g} poor",
        ruling=_by_kappa(kappa.value),
        clause=f"{kappa.what}: {'not to be told' if kappa.value is None else f'kappa {kappa.value:.2f}'}",
        at_worst=_by_kappa(kappa.low),
    )


def worst(rules: Sequence[Rule]) -> Ruling:
    """A gauge is as good as the rule that it is worst by."""
    return max(rule.ruling for rule in rules)


def answer_of(rules: Sequence[Rule]) -> str:
    """The answer in one sentence: the rules that decide come first."""
    ruling = worst(rules)
    deciding = [rule.clause for rule in rules if rule.ruling is ruling]
    others = [rule.clause for rule in rules if rule.ruling is not ruling]
    told = " and ".join(deciding)
    return f"The gauge is {ruling.words} by AIAG's rules: it {told}{'; it ' + ' and '.join(others) if others else ''}."


def _rule_of_share(of: str, share: Bounded) -> Rule:
    return Rule(
        name=f"%GRR of the {of}",
        figure=f"{percent(share.value)} ({percent(share.low, up=False)} to {percent(share.high, up=True)})",
        limits=f"up to {percent(_ACCEPTABLE)} acceptable, above {percent(_NOT_ACCEPTABLE)} not",
        ruling=_by_share(share.value),
        clause=f"takes {percent(share.value)} of the {of} ({_zone(share.value)})",
        at_worst=_by_share(share.high),
    )


def _zone(share: float) -> str:
    if share <= _ACCEPTABLE:
        return f"up to {percent(_ACCEPTABLE)} is acceptable"
    return (
        f"above {percent(_NOT_ACCEPTABLE)} is not acceptable"
        if share > _NOT_ACCEPTABLE
        else f"{percent(_ACCEPTABLE)} to {percent(_NOT_ACCEPTABLE)} is marginal"
    )


def _by_share(share: float) -> Ruling:
    if share <= _ACCEPTABLE:
        return Ruling.ACCEPTABLE
    return Ruling.MARGINAL if share <= _NOT_ACCEPTABLE else Ruling.NOT_ACCEPTABLE


def _by_categories(categories: float) -> Ruling:
    return Ruling.ACCEPTABLE if categories >= _CATEGORIES else Ruling.NOT_ACCEPTABLE


def _by_kappa(kappa: float | None) -> Ruling:
    if kappa is None or kappa < POOR:
        return Ruling.NOT_ACCEPTABLE
    return Ruling.ACCEPTABLE if kappa > GOOD else Ruling.MARGINAL
