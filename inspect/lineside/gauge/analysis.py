"""What a study of numbers shows: variation told apart, bias where references are known, and the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lineside.core.errors import ConfigError
from lineside.gauge.crossed import Crossed, crossed
from lineside.gauge.measurand import LARGEST
from lineside.gauge.measurement import Measurement, number_of
from lineside.gauge.rules import Rule, Ruling, answer_of, rules_of, worst
from lineside.statistics.control_limits import XbarR, xbar_r
from lineside.statistics.gauge_study import GaugeStudy
from lineside.statistics.linearity import Bias, Linearity, bias, linearity
from lineside.statistics.variance import POOL_ABOVE, crossed_study

__all__ = ["Analysis", "Asked", "analyse", "references_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is known beside the measurements. `tolerance` is its whole width, `references` are by part, both in the
    measured unit; `references` go before those in the file.
    """

    tolerance: float | None = None
    references: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    pool_above: float = POOL_ABOVE
    confidence: float = 0.95
    drop_incomplete: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Analysis:
    """All that the report tells of a study of numbers. `biases` are by reference; `line` needs three references."""

    table: Crossed
    asked: Asked
    study: GaugeStudy
    charts: XbarR
    rules: tuple[Rule, ...]
    biases: tuple[Bias, ...]
    mean_bias: Bias | None
    line: Linearity | None

    @property
    def ruling(self) -> Ruling:
        return worst(self.rules)

    @property
    def answer(self) -> str:
        """One sentence, for those who read no further."""
        return answer_of(self.rules)

    @property
    def more(self) -> tuple[str, ...]:
        """What is to be known beside the answer, a sentence each."""
        said = [self.study.words, self.study.interaction_words]
        at_worst = max(rule.at_worst for rule in self.rules)
        if at_worst > self.ruling:
            said.append(
                f"Within the bounds it may also be {at_worst.words}: more operators or placements would tell the"
                " reproducibility better, more parts the variation of the parts."
            )
        said += _of_ranges(self.table, self.charts)
        said += _of_several(self.table)
        if self.mean_bias is not None:
            said.append(self.mean_bias.words)
        if self.line is not None:
            said.append(self.line.words)
        return (*said, *(f"{each}." for each in self.table.left_out))


def analyse(rows: Sequence[Measurement], asked: Asked) -> Analysis:
    """Raises: ConfigError for a study that is incomplete, has a value that is no number, or cannot be held against the
    tolerance or the references.
    """
    if asked.tolerance is not None and not asked.tolerance > 0:
        raise ConfigError(f"a tolerance of {asked.tolerance:g}", expected="its whole width, above zero")
    if not 0 < asked.confidence < 1:
        raise ConfigError(f"a confidence of {asked.confidence:g}", expected="between 0 and 1, such as 0.95")
    table = crossed(rows, drop_incomplete=asked.drop_incomplete)
    values = table.numbers
    if np.ptp(values) == 0:
        raise ConfigError(
            f"all {values.size} measurements are {values.flat[0]:g}",
            expected="parts that differ, measured finely enough to show it",
        )
    study = crossed_study(values, pool_above=asked.pool_above, confidence=asked.confidence)
    measured: dict[float, list[float]] = {}
    for part, reference in references_of(table, asked.references).items():
        measured.setdefault(reference, []).extend(values[table.parts.index(part)].ravel())
    line = linearity(measured, confidence=asked.confidence) if len(measured) > 2 else None
    return Analysis(
        table=table,
        asked=asked,
        study=study,
        charts=xbar_r(values),
        rules=rules_of(study, asked.tolerance),
        biases=line.biases if line else _biases(measured, asked.confidence),
        mean_bias=_mean_bias(measured, asked.confidence),
        line=line,
    )


def references_of(table: Crossed, given: Mapping[str, float]) -> dict[str, float]:
    """The reference of each part that has one. Raises: ConfigError for an unknown part, a reference that is no number,
    or two of one part.
    """
    if strange := sorted(given.keys() - set(table.parts)):
        raise ConfigError(
            f"a reference for part {strange[0]!r}, which is not in the study", expected=", ".join(table.parts)
        )
    references = {}
    for place, part in enumerate(table.parts):
        told = {row.reference for row in table.of_part(place) if row.reference}
        if part in given:
            references[part] = given[part]
        elif told:
            numbers = {number_of(each) for each in told}
            if len(numbers) > 1 or None in numbers:
                raise ConfigError(f"part {part} has the references {', '.join(sorted(told))}", expected="one number")
            references[part] = float(next(iter(told)))
    return references


def _biases(measured: Mapping[float, Sequence[float]], confidence: float) -> tuple[Bias, ...]:
    return tuple(
        bias([value - reference for value in values], reference=reference, confidence=confidence)
        for reference, values in sorted(measured.items())
    )


def _mean_bias(measured: Mapping[float, Sequence[float]], confidence: float) -> Bias | None:
    deviations = [value - reference for reference, values in measured.items() for value in values]
    return bias(deviations, confidence=confidence) if deviations else None


def _of_ranges(table: Crossed, charts: XbarR) -> list[str]:
    """Who repeated which part unevenly."""
    if charts.range_limits is None:
        return ["Limits of the ranges are tabled for up to ten repeats: the charts have none here."]
    beyond = [
        f"part {table.parts[part]} by {table.operators[operator]}"
        for part, operator in np.argwhere(charts.ranges > charts.range_limits[1])
    ]
    if not beyond:
        return []
    told = ", ".join(beyond[:3]) + (f" and {len(beyond) - 3} more" if len(beyond) > 3 else "")
    return [f"Repeats differ more than by chance: {told} (the range is above its limit). Look at these first."]


def _of_several(table: Crossed) -> list[str]:
    """Which measurements may be of one finding now and of another then."""
    rows = [row for place in range(len(table.parts)) for row in table.of_part(place)]
    several = sum(row.note.startswith(LARGEST) for row in rows)
    if not several:
        return []
    return [
        f"In {several} of {len(rows)} measurements there were several findings and the largest was taken, which may be"
        " another one each time: name the limit, class or region that means one."
    ]
