"""How much of what a gauge shows is the gauge itself: the crossed study, by analysis of variance.

Every operator (a person, or a placement of the part) measures every part the same number of times. Parts and operators
stand for many like them, so their effects are random. A component that comes out below zero is taken as zero. The
bounds of the components are modified large sample ones (`mean_squares`), those of the gauge's share likewise. Sources:
R. K. Burdick, C. M. Borror, D. C. Montgomery, "Design and Analysis of Gauge R&R Studies" (SIAM 2005), chapters 2 and 3;
AIAG, "Measurement Systems Analysis" (4th edition 2010), chapter III.B.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.statistics.gauge_study import AnovaRow, Bounded, Component, GaugeStudy
from lineside.statistics.mean_squares import MeanSquare, bounds_of_sum, chi_square_share, f_quantile

__all__ = ["POOL_ABOVE", "crossed_study"]

POOL_ABOVE = 0.25
"""The operator x part interaction is pooled with the repeatability where its p is above this, as AIAG does."""

_ROUNDING = 1e-14
"""Deviations of such a share of the values are of the arithmetic, not of the gauge."""

_CATEGORIES = math.sqrt(2)
"""Distinct categories are so many times the parts' deviation over the gauge's (AIAG rounds it to 1.41)."""


def crossed_study(
    values: NDArray[np.float64], *, pool_above: float = POOL_ABOVE, confidence: float = 0.95
) -> GaugeStudy:  # fmt: skip
    """Analysis of variance of a balanced crossed study. `values` is float64 (parts, operators, repeats), finite.

    The interaction is pooled where its p is above `pool_above`: 1 never pools, 0 always does. Raises: ValueError for
    fewer than two parts or repeats, or a value that is not finite.
    """
    if values.ndim != 3 or values.shape[0] < 2 or values.shape[1] < 1 or values.shape[2] < 2:
        raise ValueError(
            f"values of shape {values.shape}: expected (parts, operators, repeats), at least two parts and two repeats"
        )
    if not np.isfinite(values).all():
        raise ValueError("a value that is not finite: expected every part measured as often by every operator")
    squares = _Squares.of(values)
    with_interaction = _rows(squares)
    p = next((row.p for row in with_interaction if row.source == "operator x part"), None)
    pooled = p is not None and p > pool_above
    used = squares.pooled() if pooled else squares
    return _study(
        values.shape,
        used,
        anova=with_interaction,
        pooled_anova=_rows(used) if pooled else (),
        pool_above=pool_above,
        interaction_p=p,
        confidence=confidence,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Squares:
    """Sums of squares with their degrees of freedom; an operator or interaction that is not there is None."""

    part: tuple[float, int]
    operator: tuple[float, int] | None
    interaction: tuple[float, int] | None
    error: tuple[float, int]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> _Squares:
        parts, operators, repeats = values.shape
        mean = values.mean()
        of_cell = values.mean(axis=2)
        of_part, of_operator = of_cell.mean(axis=1), of_cell.mean(axis=0)
        beside = of_cell - of_part[:, None] - of_operator[None, :] + mean
        rounding = values.size * (_ROUNDING * float(np.abs(values).max())) ** 2

        def squares(deviations: NDArray[np.float64], times: int) -> float:
            total = times * float((deviations**2).sum())
            return total if total > rounding else 0.0

        error = squares(values - of_cell[:, :, None], 1), parts * operators * (repeats - 1)
        part = squares(of_part - mean, operators * repeats), parts - 1
        if operators == 1:
            return cls(part=part, operator=None, interaction=None, error=error)
        return cls(
            part=part,
            operator=(squares(of_operator - mean, parts * repeats), operators - 1),
            interaction=(squares(beside, repeats), (parts - 1) * (operators - 1)),
            error=error,
        )

    def pooled(self) -> _Squares:
        assert self.interaction is not None
        error = self.interaction[0] + self.error[0], self.interaction[1] + self.error[1]
        return _Squares(part=self.part, operator=self.operator, interaction=None, error=error)


def _rows(squares: _Squares) -> tuple[AnovaRow, ...]:
    """The table of the analysis. Effects are held against the interaction where there is one, it against the error."""
    beneath = squares.interaction or squares.error
    told = [
        ("part", squares.part, beneath),
        ("operator", squares.operator, beneath),
        ("operator x part", squares.interaction, squares.error),
        ("repeatability", squares.error, None),
    ]
    rows = [_row(source, each, against) for source, each, against in told if each is not None]
    total = sum(row.sum_of_squares for row in rows)
    df = sum(row.df for row in rows)
    return (*rows, AnovaRow(source="total", df=df, sum_of_squares=total, mean_square=total / df))


def _row(source: str, squares: tuple[float, int], against: tuple[float, int] | None) -> AnovaRow:
    from scipy.stats import f as f_distribution  # noqa: PLC0415 - half a second, and a station never needs it

    mean_square = squares[0] / squares[1]
    f = p = None
    if against is not None and against[0] > 0:
        f = mean_square / (against[0] / against[1])
        p = float(f_distribution.sf(f, squares[1], against[1]))
    elif against is not None:  # what repeats exactly leaves nothing to chance
        f, p = (math.inf, 0.0) if mean_square > 0 else (0.0, 1.0)
    return AnovaRow(source=source, df=squares[1], sum_of_squares=squares[0], mean_square=mean_square, f=f, p=p)


def _study(
    shape: tuple[int, ...],
    squares: _Squares,
    *,
    anova: tuple[AnovaRow, ...],
    pooled_anova: tuple[AnovaRow, ...],
    pool_above: float,
    interaction_p: float | None,
    confidence: float,
) -> GaugeStudy:
    parts, operators, repeats = shape
    part, error = _mean(squares.part), _mean(squares.error)
    beneath = _mean(squares.interaction) if squares.interaction else error
    operator = _mean(squares.operator) if squares.operator else None

    def component(name: str, terms: Sequence[tuple[float, MeanSquare]], estimate: float | None = None) -> Component:
        variance = sum(factor * square.value for factor, square in terms) if estimate is None else estimate
        low, high = bounds_of_sum(terms, confidence=confidence)
        variance = max(0.0, variance)
        return Component(name=name, variance=variance, low=min(variance, max(0.0, low)), high=max(variance, high))

    of_part = [(1 / (operators * repeats), part), (-1 / (operators * repeats), beneath)]
    of_error = [(1.0, error)]
    of_operator: list[tuple[float, MeanSquare]] = []
    of_interaction: list[tuple[float, MeanSquare]] = []
    if operator is not None:
        of_operator = [(1 / (parts * repeats), operator), (-1 / (parts * repeats), beneath)]
    if squares.interaction:
        of_interaction = [(1 / repeats, beneath), (-1 / repeats, error)]
    parted = component("part", of_part)
    repeated = component("repeatability", of_error)
    by_operator = component("operator", of_operator) if of_operator else None
    together = component("operator x part", of_interaction) if of_interaction else None
    reproduced = (by_operator.variance if by_operator else 0.0) + (together.variance if together else 0.0)
    in_gauge = _joined(of_operator, of_interaction, of_error)
    gauge = component("gauge (repeatability and reproducibility)", in_gauge, repeated.variance + reproduced)
    ratio = _ratio(part, beneath, in_gauge, operators * repeats, operator, confidence)
    return GaugeStudy(
        parts=parts,
        operators=operators,
        repeats=repeats,
        confidence=confidence,
        anova=anova,
        pooled_anova=pooled_anova,
        pool_above=pool_above,
        interaction_p=interaction_p,
        pooled=bool(pooled_anova),
        repeatability=repeated,
        operator=by_operator,
        interaction=together,
        reproducibility=component("reproducibility", _joined(of_operator, of_interaction), reproduced)
        if by_operator
        else None,
        gauge=gauge,
        part=parted,
        total=component("total", _joined(in_gauge, of_part), gauge.variance + parted.variance),
        **_shares(parted.variance, gauge.variance, ratio),
    )


def _mean(squares: tuple[float, int]) -> MeanSquare:
    return MeanSquare(value=squares[0] / squares[1], df=squares[1])


def _joined(*sums: Sequence[tuple[float, MeanSquare]]) -> list[tuple[float, MeanSquare]]:
    """The sums as one, with one factor for each mean square."""
    factors: dict[int, tuple[float, MeanSquare]] = {}
    for factor, square in (term for terms in sums for term in terms):
        before = factors.get(id(square), (0.0, square))[0]
        factors[id(square)] = (before + factor, square)
    return [(factor, square) for factor, square in factors.values() if abs(factor) > 1e-12]


def _ratio(
    part: MeanSquare,
    beneath: MeanSquare,
    in_gauge: Sequence[tuple[float, MeanSquare]],
    measured: int,
    operator: MeanSquare | None,
    confidence: float,
) -> tuple[float, float]:
    """Bounds of the parts' variance over the gauge's (Burdick, Borror and Montgomery 2005, section 3.4).

    `measured` is how often each part was. With one operator the bounds are exact: a ratio of two mean squares.
    """
    tail = (1 - confidence) / 2
    rest = sum(factor * square.value for factor, square in in_gauge if square is not operator)
    of_operator = sum(factor * square.value for factor, square in in_gauge if square is operator)

    def bound(tail: float) -> float:
        above = part.value - f_quantile(tail, part.df, beneath.df) * beneath.value
        if operator is None:
            above /= f_quantile(tail, part.df, beneath.df)
            below = rest
        else:
            reach = chi_square_share(tail, part.df)
            above /= reach
            below = rest + f_quantile(tail, part.df, operator.df) / reach * of_operator
        if below == 0:
            return math.inf if above > 0 else 0.0
        return max(0.0, above / measured / below)

    return bound(tail), bound(1 - tail)


def _shares(part: float, gauge: float, ratio: tuple[float, float]) -> dict[str, Bounded]:
    """The gauge's share and the categories, which both follow from the parts' variance over the gauge's."""
    low, high = ratio
    value = part / gauge if gauge else math.inf if part else 0.0
    low, high = min(low, value), max(high, value)
    return {
        "gauge_share": Bounded(value=_share(value), low=_share(high), high=_share(low)),
        "categories": Bounded(
            value=_CATEGORIES * math.sqrt(value), low=_CATEGORIES * math.sqrt(low), high=_CATEGORIES * math.sqrt(high)
        ),
    }


def _share(ratio: float) -> float:
    return 1 / math.sqrt(1 + ratio)
