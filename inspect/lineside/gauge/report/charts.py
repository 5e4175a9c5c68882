"""The usual charts of a gauge study: components of variation, ranges and averages with limits, interaction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from lineside.gauge.analysis import Analysis
from lineside.gauge.crossed import Crossed
from lineside.page.axis import Axis, across, axis_of
from lineside.page.svg import LEFT, RIGHT, WIDTH, short, svg, tick
from lineside.statistics.gauge_study import GaugeStudy
from lineside.statistics.wording import percent

__all__ = ["SERIES", "averages_chart", "components_chart", "interaction_chart", "ranges_chart"]

SERIES = 6
"""So many operators have a line and mark of their own; the next ones begin anew."""

_TOP, _BOTTOM, _HEIGHT = 16, 196, 224
_MOST_NAMES = 12


def components_chart(study: GaugeStudy, tolerance: float | None) -> Markup:
    """Gauge, repeatability, reproducibility, parts: share of the variance, of the variation, of the tolerance."""
    told = [("gauge", study.gauge), ("repeatability", study.repeatability)]
    if study.reproducibility is not None:
        told.append(("reproducibility", study.reproducibility))
    told.append(("parts", study.part))
    kinds = [("variance", [each.variance / study.total.variance for _, each in told])]
    kinds.append(("variation", [study.share_of_variation(each) for _, each in told]))
    if tolerance is not None:
        # The parts may fill the tolerance many times over, and that says nothing of the gauge: left out.
        kinds.append(("tolerance", [each.study_variation.value / tolerance for _, each in told[:-1]]))
    axis = axis_of([0.0, 100 * max(max(shares) for _, shares in kinds)], top=_TOP + 14, bottom=_BOTTOM, zero=True)
    parts = axis.levels
    wide = min(34.0, (WIDTH - LEFT - RIGHT) / len(told) / (len(kinds) + 1))
    for place, (name, _) in enumerate(told):
        parts.append(tick(across(place, len(told)), _BOTTOM + 18, name))
        for number, (kind, shares) in enumerate(kinds):
            if place >= len(shares):
                continue
            x = across(place, len(told)) + (number - len(kinds) / 2) * wide
            parts.append(
                _bar(x + 1, wide - 2, axis, 100 * shares[place], f"of-{kind}", f"{name}: {percent(shares[place])}")
            )
    words = "; ".join(
        f"of the {kind} {', '.join(f'{name} {percent(share)}' for (name, _), share in zip(told, shares, strict=False))}"
        for kind, shares in kinds
    )
    return svg([*parts, _unit("%")], _HEIGHT, "Components of variation", words)


def averages_chart(analysis: Analysis) -> Markup:
    """The average of each part by each operator, with its limits: most should lie outside."""
    charts = analysis.charts
    outside = charts.averages_outside
    words = "no limits" if outside is None else f"{outside} of {charts.averages.size} averages lie outside their limits"
    return _controlled(analysis, charts.averages, charts.average, charts.average_limits, "Averages", words, bad=False)


def ranges_chart(analysis: Analysis) -> Markup:
    """The range of each part's repeats by each operator, with its limit: all should lie within."""
    charts = analysis.charts
    outside = charts.ranges_outside
    words = "no limits" if outside is None else f"{outside} of {charts.ranges.size} ranges lie outside their limits"
    return _controlled(analysis, charts.ranges, charts.range, charts.range_limits, "Ranges", words, bad=True)


def interaction_chart(table: Crossed, values: NDArray[np.float64], unit: str) -> Markup:
    """Each operator's averages over the parts: where lines are not alongside, operators differ from part to part."""
    means = values.mean(axis=2)
    axis = axis_of(means.ravel(), top=_TOP + 8, bottom=_BOTTOM)
    parts = [*axis.levels, *_part_names(table)]
    for operator in range(len(table.operators)):
        points = [
            (across(place, len(table.parts)), axis.y(means[place, operator])) for place in range(len(table.parts))
        ]
        parts.append(_polyline(points, f"series s{operator % SERIES}"))
        parts += [
            mark(x, y, operator, f"part {part} by {table.operators[operator]}: {mean:.4g}")
            for (x, y), part, mean in zip(points, table.parts, means[:, operator], strict=True)
        ]
    words = "; ".join(
        f"{name}: {', '.join(f'{mean:.3g}' for mean in means[:, place])}" for place, name in enumerate(table.operators)
    )
    return svg([*parts, _unit(unit)], _HEIGHT, "Averages of the parts by operator", words)


