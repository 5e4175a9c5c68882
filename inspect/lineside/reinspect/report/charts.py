"""Charts as inline SVG: they take their colours from the page, so they are right in light, dark and print."""

from __future__ import annotations

import time
from collections.abc import Sequence

from markupsafe import Markup

from lineside.page.svg import LEFT, RIGHT, WIDTH, level, nice, short, svg, tick
from lineside.reinspect.summary.document import DriftSummary, Histogram, Period, TrueRate
from lineside.statistics.wording import percent

__all__ = ["drift_chart", "histogram_chart", "rates_chart"]


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
    step = (WIDTH - LEFT - RIGHT) / bars
    parts = []
    for number, (truth, counts) in enumerate(told.items()):
        base = low + number * (panel + gap) + panel
        most = max(counts)
        parts.append(
            Markup('<text class="strong" x="{}" y="{}" text-anchor="end">{}</text>').format(
                WIDTH - RIGHT, base - panel - 6, f"{_of_truth(truth, len(told))}: {sum(counts):,}"
            )
        )
        parts.append(level(base, "0"))
        parts.append(level(base - panel + 4, f"{most:,}"))
        for place, count in enumerate(counts):
            if count:
                tall = max(1.0, count / most * (panel - 4))
                parts.append(
                    Markup(
                        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
                    ).format(
                        truth,
                        LEFT + place * step + 0.5,
                        base - tall,
                        step - 1,
                        tall,
                        f"{count:,} {truth} parts with scores {_bin(histogram, place)}",
                    )
                )
    bottom = low + len(told) * (panel + gap) - gap
    parts += [_threshold_line(LEFT + (WIDTH - LEFT - RIGHT) / top_score, 6, bottom)]
    parts += [
        tick(LEFT + share * (WIDTH - LEFT - RIGHT), bottom + 14, f"{share * top_score:g}")
        for share in (0, 0.25, 0.5, 0.75)
    ]
    parts += [tick(WIDTH - RIGHT, bottom + 14, f"{top_score:g} and more", "end")]
    words = f"Scores of {name}, as multiples of the threshold"
    return svg(parts, height, words, f"{words}: {', '.join(f'{sum(c):,} {t}' for t, c in told.items())} parts.")


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
        return LEFT + (utc_ns - begin) / (end - begin) * (WIDTH - LEFT - RIGHT)

    def y(score: float | None) -> float:
        return 16 + upper * (1 - max(0.0, score or 0.0) / top)

    def middle(period: Period) -> float:
        return x((period.from_utc_ns + period.to_utc_ns) // 2)

    band = [f"{middle(period):.1f},{y(period.q95):.1f}" for period in periods]
    band += [f"{middle(period):.1f},{y(period.q05):.1f}" for period in reversed(periods)]
    medians = " ".join(f"{middle(period):.1f},{y(period.q50):.1f}" for period in periods)
    parts = [level(y(at), f"{at:.2g}") for at in (0.0, top / 2, top) if abs(at - 1) > 0.12]
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
    parts.append(level(y(1), "1", "threshold"))
    parts.append(
        Markup('<text class="threshold" x="{}" y="{:.1f}" text-anchor="end">threshold</text>').format(
            WIDTH - RIGHT, y(1) - 4
        )
    )
    base = 16 + upper + gap + lower
    most = max(period.rejected / period.judged for period in periods) or 1.0
    parts.append(Markup('<text class="strong" x="{}" y="{}">rejected</text>').format(LEFT, base - lower - 6))
    parts += [level(base, "0 %"), level(base - lower, percent(most))]
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
        tick(x(begin), base + 16, _when(begin, drift.period), "start"),
        tick(x((begin + end) // 2), base + 16, _when((begin + end) // 2, drift.period)),
        tick(x(end), base + 16, _when(end, drift.period), "end"),
    ]
    return svg(parts, height, f"Scores of {name} over time, by {drift.period}", drift.words)


def rates_chart(title: str, rates: Sequence[tuple[str, TrueRate]]) -> Markup:
    """Each rate as a point between its bounds."""
    told = [(name, rate) for name, rate in rates if rate.rate is not None]
    if not told:
        return Markup("")
    left, row = 110, 34
    height = 14 + row * len(told) + 34
    top = min(1.0, nice(max(rate.high for _, rate in told)))

    def x(rate: float) -> float:
        return left + rate / top * (WIDTH - left - 40)

    parts = []
    base = 14 + row * len(told)
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(Markup('<path class="grid" d="M{:.1f},10V{}"/>').format(x(share * top), base))
        parts.append(tick(x(share * top), base + 20, percent(share * top)))
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
                short(name),
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
    return svg(parts, height, title, " ".join(f"{name}: {rate.words}" for name, rate in told))


def _threshold_line(x: float, top: float, bottom: float) -> Markup:
    return Markup(
        '<path class="threshold" d="M{:.1f},{}V{}"/><text class="threshold" x="{:.1f}" y="{}">threshold</text>'
    ).format(x, top, bottom, x + 4, top + 8)


def _of_truth(truth: str, kinds: int) -> str:
    if truth != "unknown":
        return f"{truth} parts"
    return "parts of unknown truth" if kinds > 1 else "all parts"


def _bin(histogram: Histogram, place: int) -> str:
    low = f"{histogram.edges[place]:.3g}"
    return f"of {low} and more" if place == len(histogram.good) - 1 else f"{low} to {histogram.edges[place + 1]:.3g}"


def _when(utc_ns: int, period: str) -> str:
    form = "%Y-%m-%d %H:%M" if period in ("minute", "10 minutes", "hour") else "%Y-%m-%d"
    return time.strftime(form, time.gmtime(utc_ns / 1e9))
