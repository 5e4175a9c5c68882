"""Limits of X-bar and R charts: within them a gauge's repeats differ by chance alone.

In a gauge study the ranges should lie within their limits (every operator measures alike), and about half or more of
the averages outside theirs (the parts differ more than the gauge does). Source of the factors: ISO 7870-2:2013, Table 2
(the same as in AIAG, "Measurement Systems Analysis").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["XbarR", "xbar_r"]

_FACTORS = {  # by the size of the subgroup: A2, D3, D4
    2: (1.880, 0.0, 3.267),
    3: (1.023, 0.0, 2.575),
    4: (0.729, 0.0, 2.282),
    5: (0.577, 0.0, 2.114),
    6: (0.483, 0.0, 2.004),
    7: (0.419, 0.076, 1.924),
    8: (0.373, 0.136, 1.864),
    9: (0.337, 0.184, 1.816),
    10: (0.308, 0.223, 1.777),
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class XbarR:
    """Averages and ranges by part and operator, float64 (parts, operators), with centre lines and limits.

    The limits are None for subgroups of more than ten, whose factors are not tabled here.
    """

    averages: NDArray[np.float64]
    ranges: NDArray[np.float64]
    average: float
    average_limits: tuple[float, float] | None
    range: float
    range_limits: tuple[float, float] | None

    @property
    def averages_outside(self) -> int | None:
        """How many averages lie outside their limits."""
        return None if self.average_limits is None else _outside(self.averages, self.average_limits)

    @property
    def ranges_outside(self) -> int | None:
        """How many ranges lie outside theirs."""
        return None if self.range_limits is None else _outside(self.ranges, self.range_limits)


def xbar_r(values: NDArray[np.float64]) -> XbarR:
    """The charts of a crossed study. `values` is float64 (parts, operators, repeats), at least two repeats."""
    averages, ranges = values.mean(axis=2), np.ptp(values, axis=2)
    average, middle_range = float(averages.mean()), float(ranges.mean())
    factors = _FACTORS.get(values.shape[2])
    average_limits = range_limits = None
    if factors is not None:
        a2, d3, d4 = factors
        average_limits = average - a2 * middle_range, average + a2 * middle_range
        range_limits = d3 * middle_range, d4 * middle_range
    return XbarR(
        averages=averages,
        ranges=ranges,
        average=average,
        average_limits=average_limits,
        range=middle_range,
        range_limits=range_limits,
    )


def _outside(values: NDArray[np.float64], limits: tuple[float, float]) -> int:
    return int(((values < limits[0]) | (values > limits[1])).sum())
