"""Charts as inline SVG: they take their colours from the page, so they are right in light, dark and print."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from markupsafe import Markup

from lineside.reinspect.summary.document import DriftSummary, Histogram, Period, TrueRate
from lineside.statistics.wording import percent

__all__ = ["drift_chart", "histogram_chart", "rates_chart"]

_WIDTH = 640
_LEFT, _RIGHT = 56, 16


def histogram_chart(histogram: Histogram, name: str) -> Markup:
    """How many parts have which score: good, bad and unknown ones one above the other, each to its own scale."""
    told = {
        truth: counts
        for truth, counts in (("good", histogram.good), ("bad", histogram.bad), ("unknown", histogram.unknown))
        if any(counts)
    }
    panel, gap, low = 84, 26, 22
    height = low + len(told) * (panel + gap) + 22
    top_score = histogram.edges[-1]
    bars = len(histogram.good)
    step = (_WIDTH - _LEFT - _RIGHT) / bars
    parts = []
    for number, (truth, counts) in enumerate(told.items()):
        base = low + number * (panel + gap) + panel
        most = max(counts)
        parts.append(
            Markup('<text class="strong" x="{}" y="{}" text-anchor="end">{}</text>').format(
                _WIDTH - _RIGHT, base - panel - 6, f"{_of_truth(truth, len(told))}: {sum(counts):,}"
            )
        )
        parts.append(_level(base, "0"))
        parts.append(_level(base - panel + 4, f"{most:,}"))
        for place, count in enumerate(counts):
            if count:
                tall = max(1.0, count / most * (panel - 4))
                parts.append(
                    Markup(
                        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
                    ).format(
                        truth,
                        _LEFT + place * step + 0.5,
                        base - tall,
                        step - 1,
                        tall,
                        f"{count:,} {truth} parts with scores {_bin(histogram, place)}",
                    )
                )
    bottom = low + len(told) * (panel + gap) - gap
    parts += [_threshold_line(_LEFT + (_WIDTH - _LEFT - _RIGHT) / top_score, 6, bottom)]
    parts += [
        _tick_x(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), bottom + 14, f"{share * top_score:g}")
        for share in (0, 0.25, 0.5, 0.75)
    ]
    parts += [_tick_x(_WIDTH - _RIGHT, bottom + 14, f"{top_score:g} and more", "end")]
    words = f"Scores of {name}, as multiples of the threshold"
    return _svg(parts, height, words, f"{words}: {', '.join(f'{sum(c):,} {t}' for t, c in told.items())} parts.")


def drift_chart(drift: DriftSummary, name: str) -> Markup:
    """Median and middle nine tenths of the scores over time; below it the share of rejects."""
    periods = [period for period in drift.periods if period.q50 is not None]
    if not periods:
        return Markup("")
    upper, lower, gap = 150, 54, 30
    height = 16 + upper + gap + lower + 26
    begin, end = periods[0].from_utc_ns, periods[-1].to_utc_ns
    top = max(1.15, *(1.05 * (period.q95 or 0) for period in periods))

    def x(utc_ns: int) -> float:
        return _LEFT + (utc_ns - begin) / (end - begin) * (_WIDTH - _LEFT - _RIGHT)

    def y(score: float | None) -> float:
        return 16 + upper * (1 - max(0.0, score or 0.0) / top)

    def middle(period: Period) -> float:
        return x((period.from_utc_ns + period.to_utc_ns) // 2)

    band = [f"{middle(period):.1f},{y(period.q95):.1f}" for period in periods]
    band += [f"{middle(period):.1f},{y(period.q05):.1f}" for period in reversed(periods)]
    medians = " ".join(f"{middle(period):.1f},{y(period.q50):.1f}" for period in periods)
    parts = [_level(y(level), f"{level:.2g}") for level in (0.0, top / 2, top) if abs(level - 1) > 0.12]
    parts.append(Markup('<polygon class="band" points="{}"/>').format(" ".join(band)))
    parts.append(Markup('<polyline class="line" points="{}"/>').format(medians))
    parts += [
        Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2.5"><title>{}</title></circle>').format(
            middle(period),
            y(period.q50),
            f"{_when(period.from_utc_ns, drift.period)}: median {period.q50:.3g} of {period.judged:,} parts",
        )
        for period in periods
    ]
    parts.append(_level(y(1), "1", "threshold"))
    parts.append(
        Markup('<text class="threshold" x="{}" y="{:.1f}" text-anchor="end">threshold</text>').format(
            _WIDTH - _RIGHT, y(1) - 4
        )
    )
    base = 16 + upper + gap + lower
    most = max(period.rejected / period.judged for period in periods) or 1.0
    parts.append(Markup('<text class="strong" x="{}" y="{}">rejected</text>').format(_LEFT, base - lower - 6))
    parts += [_level(base, "0 %"), _level(base - lower, percent(most))]
    for period in periods:
        share = period.rejected / period.judged
        wide = max(1.0, x(period.to_utc_ns) - x(period.from_utc_ns) - 1)
        parts.append(
            Markup(
                '<rect class="bad" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
            ).format(
                x(period.from_utc_ns),
                base - share / most * lower,
                wide,
                share / most * lower,
                f"{_when(period.from_utc_ns, drift.period)}: {period.rejected:,} of {period.judged:,} rejected",
            )
        )
    parts += [
        _tick_x(x(begin), base + 16, _when(begin, drift.period), "start"),
        _tick_x(x((begin + end) // 2), base + 16, _when((begin + end) // 2, drift.period)),
        _tick_x(x(end), base + 16, _when(end, drift.period), "end"),
    ]
    return _svg(parts, height, f"Scores of {name} over time, by {drift.period}", drift.words)


def rates_chart(title: str, rates: Sequence[tuple[str, TrueRate]]) -> Markup:
    """Each rate as a point between its bounds."""
    told = [(name, rate) for name, rate in rates if rate.rate is not None]
    if not told:
        return Markup("")
    left, row = 110, 34
    height = 14 + row * len(told) + 34
    top = _nice(max(rate.high for _, rate in told))

    def x(rate: float) -> float:
        return left + rate / top * (_WIDTH - left - 40)

    parts = []
    base = 14 + row * len(told)
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(Markup('<path class="grid" d="M{:.1f},10V{}"/>').format(x(share * top), base))
        parts.append(_tick_x(x(share * top), base + 20, percent(share * top)))
    for number, (name, rate) in enumerate(told):
        y = 14 + row * number + row / 2
        parts.append(
            Markup(
                '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
                '<path class="whisker" d="M{:.1f},{:.1f}H{:.1f}M{:.1f},{:.1f}v10M{:.1f},{:.1f}v10"/>'
                '<circle class="point" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>'
            ).format(
                left - 14,
                y + 5,
                _short(name),
                x(rate.low),
                y,
                x(rate.high),
                x(rate.low),
                y - 5,
                x(rate.high),
                y - 5,
                x(rate.rate or 0),
                y,
                rate.words,
            )
        )
    return _svg(parts, height, title, " ".join(f"{name}: {rate.words}" for name, rate in told))


def _svg(parts: Sequence[Markup], height: float, title: str, description: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, height, f"{title}. {description}", Markup("").join(parts)
    )


def _level(y: float, name: str, kind: str = "grid") -> Markup:
    return Markup('<path class="{}" d="M{},{:.1f}H{}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
        kind, _LEFT, y, _WIDTH - _RIGHT, _LEFT - 6, y + 4, name
    )


def _threshold_line(x: float, top: float, bottom: float) -> Markup:
    return Markup(
        '<path class="threshold" d="M{:.1f},{}V{}"/><text class="threshold" x="{:.1f}" y="{}">threshold</text>'
    ).format(x, top, bottom, x + 4, top + 8)


def _of_truth(truth: str, kinds: int) -> str:
    if truth != "unknown":
        return f"{truth} parts"
    return "parts of unknown truth" if kinds > 1 else "all parts"


def _tick_x(x: float, y: float, name: str, anchor: str = "middle") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, name)


def _bin(histogram: Histogram, place: int) -> str:
    low = f"{histogram.edges[place]:.3g}"
    return f"of {low} and more" if place == len(histogram.good) - 1 else f"{low} to {histogram.edges[place + 1]:.3g}"


def _when(utc_ns: int, period: str) -> str:
    form = "%Y-%m-%d %H:%M" if period in ("minute", "10 minutes", "hour") else "%Y-%m-%d"
    return time.strftime(form, time.gmtime(utc_ns / 1e9))


def _nice(rate: float) -> float:
    step = 10.0 ** math.floor(math.log10(rate))
    return min(1.0, next(factor * step for factor in (1, 2, 4, 5, 8, 10) if factor * step >= rate * 0.999))


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"