def mark(x: float, y: float, operator: int, title: str) -> Markup:
    """An operator's own mark: told apart by its shape as well as by its colour."""
    shapes = (
        '<circle cx="{x:.1f}" cy="{y:.1f}" r="4"',
        '<rect x="{a:.1f}" y="{b:.1f}" width="7.2" height="7.2"',
        '<path d="M{x:.1f},{c:.1f}l5,8.4h-10z"',
        '<path d="M{x:.1f},{c:.1f}l5,5.2l-5,5.2l-5,-5.2z"',
        '<path d="M{x:.1f},{d:.1f}l5,-8.4h-10z"',
        '<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="5.4" ry="2.8"',
    )
    shape = shapes[operator % SERIES].format(x=x, y=y, a=x - 3.6, b=y - 3.6, c=y - 5.2, d=y + 5.2)
    return Markup(shape) + Markup(' class="mark m{}"><title>{}</title></{}>').format(
        operator % SERIES, title, shape[1 : shape.index(" ")]
    )


def _controlled(
    analysis: Analysis,
    values: NDArray[np.float64],
    middle: float,
    limits: tuple[float, float] | None,
    title: str,
    words: str,
    *,
    bad: bool,
) -> Markup:
    """One panel for each operator, side by side; points beyond a limit are marked where that is bad."""
    table = analysis.table
    axis = axis_of([*values.ravel(), *(limits or ()), middle], top=_TOP + 8, bottom=_BOTTOM, zero=bad)
    count = len(table.parts) * len(table.operators)
    parts = axis.levels
    for operator, name in enumerate(table.operators):
        first = operator * len(table.parts)
        if operator:
            edge = (across(first - 1, count) + across(first, count)) / 2
            parts.append(Markup('<path class="edge" d="M{:.1f},{}V{}"/>').format(edge, _TOP, _BOTTOM))
        parts.append(tick(across(first + (len(table.parts) - 1) / 2, count), _BOTTOM + 18, short(name, 14)))
        points = [(across(first + place, count), axis.y(values[place, operator])) for place in range(len(table.parts))]
        parts.append(_polyline(points, "line thin"))
        for place, (x, y) in enumerate(points):
            beyond = limits is not None and not limits[0] <= values[place, operator] <= limits[1]
            parts.append(
                Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}</title></circle>').format(
                    "beyond" if beyond and bad else "dot",
                    x,
                    y,
                    4.5 if beyond and bad else 3,
                    f"part {table.parts[place]} by {name}: {values[place, operator]:.4g}",
                )
            )
    parts.append(_across(axis, middle, "middle"))
    for limit in limits or ():
        if bad and limit == 0:
            continue  # no limit: a range cannot be less
        parts.append(_across(axis, limit, "limit"))
    return svg([*parts, _unit(analysis.asked.unit)], _HEIGHT, title, words)


def _across(axis: Axis, value: float, kind: str) -> Markup:
    return Markup('<path class="{}" d="M{},{:.1f}H{}"><title>{}</title></path>').format(
        kind, LEFT, axis.y(value), WIDTH - RIGHT, f"{kind}: {value:.4g}"
    )


def _bar(x: float, width: float, axis: Axis, value: float, kind: str, title: str) -> Markup:
    y = axis.y(value)
    return Markup(
        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
    ).format(kind, x, y, width, max(0.5, axis.bottom - y), title)


def _polyline(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    return Markup('<polyline class="{}" points="{}"/>').format(kind, " ".join(f"{x:.1f},{y:.1f}" for x, y in points))


def _part_names(table: Crossed) -> list[Markup]:
    """The parts' names, as many as there is room for."""
    every = -(-len(table.parts) // _MOST_NAMES)
    return [
        tick(across(place, len(table.parts)), _BOTTOM + 18, short(part, 8))
        for place, part in enumerate(table.parts)
        if place % every == 0
    ]


def _unit(unit: str) -> Markup:
    return tick(LEFT, 15, unit, "start") if unit else Markup("")
