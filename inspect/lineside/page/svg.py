"""The pieces of a chart as inline SVG: it takes its colours from the page, so it is right in light, dark and print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

__all__ = ["LEFT", "RIGHT", "WIDTH", "level", "nice", "short", "svg", "tick"]

WIDTH: Final = 640
LEFT: Final = 56
RIGHT: Final = 16
"""Width of a chart, and what is left free at its sides, in its own units."""


def svg(parts: Sequence[Markup], height: float, title: str, description: str, *, width: float = WIDTH) -> Markup:
    """The whole chart; title and description are for those who cannot see it."""
    return Markup('<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        width, height, f"{title}. {description}", Markup("").join(parts)
    )


def level(y: float, name: str, kind: str = "grid", *, right: float = WIDTH - RIGHT) -> Markup:
    """A line across at that height, named at its left."""
    return Markup('<path class="{}" d="M{},{:.1f}H{}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
        kind, LEFT, y, right, LEFT - 6, y + 4, name
    )


def tick(x: float, y: float, name: str, anchor: str = "middle") -> Markup:
    """A name under the chart."""
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, name)


def nice(value: float) -> float:
    """The next round figure that is not below `value`, which is above zero."""
    step = 10.0 ** math.floor(math.log10(value))
    return next(factor * step for factor in (1, 2, 4, 5, 8, 10) if factor * step >= value * 0.999)


def short(name: str, most: int = 12) -> str:
    """The name, cut where it is longer."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
