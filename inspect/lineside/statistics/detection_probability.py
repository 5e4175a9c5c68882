"""The probability of detection by size of the defect (POD), and from which size on 90 % are found.

Defects are found or missed (hit/miss); the log-odds of being found grow with the logarithm of the size. a90 is the size
of which 90 % are found, a90/95 its upper bound at 95 % confidence, one-sided, by the ratio of likelihoods: the
largest size at which a probability of 0.9 is not contradicted. Source of model and terms: MIL-HDBK-1823A,
"Nondestructive evaluation system reliability assessment" (2009), and A. P. Berens, "NDE reliability data analysis",
ASM Handbook 17 (1989) 689-701, whose own bound is Wald's; profile likelihoods are in any textbook.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVELS", "Pod", "fit_pod"]

LEVELS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97)
"""Probabilities at which the curve is drawn."""

_STEEPEST: Final = 1e4
"""Log-odds per e-fold of size: steeper is a step, whatever the data."""
_FARTHEST: Final = math.log(1e4)
"""No size is looked for beyond so many times the largest seen."""

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """A fitted curve. Sizes are in the unit of the data.

    `a90` and `a90_95` are None where the data do not tell them: nothing was found or missed, detection does not grow
    with size, or there are too few. `separated`: all that was found is larger than all that was missed, so that the
    curve is a step and only its bound means something. `slope` is None then, and where there is no curve. `curve`
    holds (size, probability, size at which that probability is sure) for the chart.
    """

    found: int
    of: int
    a50: float | None = None
    a90: float | None = None
    a90_95: float | None = None
    slope: float | None = None
    separated: bool = False
    confidence: float
    curve: tuple[tuple[float, float, float | None], ...] = ()
    why_not: str = ""


def fit_pod(
    sizes: Sequence[float], found: Sequence[bool], *, confidence: float = 0.95, levels: Sequence[float] = LEVELS
) -> Pod:
    """Fits the curve, and finds its sure side at `levels` of probability.

    Raises: ValueError for sizes that are not above zero, or sides of different length.
    """
    if len(sizes) != len(found) or not all(size > 0 for size in sizes) or not 0 < confidence < 1:
        raise ValueError("expected as many findings as sizes, all sizes above zero, a confidence between 0 and 1")
    x, y = np.log(np.asarray(sizes, np.float64)), np.asarray(found, np.bool_)
    count, of = int(y.sum()), len(y)
    if count in (0, of):
        why = "every one was found" if of and count else "none was found" if of else "there are no defects with a size"
        return Pod(found=count, of=of, confidence=confidence, why_not=f"{why}: no size can be told at which that turns")
    if np.ptp(x) == 0:
        return Pod(found=count, of=of, confidence=confidence, why_not="all have the same size")
    data = _Data(x, y)
    if float(x[y].max()) <= float(x[~y].min()) or data.slope_of_best() <= 0:
        return Pod(
            found=count, of=of, confidence=confidence, why_not="larger ones are not found more often than smaller ones"
        )
    separated = float(x[~y].max()) < float(x[y].min())
    top, slope, middle = _best(data, separated)
    allowed = _allowed(confidence)

    def size_at(probability: float) -> float:
        return math.exp(middle + (0.0 if separated else _logit(probability) / slope))

    def sure_at(probability: float) -> float | None:
        return data.upper(math.log(size_at(probability)), probability, top, allowed)

    return Pod(
        found=count,
        of=of,
        a50=size_at(0.5),
        a90=size_at(0.9),
        a90_95=sure_at(0.9),
        slope=None if separated else slope,
        separated=separated,
        confidence=confidence,
        curve=tuple((size_at(level), level, sure_at(level)) for level in levels),
    )


class _Data:
    """Logarithms of sizes `x` and what was found `y`; (n,) each."""

    def __init__(self, x: Values, y: NDArray[np.bool_]) -> None:
        self.x, self.y = x, y

    def likelihood(self, odds: Values) -> float:
        """The logarithm, for log-odds of each defect."""
        return -float(np.logaddexp(0, np.where(self.y, -odds, odds)).sum())

    def slope_of_best(self) -> float:
        """The sign of the best slope: whether found ones are larger on average."""
        return float(self.x[self.y].mean() - self.x[~self.y].mean())

    def profile(self, at: float, probability: float) -> float:
        """The highest likelihood of all curves that rise and have that probability at the size exp(at)."""
        away, odds = self.x - at, _logit(probability)

        def uphill(slope: float) -> float:
            return float(((self.y - _expit(odds + slope * away)) * away).sum())

        if uphill(0.0) <= 0:
            return self.likelihood(np.full(len(self.x), odds))
        steep = 1.0
        while steep < _STEEPEST and uphill(steep) > 0:
            steep *= 2
        if uphill(steep) <= 0:
            from scipy.optimize import brentq  # noqa: PLC0415 - half a second, and a station never needs it

            steep = float(brentq(uphill, 0.0, steep))
        return self.likelihood(odds + steep * away)

    def upper(self, best: float, probability: float, top: float, allowed: float) -> float | None:
        """The largest size at which the probability is not contradicted; None where there is none."""
        from scipy.optimize import brentq  # noqa: PLC0415 - likewise

        def contradicted(at: float) -> float:
            return 2 * (top - self.profile(at, probability)) - allowed

        last, step, end = best, 0.05, float(self.x.max()) + _FARTHEST
        if contradicted(last) > 0:  # a step between two sizes: the best place is the larger one
            return math.exp(last)
        while contradicted(last + step) < 0:
            last, step = last + step, step * 1.5
            if last > end:
                return None
        return math.exp(float(brentq(contradicted, last, last + step, xtol=1e-6)))


def _best(data: _Data, separated: bool) -> tuple[float, float, float]:
    """The highest likelihood, the slope, and the logarithm of the size with a probability of a half."""
    if separated:
        # A step anywhere between them explains everything.
        return 0.0, math.inf, (float(data.x[~data.y].max()) + float(data.x[data.y].min())) / 2
    from scipy.optimize import minimize  # noqa: PLC0415 - half a second, and a station never needs it

    centre, spread = float(data.x.mean()), float(data.x.std())
    z = (data.x - centre) / spread

    def against(line: Values) -> tuple[float, Values]:
        odds = line[0] + line[1] * z
        missed = _expit(odds) - data.y
        return -data.likelihood(odds), np.array([missed.sum(), (missed * z).sum()])

    line = minimize(against, np.array([0.0, 1.0]), jac=True, method="BFGS", options={"gtol": 1e-8}).x
    slope = float(line[1]) / spread
    return -against(line)[0], slope, centre - float(line[0]) / slope


def _allowed(confidence: float) -> float:
    """How much twice the log-likelihood may fall for a one-sided bound."""
    from scipy.stats import norm  # noqa: PLC0415 - half a second, and a station never needs it

    return float(norm.ppf(confidence)) ** 2


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _expit(odds: Values) -> Values:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * odds)))
