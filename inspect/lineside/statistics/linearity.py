"""How far a gauge is off the truth, and whether that changes with the size: bias and linearity against references.

A t-test at each reference value, and a straight line through all deviations. The bounds hold for the operators who
measured, taken together; the reference values are taken as true. Source: AIAG, "Measurement Systems Analysis"
(4th edition 2010), chapter III.B, "Guidelines for determining bias" and "linearity".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lineside.statistics.wording import figure, percent

__all__ = ["Bias", "Line", "Linearity", "bias", "linearity"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bias:
    """The mean deviation from the reference, in the measured unit, between its bounds.

    `reference` is None where it is the mean over several. `p` is the chance of a bias at least so large if there were
    none, two-sided; 0 where all deviations are the same and not zero, 1 where all are zero.
    """

    reference: float | None
    count: int
    mean: float
    deviation: float
    low: float
    high: float
    t: float
    p: float
    confidence: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would show such a bias more rarely than the confidence allows."""
        return self.p < 1 - self.confidence

    @property
    def words(self) -> str:
        """One sentence for a quality manager, without the unit."""
        at = "" if self.reference is None else f" at {figure(self.reference)}"
        told = f"{figure(abs(self.mean))} {'above' if self.mean > 0 else 'below'} the reference{at} on average"
        bounds = f"{figure(self.low)} to {figure(self.high)} with {percent(self.confidence)} confidence"
        told = f"The gauge reads {told} ({bounds})"
        return f"{told}." if self.is_significant else f"{told}: no bias is shown."


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A figure of the straight line with its bounds and its t-test against zero."""

    value: float
    error: float
    low: float
    high: float
    t: float
    p: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Linearity:
    """Deviation = intercept + slope x reference, over all measurements."""

    biases: tuple[Bias, ...]
    mean_bias: Bias
    slope: Line
    intercept: Line
    r_squared: float
    residual: float
    """Standard deviation about the line, in the measured unit."""
    count: int
    confidence: float
    mean_reference: float
    spread: float
    """Sum of squares of the references about their mean."""

    @property
    def is_linear(self) -> bool:
        """Whether no change of the bias with the size is shown."""
        return self.slope.p >= 1 - self.confidence

    def band(self, reference: float) -> tuple[float, float, float]:
        """The line at that reference and the bounds of it there: low, value, high."""
        from scipy.stats import t  # noqa: PLC0415 - half a second, and a station never needs it

        value = self.intercept.value + self.slope.value * reference
        error = self.residual * math.sqrt(1 / self.count + (reference - self.mean_reference) ** 2 / self.spread)
        reach = float(t.ppf((1 + self.confidence) / 2, self.count - 2)) * error
        return value - reach, value, value + reach

    @property
    def words(self) -> str:
        """One sentence for a quality manager, without the unit."""
        if self.is_linear:
            return f"No change of the bias with the size is shown (p = {self.slope.p:.2g})."
        return (
            f"The bias changes with the size: by {figure(self.slope.value)} for each unit ({figure(self.slope.low)} to"
            f" {figure(self.slope.high)} with {percent(self.confidence)} confidence)."
        )


def bias(deviations: Sequence[float], *, reference: float | None = None, confidence: float = 0.95) -> Bias:
    """The t-test of measured less reference. Raises: ValueError for fewer than two, or one that is not finite."""
    from scipy.stats import t as t_distribution  # noqa: PLC0415 - likewise

    values = np.asarray(deviations, np.float64)
    if values.size < 2 or not np.isfinite(values).all():
        raise ValueError(f"{values.size} deviations: expected at least two, all finite")
    count, mean, spread = values.size, float(values.mean()), float(values.std(ddof=1))
    error = spread / math.sqrt(count)
    reach = float(t_distribution.ppf((1 + confidence) / 2, count - 1)) * error
    t, p = _tested(mean, error, count - 1)
    return Bias(
        reference=reference,
        count=count,
        mean=mean,
        deviation=spread,
        low=mean - reach,
        high=mean + reach,
        t=t,
        p=p,
        confidence=confidence,
    )


def linearity(measured: Mapping[float, Sequence[float]], *, confidence: float = 0.95) -> Linearity:
    """The line through the deviations. `measured` is by reference, each with at least two measurements.

    Raises: ValueError for fewer than three references: two points always lie on a line.
    """
    from scipy.stats import t as t_distribution  # noqa: PLC0415 - likewise

    if len(measured) < 3:
        raise ValueError(f"{len(measured)} references: expected at least three of different size")
    at = {reference: np.asarray(values, np.float64) - reference for reference, values in sorted(measured.items())}
    biases = tuple(bias(list(each), reference=reference, confidence=confidence) for reference, each in at.items())
    x = np.repeat(np.array(list(at)), [each.size for each in at.values()])
    y = np.concatenate(list(at.values()))
    count, middle = x.size, float(x.mean())
    spread = float(((x - middle) ** 2).sum())
    slope = float(((x - middle) * (y - y.mean())).sum()) / spread
    intercept = float(y.mean()) - slope * middle
    left = float(((y - intercept - slope * x) ** 2).sum())
    residual = math.sqrt(left / (count - 2))
    total = float(((y - y.mean()) ** 2).sum())
    reach = float(t_distribution.ppf((1 + confidence) / 2, count - 2))
    return Linearity(
        biases=biases,
        mean_bias=bias(list(y), confidence=confidence),
        slope=_line(slope, residual / math.sqrt(spread), count - 2, reach),
        intercept=_line(intercept, residual * math.sqrt(1 / count + middle**2 / spread), count - 2, reach),
        r_squared=1 - left / total if total else 0.0,
        residual=residual,
        count=count,
        confidence=confidence,
        mean_reference=middle,
        spread=spread,
    )


def _line(value: float, error: float, df: int, reach: float) -> Line:
    t, p = _tested(value, error, df)
    return Line(value=value, error=error, low=value - reach * error, high=value + reach * error, t=t, p=p)


def _tested(value: float, error: float, df: int) -> tuple[float, float]:
    """The t of a value against zero, and its p."""
    from scipy.stats import t as t_distribution  # noqa: PLC0415 - likewise

    if error == 0:
        return (math.copysign(math.inf, value), 0.0) if value else (0.0, 1.0)
    return value / error, float(2 * t_distribution.sf(abs(value / error), df))
