"""A against B on the same parts: McNemar's test, exact and mid-p, and bounds of the difference.

Only the parts where the two differ say anything. If neither were better, each such part would fall to either side
like a coin: the exact test asks how odd the coin looks. It is careful beyond its word; the mid-p version keeps the
stated error rate in practice and misses less. Source: M. W. Fagerland, S. Lydersen, P. Laake, "The McNemar test for
binary matched-pairs data", BMC Medical Research Methodology 13 (2013) 91; bounds of the difference: D. G. Bonett,
R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data",
Journal of Educational and Behavioral Statistics 37 (2012) 479-488.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lineside.statistics.proportions import between
from lineside.statistics.wording import often

__all__ = ["Comparison", "Difference", "compare", "difference"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """`only_a` parts speak for A alone, `only_b` for B alone, of `of` parts that both judged.

    `odds` is how many times more often B alone than A alone; None where A alone never was. `p_exact` and `p_mid` are
    the chance of a difference at least so large if neither were better, two-sided.
    """

    a: str
    b: str
    what: str
    only_a: int
    only_b: int
    of: int
    odds: float | None
    odds_low: float
    odds_high: float
    p_exact: float
    p_mid: float
    confidence: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would show such a difference more rarely than the confidence allows (mid-p)."""
        return self.p_mid < 1 - self.confidence

    @property
    def words(self) -> str:
        """What it means, for a quality manager."""
        apart = self.only_a + self.only_b
        if apart == 0:
            return f"{self.a} and {self.b} never differ on {self.of:,} parts."
        more, less = (self.b, self.a) if self.only_b > self.only_a else (self.a, self.b)
        told = (
            f"Of {self.of:,} parts, {self.only_b:,} were {self.what} by {self.b} alone and {self.only_a:,} by {self.a}"
            f" alone"
        )
        if self.is_significant:
            return (
                f"{told}: {more} does so more often than {less}, and that is hardly an accident (chance alone shows"
                f" such a difference in {often(self.p_mid)} of cases)."
            )
        return (
            f"{told}: that may well be chance, which shows such a difference in {often(self.p_mid)} of cases."
            " More parts would tell."
        )


def compare(
    only_a: int, only_b: int, of: int, *, a: str = "A", b: str = "B", what: str = "right", confidence: float = 0.95
) -> Comparison:
    """McNemar's test. `what` is what a part was by one alone: "judged rightly". Raises: ValueError for such counts."""
    if min(only_a, only_b) < 0 or only_a + only_b > of:
        raise ValueError(f"{only_a} and {only_b} of {of}: expected counts that are not negative, at most all together")
    from scipy.stats import binom  # noqa: PLC0415 - half a second, and a station never needs it

    apart, fewer = only_a + only_b, min(only_a, only_b)
    at_fewer = float(binom.pmf(fewer, apart, 0.5))
    one_sided = float(binom.cdf(fewer, apart, 0.5))
    p_exact = 1.0 if only_a == only_b else min(1.0, 2 * one_sided)
    p_mid = 1.0 if apart == 0 else 1 - at_fewer / 2 if only_a == only_b else 2 * one_sided - at_fewer
    share = between(only_b, apart, confidence=confidence)
    return Comparison(
        a=a,
        b=b,
        what=what,
        only_a=only_a,
        only_b=only_b,
        of=of,
        odds=only_b / only_a if only_a else None,
        odds_low=_odds(share.low),
        odds_high=_odds(share.high),
        p_exact=p_exact,
        p_mid=p_mid,
        confidence=confidence,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """B's rate less A's on the same parts, as shares (0.01 is one percentage point), with its bounds."""

    value: float
    low: float
    high: float
    confidence: float


def difference(only_a: int, only_b: int, of: int, *, confidence: float = 0.95) -> Difference:
    """Bounds of the difference between two paired rates (Bonett and Price). Raises: ValueError for such counts."""
    if min(only_a, only_b) < 0 or only_a + only_b > of or of == 0:
        raise ValueError(f"{only_a} and {only_b} of {of}: expected parts, and no more apart than there are")
    from scipy.stats import norm  # noqa: PLC0415 - likewise

    share_a, share_b = (only_a + 1) / (of + 2), (only_b + 1) / (of + 2)
    middle = share_b - share_a
    spread = float(norm.ppf((1 + confidence) / 2)) * math.sqrt((share_a + share_b - middle**2) / (of + 2))
    return Difference(
        value=(only_b - only_a) / of,
        low=max(-1.0, middle - spread),
        high=min(1.0, middle + spread),
        confidence=confidence,
    )


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf
