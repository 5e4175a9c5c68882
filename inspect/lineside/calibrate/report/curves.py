"""One figure over another as an SVG chart: points as they were measured, and the line that was fitted."""

from __future__ import annotations

import math

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from lineside.page.svg import LEFT, RIGHT, WIDTH, level, svg, tick

__all__ = ["curve_chart"]

_TOP, _BOTTOM, _HEIGHT = 24.0, 300.0, 340.0
_STEPS = 5


def curve_chart(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    line: tuple[float, float],
    *,
    names: tuple[str, str],
    title: str,
    description: str,
) -> Markup:
    """Points (N,) over points (N,), and the line a + b x. `names` are those of the axes, with units."""
    step_x, step_y = _step(float(x.max())), _step(float(max(y.max(), 0.0)))
    end_x, end_y = step_x * math.ceil(float(x.max()) / step_x), step_y * math.ceil(float(y.max()) / step_y)

    def at(value_x: float, value_y: float) -> tuple[float, float]:
        across = LEFT + value_x / end_x * (WIDTH - LEFT - RIGHT)
        return across, _BOTTOM - value_y / end_y * (_BOTTOM - _TOP)

    parts = [level(at(0, number * step_y)[1], f"{number * step_y:g}") for number in range(round(end_y / step_y) + 1)]
    parts += [
        tick(at(number * step_x, 0)[0], _BOTTOM + 16, f"{number * step_x:g}")
        for number in range(round(end_x / step_x) + 1)
    ]
    start, slope = line
    if slope:
        low, high = sorted((-start / slope, (end_y - start) / slope))  # where the line enters and leaves the chart
        ends = (min(max(0.0, low), end_x), min(max(0.0, high), end_x))
        (x1, y1), (x2, y2) = (at(end, start + slope * end) for end in ends)
        parts.append(Markup('<path class="line" d="M{:.1f},{:.1f}L{:.1f},{:.1f}"/>').format(x1, y1, x2, y2))
    for each_x, each_y in zip(x, y, strict=True):
        place = at(float(each_x), float(each_y))
        parts.append(
            Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="4"><title>{:.5g}, {:.5g}</title></circle>').format(
                *place, each_x, each_y
            )
        )
    parts.append(
        Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(WIDTH - RIGHT, _HEIGHT - 6, names[0])
    )
    parts.append(Markup('<text x="4" y="12">{}</text>').format(names[1]))
    return svg(parts, _HEIGHT, title, description)


def _step(largest: float) -> float:
    """A round step that divides the axis into about five."""
    rough = max(largest, 1e-12) / _STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
