"""The charts of a qualification, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from lineside.page.svg import LEFT, RIGHT, WIDTH, level, svg, tick
from lineside.qualify.document import Bin, DetectionProbability, Qualification
from lineside.statistics.wording import figure, percent

__all__ = ["histogram_chart", "pod_chart", "precision_chart", "roc_chart"]

_TOP, _BOTTOM, _HEIGHT = 24, 316, 356
_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_ACROSS: Final = WIDTH - LEFT - RIGHT


def roc_chart(document: Qualification) -> Markup:
    """Bad parts caught against good parts rejected, with where the package's threshold stands."""
    points = [(point.overkill, 1 - point.escapes) for point in document.roc]
    overkill, escapes = document.overkill, document.escapes
    parts = [*_square(), _line(points), *_named("overkill", "caught")]
    if overkill.of_pictures and escapes.of_pictures:
        here = (overkill.pictures / overkill.of_pictures, 1 - escapes.pictures / escapes.of_pictures)
        parts.append(_mark(here, f"as judged: overkill {percent(here[0])}, caught {percent(here[1])}"))
    return svg(parts, _HEIGHT, "ROC", f"AUROC {document.auroc.value:.3f}" if document.auroc else "no curve")


def precision_chart(document: Qualification) -> Markup:
    """The share of bad ones among the rejected, against the share of bad ones caught."""
    points = [(1 - point.escapes, point.precision) for point in document.roc]
    parts = [*_square(), _line(points), *_named("caught", "precision")]
    rejected = document.overkill.pictures + document.escapes.of_pictures - document.escapes.pictures
    if rejected:
        caught = document.escapes.of_pictures - document.escapes.pictures
        here = (caught / document.escapes.of_pictures, caught / rejected)
        parts.append(_mark(here, f"as judged: caught {percent(here[0])}, precision {percent(here[1])}"))
    return svg(parts, _HEIGHT, "Precision and recall", f"average precision {document.average_precision or 0:.3f}")


def histogram_chart(bars: Sequence[Bin], threshold: float) -> Markup:
    """Scores of good pictures above, of bad ones below, on one axis."""
    panel, gap, low = 84, 26, 22
    step = _ACROSS / len(bars)
    bottom = low + 2 * panel + gap
    parts = []
    for number, (truth, counts) in enumerate(
        (("good", [bar.good for bar in bars]), ("bad", [bar.bad for bar in bars]))
    ):
        base, most = low + number * (panel + gap) + panel, max(1, *counts)
        parts += [level(base, "0"), level(base - panel + 4, f"{most:,}")]
        parts.append(
            Markup('<text class="strong" x="{}" y="{}" text-anchor="end">{}</text>').format(
                WIDTH - RIGHT, base - panel - 6, f"{sum(counts):,} {truth} pictures"
            )
        )
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
                        max(1.0, step - 1),
                        tall,
                        f"{count:,} {truth}, scores {figure(bars[place].low)} to {figure(bars[place].high)}",
                    )
                )
    # The last bar may be wider than the others: the axis is that of those.
    wide = bars[0].high - bars[0].low
    at = LEFT + (threshold - bars[0].low) / wide * step
    if LEFT <= at <= WIDTH - RIGHT:
        left = at > WIDTH / 2  # the number of pictures stands at the right
        parts.append(
            Markup(
                '<path class="threshold" d="M{:.1f},6V{}"/>'
                '<text class="threshold" x="{:.1f}" y="14" text-anchor="{}">threshold</text>'
            ).format(at, bottom, at + (-4 if left else 4), "end" if left else "start")
        )
    for share in (0.0, 0.25, 0.5, 0.75):
        value = bars[0].low + share * wide * len(bars)
        parts.append(tick(LEFT + share * _ACROSS, bottom + 16, figure(value)))
    parts.append(tick(WIDTH - RIGHT, bottom + 16, f"{figure(bars[-1].low)} and more", "end"))
    return svg(parts, bottom + 26, "Scores", "good pictures above, bad ones below")


def pod_chart(told: DetectionProbability) -> Markup:
    """The fitted probability by size, its sure side, and every defect: found ones at the top, missed ones below."""
    sizes = [*told.sizes_found, *told.sizes_missed]
    low, high = math.log(min(sizes)), math.log(max(*sizes, *([told.a90_95] if told.a90_95 else [])))
    high = high if high > low else low + 1

    def x(size: float) -> float:
        return LEFT + (math.log(size) - low) / (high - low) * _ACROSS

    def y(share: float) -> float:
        return _BOTTOM - 20 - share * (_BOTTOM - 40 - _TOP)

    def inside(points: Sequence[tuple[float, float]]) -> list[str]:
        return [f"{x(size):.1f},{y(share):.1f}" for size, share in points if low <= math.log(size) <= high]

    parts = [level(y(share), percent(share)) for share in (*_SHARES, 0.9)]
    for sizes_of, at, kind in ((told.sizes_found, _TOP, "good"), (told.sizes_missed, _BOTTOM - 6, "bad")):
        parts += [
            Markup('<path class="rug {}" d="M{:.1f},{}v10"><title>{}</title></path>').format(
                kind, x(size), at - 5, f"{figure(size)} {told.unit}"
            )
            for size in sizes_of
        ]
    if not told.separated:
        curve = inside([(point.size, point.probability) for point in told.curve])
        parts.append(Markup('<polyline class="line" points="{}"/>').format(" ".join(curve)))
    sure = inside([(point.sure_from, point.probability) for point in told.curve if point.sure_from])
    parts.append(Markup('<polyline class="line sure" points="{}"/>').format(" ".join(sure)))
    told_sizes = []
    for name, size in (("a90", told.a90), ("a90/95", told.a90_95)):
        if size and low <= math.log(size) <= high:
            told_sizes.append(f"{name} {figure(size)} {told.unit}")
            parts.append(_point(x(size), y(0.9), told_sizes[-1]))
    parts.append(_legend(", ".join(told_sizes), y(0) - 10))
    count = 5
    for place in range(count):
        size = math.exp(low + place / (count - 1) * (high - low))
        anchor = "end" if place == count - 1 else "middle"
        parts.append(tick(LEFT + place / (count - 1) * _ACROSS, _BOTTOM + 18, f"{figure(size)}", anchor))
    parts.append(tick(LEFT + _ACROSS / 2, _BOTTOM + 34, f"longer side of the defect, {told.unit} (logarithmic)"))
    return svg(parts, _HEIGHT, "Probability of detection by size", f"{told.found} of {told.of} defects were found")


def _square() -> list[Markup]:
    lines = [level(_y(share), percent(share)) for share in _SHARES]
    names = (tick(_x(share), _BOTTOM + 18, percent(share), "end" if share == 1 else "middle") for share in _SHARES)
    return [*lines, *names]


def _named(across: str, up: str) -> list[Markup]:
    return [
        tick(LEFT + _ACROSS / 2, _BOTTOM + 34, across),
        Markup('<text class="strong" x="{}" y="{}">{}</text>').format(LEFT, _TOP - 10, up),
    ]


def _x(share: float) -> float:
    return LEFT + share * _ACROSS


def _y(share: float) -> float:
    return _BOTTOM - share * (_BOTTOM - _TOP)


def _line(points: Sequence[tuple[float, float]]) -> Markup:
    places = " ".join(f"{_x(across):.1f},{_y(up):.1f}" for across, up in points)
    return Markup('<polyline class="line" points="{}"/>').format(places)


def _mark(here: tuple[float, float], words: str) -> Markup:
    return _point(_x(here[0]), _y(here[1]), words) + _legend(words, _BOTTOM - 10)


def _point(x: float, y: float, words: str) -> Markup:
    return Markup('<circle class="point" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>').format(x, y, words)


def _legend(words: str, y: float) -> Markup:
    """What the points are, where no line runs."""
    return Markup('<text class="strong" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
        WIDTH - RIGHT - 6, y, f"● {words}" if words else ""
    )
