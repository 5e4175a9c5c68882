"""Measurements as points, by part and by operator; deviations from the references; kappas between their bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from lineside.gauge.crossed import Crossed
from lineside.gauge.report.charts import mark
from lineside.page.axis import across, axis_of
from lineside.page.svg import LEFT, RIGHT, WIDTH, short, svg, tick
from lineside.statistics.agreement import GOOD, POOR, Kappa
from lineside.statistics.linearity import Linearity

__all__ = ["by_operator_chart", "by_part_chart", "kappas_chart", "linearity_chart", "order_chart"]

_TOP, _BOTTOM, _HEIGHT = 24, 196, 224
_MOST_NAMES = 12
_NAME_ROOM = 34


def by_part_chart(table: Crossed, values: NDArray[np.float64], unit: str) -> Markup:
    """All measurements of each part, and the line through their means."""
    groups = [
        [(operator, value) for operator, repeats in enumerate(of_part) for value in repeats] for of_part in values
    ]
    return _grouped(table, groups, table.parts, "Measurements by part", unit)


def by_operator_chart(table: Crossed, values: NDArray[np.float64], unit: str) -> Markup:
    """All measurements by each operator, and the line through their means: flat where operators measure alike."""
    groups = [[(operator, value) for value in values[:, operator].ravel()] for operator in range(len(table.operators))]
    return _grouped(table, groups, table.operators, "Measurements by operator", unit)


def order_chart(table: Crossed, values: NDArray[np.float64], unit: str) -> Markup:
    """Each measurement less its part's mean, in the order in which they were taken: a slope or a step is a drift.

    Empty where the order is not known.
    """
    taken = sorted(
        (row.order, float(values[part, operator, trial] - values[part].mean()), operator, row.who)
        for part, cells in enumerate(table.cells)
        for operator, cell in enumerate(cells)
        for trial, row in enumerate(cell)
    )
    if taken[0][0] == 0:
        return Markup("")
    axis = axis_of([deviation for _, deviation, _, _ in taken], top=_TOP, bottom=_BOTTOM, zero=True)
    parts = [*axis.levels, Markup('<path class="zero" d="M{},{:.1f}H{}"/>').format(LEFT, axis.y(0), WIDTH - RIGHT)]
    for place, (_, deviation, operator, who) in enumerate(taken):
        parts.append(mark(across(place, len(taken)), axis.y(deviation), operator, f"{who}: {deviation:+.3g}"))
    for place in sorted({0, len(taken) // 2, len(taken) - 1}):
        parts.append(tick(across(place, len(taken)), _BOTTOM + 18, f"{taken[place][0]}"))
    most = max(abs(deviation) for _, deviation, _, _ in taken)
    return svg([*parts, _unit(unit)], _HEIGHT, "Deviations in the order of measuring", f"At most {most:.3g}.")


def linearity_chart(line: Linearity, deviations: Sequence[tuple[float, float]], unit: str) -> Markup:
    """Deviation over reference, (reference, deviation) in the unit, with the line and its bounds."""
    first, last = line.biases[0].reference or 0.0, line.biases[-1].reference or 0.0
    at = [first + (last - first) * step / 24 for step in range(25)]
    band = [line.band(each) for each in at]
    axis = axis_of(
        [*(deviation for _, deviation in deviations), *(low for low, _, _ in band), *(high for *_, high in band)],
        top=_TOP,
        bottom=_BOTTOM,
        zero=True,
    )

    def x(reference: float) -> float:
        return LEFT + 14 + (reference - first) / (last - first) * (WIDTH - LEFT - RIGHT - 28)

    edges = [(x(each), axis.y(high)) for each, (_, _, high) in zip(at, band, strict=True)]
    edges += [(x(each), axis.y(low)) for each, (low, _, _) in reversed(list(zip(at, band, strict=True)))]
    parts = [*axis.levels, Markup('<polygon class="band" points="{}"/>').format(_points(edges))]
    parts.append(Markup('<path class="zero" d="M{},{:.1f}H{}"/>').format(LEFT, axis.y(0), WIDTH - RIGHT))
    middle = [(x(each), axis.y(value)) for each, (_, value, _) in zip(at, band, strict=True)]
    parts.append(Markup('<polyline class="line" points="{}"/>').format(_points(middle)))
    parts += [
        Markup('<circle class="faint" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x(reference), axis.y(deviation))
        for reference, deviation in deviations
    ]
    named_at = -math.inf
    for each in line.biases:
        at_x = x(each.reference or 0.0)
        title = f"{each.reference:g}: {each.words}"
        parts.append(_whisker_up(at_x, axis.y(each.low), axis.y(each.high), axis.y(each.mean), title))
        if at_x - named_at > _NAME_ROOM:
            named_at = at_x
            parts.append(tick(at_x, _BOTTOM + 18, f"{each.reference:g}".replace("-", "\N{MINUS SIGN}")))
    return svg([*parts, _unit(unit)], _HEIGHT, "Deviation over reference", line.words)


def kappas_chart(kappas: Sequence[Kappa]) -> Markup:
    """Each kappa as a point between its bounds."""
    told = [each for each in kappas if each.value is not None]
    left, row = 200, 30
    lowest = min([0.0, *(each.low for each in told)])
    low = -1.0 if lowest < -0.5 else -0.5 if lowest < 0 else 0.0
    base = 14 + row * len(told)

    def x(value: float) -> float:
        return left + (value - low) / (1 - low) * (WIDTH - left - 24)

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = low + share * (1 - low)
        parts.append(Markup('<path class="grid" d="M{:.1f},10V{}"/>').format(x(at), base))
        parts.append(tick(x(at), base + 18, f"{at:.2f}".replace("-", "\N{MINUS SIGN}")))
    for limit in (POOR, GOOD):
        parts.append(Markup('<path class="limit" d="M{:.1f},10V{}"/>').format(x(limit), base))
    for number, each in enumerate(told):
        y = 14 + row * number + row / 2
        parts.append(tick(left - 14, y + 4, short(each.what, 30), "end"))
        parts.append(
            Markup(
                '<path class="whisker" d="M{:.1f},{:.1f}H{:.1f}M{:.1f},{:.1f}v10M{:.1f},{:.1f}v10"/>'
                '<circle class="point" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>'
            ).format(
                x(each.low), y, x(each.high), x(each.low), y - 5, x(each.high), y - 5, x(each.value or 0), y, each.words
            )
        )
    return svg(parts, base + 30, "Kappas between their bounds", " ".join(each.words for each in told))


def _grouped(
    table: Crossed, groups: Sequence[Sequence[tuple[int, float]]], names: Sequence[str], title: str, unit: str
) -> Markup:
    axis = axis_of([value for group in groups for _, value in group], top=_TOP, bottom=_BOTTOM)
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    every = -(-len(names) // _MOST_NAMES)
    means = [sum(value for _, value in group) / len(group) for group in groups]
    parts = axis.levels
    for place, (name, group) in enumerate(zip(names, groups, strict=True)):
        if place % every == 0:
            parts.append(tick(across(place, len(groups)), _BOTTOM + 18, short(name, 14 if len(names) < 7 else 8)))
        for number, (operator, value) in enumerate(group):
            beside = (number + 0.5) / len(group) - 0.5
            x = across(place, len(groups)) + beside * room * 0.6
            parts.append(mark(x, axis.y(value), operator, f"{name}, {table.operators[operator]}: {value:.4g}"))
    line = [(across(place, len(groups)), axis.y(mean)) for place, mean in enumerate(means)]
    parts.append(Markup('<polyline class="means" points="{}"/>').format(_points(line)))
    words = ", ".join(f"{name} {mean:.3g}" for name, mean in zip(names, means, strict=True))
    return svg([*parts, _unit(unit)], _HEIGHT, title, f"Means: {words}")


def _whisker_up(x: float, low: float, high: float, middle: float, title: str) -> Markup:
    return Markup(
        '<path class="whisker" d="M{:.1f},{:.1f}V{:.1f}M{:.1f},{:.1f}h10M{:.1f},{:.1f}h10"/>'
        '<circle class="point" cx="{:.1f}" cy="{:.1f}" r="4.5"><title>{}</title></circle>'
    ).format(x, low, high, x - 5, low, x - 5, high, x, middle, title)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _unit(unit: str) -> Markup:
    return tick(LEFT, 15, unit, "start") if unit else Markup("")
