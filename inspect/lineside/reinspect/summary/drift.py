"""Whether the scores move over time, in plain words."""

from __future__ import annotations

from lineside.reinspect.summary.document import DriftSummary, Period
from lineside.reinspect.summary.scores import ScoresOverTime
from lineside.statistics.wording import probability

__all__ = ["drift"]

_FEWEST_PERIODS = 8
"""Kendall's test can hardly reach a conclusion with fewer."""
_FEWEST_SCORES = 5
_DAY_NS = 24 * 3600 * 10**9
_SURE = 0.01
"""Stricter than for rates: neighbouring stretches of time are alike, which makes trends look surer than they are."""


def drift(scores: ScoresOverTime) -> DriftSummary | None:
    """The periods and what they say; None where no judged part has a time."""
    name, periods = scores.periods()
    if not periods:
        return None
    told = [period for period in periods if period.q50 is not None and period.judged >= _FEWEST_SCORES]
    facts = {"period": name, "periods": periods, "untimed": scores.untimed}
    if len(told) < _FEWEST_PERIODS:
        words = (
            f"Too short to tell: {len(told)} stretches of time with enough parts (by {name}), {_FEWEST_PERIODS} needed."
        )
        none = dict.fromkeys(("slope_per_day", "slope_low", "slope_high", "p_value"))
        return DriftSummary.model_validate({**facts, **none, "words": words})
    slope, low, high, p_value = _trend(told)
    return DriftSummary.model_validate(
        {
            **facts,
            "slope_per_day": slope,
            "slope_low": low,
            "slope_high": high,
            "p_value": p_value,
            "words": _words(told, slope, p_value),
        }
    )


def _trend(periods: list[Period]) -> tuple[float, float, float, float]:
    from scipy.stats import kendalltau, theilslopes  # noqa: PLC0415 - half a second

    days = [(period.from_utc_ns - periods[0].from_utc_ns) / _DAY_NS for period in periods]
    medians = [period.q50 for period in periods]
    slope = theilslopes(medians, days, alpha=0.95)
    p_value = float(kendalltau(days, medians).pvalue) if len(set(medians)) > 1 else 1.0
    return float(slope.slope), float(slope.low_slope), float(slope.high_slope), p_value


def _words(periods: list[Period], slope: float, p_value: float) -> str:
    days = (periods[-1].from_utc_ns - periods[0].from_utc_ns) / _DAY_NS
    span = (
        f"{days:.0f} days" if days >= 3 else f"{days * 24:.0f} hours" if days >= 0.25 else f"{days * 1440:.0f} minutes"
    )
    moved = slope * days
    if p_value >= _SURE:
        return f"No steady drift of the median score over {span} (Kendall's test: p {probability(p_value)})."
    return (
        f"The median score {'rises' if slope > 0 else 'falls'} steadily: by {abs(moved):.2g} thresholds over {span}"
        f" (Kendall's test: p {probability(p_value)}). Light, lens, or the parts themselves have changed;"
        " look at pictures from both ends of the time."
    )
