"""Bounds of a sum of mean squares, some of which are taken away: what components of variance are made of.

Modified large sample (MLS): exact for a single mean square, and near the stated confidence for sums of a few parts and
operators, where large-sample bounds are far too narrow. Sources: F. A. Graybill, C.-M. Wang, "Confidence intervals on
nonnegative linear combinations of variances", Journal of the American Statistical Association 75 (1980) 869-873; with
differences N. Ting, R. K. Burdick, F. A. Graybill, S. Jeyaratnam, T.-F. C. Lu, "Confidence intervals on linear
combinations of variance components that are unrestricted in sign", Journal of Statistical Computation and Simulation
35 (1990) 135-143, here without its small terms between mean squares of the same sign.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["MeanSquare", "bounds_of_sum", "chi_square_share", "f_quantile"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanSquare:
    """A sum of squares over its degrees of freedom."""

    value: float
    df: int


def bounds_of_sum(
    terms: Iterable[tuple[float, MeanSquare]], *, confidence: float = 0.95
) -> tuple[float, float]:  # fmt: skip
    """Two-sided bounds of the sum of factor times expected mean square; the lower one may be below zero.

    Raises: ValueError for a confidence that is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: expected 0 to 1")
    tail = (1 - confidence) / 2
    added: list[tuple[float, int]] = []
    taken: list[tuple[float, int]] = []
    for factor, square in terms:
        (added if factor > 0 else taken).append((abs(factor) * square.value, square.df))
    middle = sum(value for value, _ in added) - sum(value for value, _ in taken)
    below = sum((_below(tail, df) * value) ** 2 for value, df in added)
    below += sum((_above(tail, df) * value) ** 2 for value, df in taken)
    above = sum((_above(tail, df) * value) ** 2 for value, df in added)
    above += sum((_below(tail, df) * value) ** 2 for value, df in taken)
    for plus, plus_df in added:
        for minus, minus_df in taken:
            below += _both_below(tail, plus_df, minus_df) * plus * minus
            above += _both_above(tail, plus_df, minus_df) * plus * minus
    return middle - math.sqrt(max(0.0, below)), middle + math.sqrt(max(0.0, above))


@functools.cache
def chi_square_share(tail: float, df: int) -> float:
    """How many times its expectation a mean square exceeds with a chance of `tail`."""
    from scipy.stats import chi2  # noqa: PLC0415 - half a second, and a station never needs it

    return float(chi2.isf(tail, df)) / df


@functools.cache
def f_quantile(tail: float, df: int, other_df: int) -> float:
    """The ratio that two mean squares of one expectation exceed with a chance of `tail`."""
    from scipy.stats import f  # noqa: PLC0415 - likewise

    return float(f.isf(tail, df, other_df))


def _below(tail: float, df: int) -> float:
    """How far below a mean square its expectation may lie, as a share of it: G in the sources."""
    return 1 - 1 / chi_square_share(tail, df)


def _above(tail: float, df: int) -> float:
    """How far above: H in the sources."""
    return 1 / chi_square_share(1 - tail, df) - 1


def _both_below(tail: float, plus_df: int, minus_df: int) -> float:
    """What makes the lower bound of a difference of two exact where it is zero: G with two indices."""
    ratio = f_quantile(tail, plus_df, minus_df)
    return ((ratio - 1) ** 2 - (_below(tail, plus_df) * ratio) ** 2 - _above(tail, minus_df) ** 2) / ratio


def _both_above(tail: float, plus_df: int, minus_df: int) -> float:
    """Likewise for the upper bound: H with two indices."""
    ratio = f_quantile(1 - tail, plus_df, minus_df)
    return ((1 - ratio) ** 2 - (_above(tail, plus_df) * ratio) ** 2 - _below(tail, minus_df) ** 2) / ratio
