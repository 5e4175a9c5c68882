"""What a crossed gauge study shows: its components of variation between bounds, and the gauge's share of them.

Rules and number of distinct categories: AIAG, "Measurement Systems Analysis" (4th edition 2010), chapters II.D, III.B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lineside.statistics.wording import percent, probability

__all__ = ["SIGMAS", "AnovaRow", "Bounded", "Component", "GaugeStudy"]

SIGMAS = 6.0
"""The study variation of a component is so many of its standard deviations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnovaRow:
    """One source of variation. `f` and `p` are None where nothing is left to hold it against."""

    source: str
    df: int
    sum_of_squares: float
    mean_square: float
    f: float | None = None
    p: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounded:
    """A figure between its bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """One component of variation, as a variance in the square of the measured unit, between its bounds."""

    name: str
    variance: float
    low: float
    high: float

    @property
    def deviation(self) -> Bounded:
        """As a standard deviation, in the measured unit."""
        return Bounded(value=math.sqrt(self.variance), low=math.sqrt(self.low), high=math.sqrt(self.high))

    @property
    def study_variation(self) -> Bounded:
        """`SIGMAS` standard deviations."""
        return _scaled(self.deviation, SIGMAS)


@dataclass(frozen=True, kw_only=True, slots=True)
class GaugeStudy:
    """What a crossed study shows. `interaction_p` is None with a single operator, who leaves no reproducibility to see.

    `anova` is the table with the interaction, `pooled_anova` the one without it, where `pooled`; the components are
    those of the latter then. `interaction` is None where it was pooled, and with a single operator.
    """

    parts: int
    operators: int
    repeats: int
    confidence: float
    anova: tuple[AnovaRow, ...]
    pooled_anova: tuple[AnovaRow, ...]
    pool_above: float
    interaction_p: float | None
    pooled: bool
    repeatability: Component
    operator: Component | None
    interaction: Component | None
    reproducibility: Component | None
    gauge: Component
    part: Component
    total: Component
    gauge_share: Bounded
    """%GRR of the total variation, as a share of standard deviations: 0.28 is 28 %."""
    categories: Bounded
    """The number of distinct categories before it is cut to a whole number; infinite where the gauge shows nothing."""

    def share_of_tolerance(self, tolerance: float) -> Bounded:
        """%GRR of the tolerance's whole width, in the measured unit: `SIGMAS` deviations of the gauge over it.

        Raises: ValueError for a width that is not above zero.
        """
        if not (tolerance > 0 and math.isfinite(tolerance)):
            raise ValueError(f"a tolerance of {tolerance}: expected its whole width, above zero")
        return _scaled(self.gauge.deviation, SIGMAS / tolerance)

    def share_of_variation(self, component: Component) -> float:
        """The component's standard deviation over the total one."""
        return math.sqrt(component.variance / self.total.variance) if self.total.variance else 0.0

    @property
    def whole_categories(self) -> int | None:
        """The number of distinct categories as it is told, cut; None where it is without bound."""
        return None if math.isinf(self.categories.value) else int(self.categories.value)

    @property
    def words(self) -> str:
        """One sentence for a quality manager."""
        if not self.total.variance:
            return "All measurements are the same: nothing varies, neither the parts nor the gauge."
        told = "any number of" if self.whole_categories is None else f"{self.whole_categories}"
        return (
            f"Of the total variation {percent(self.gauge_share.value)} is the gauge (with {percent(self.confidence)}"
            f" confidence {_bounds(self.gauge_share)}), which tells {told} kinds of part apart."
        )

    @property
    def interaction_words(self) -> str:
        """What became of the interaction, and why."""
        if self.interaction_p is None:
            return "One operator alone: the study shows repeatability, and nothing of reproducibility."
        p = f"p {probability(self.interaction_p)}"
        if self.pooled:
            return (
                f"Operators do not differ from part to part more than chance would have it ({p}, above"
                f" {self.pool_above:g}): the interaction is counted with the repeatability."
            )
        return f"Operator x part is kept as a component of its own ({p}, not above {self.pool_above:g})."


def _scaled(bounded: Bounded, factor: float) -> Bounded:
    return Bounded(value=bounded.value * factor, low=bounded.low * factor, high=bounded.high * factor)


def _bounds(share: Bounded) -> str:
    return f"{percent(share.low, up=False)} to {percent(share.high, up=True)}"
