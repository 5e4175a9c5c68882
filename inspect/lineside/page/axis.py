"""A figure's way onto the paper: round levels, and where they stand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from lineside.page.svg import LEFT, RIGHT, WIDTH, level

__all__ = ["Axis", "across", "axis_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """From `low` at `bottom` to `high` at `top`, in units of the chart; `step` between the named levels."""

    low: float
    high: float
    step: float
    top: float
    bottom: float

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    @property
    def levels(self) -> list[Markup]:
        """A line for each round figure."""
        count = round((self.high - self.low) / self.step)
        return [self._level(self.low + number * self.step) for number in range(count + 1)]

    def _level(self, value: float) -> Markup:
        places = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return level(self.y(value), f"{round(value / self.step) * self.step:.{places}f}".replace("-", "\N{MINUS SIGN}"))


def axis_of(values: Iterable[float], *, top: float, bottom: float, zero: bool = False) -> Axis:
    """An axis that holds all values, and zero with `zero`, between round figures."""
    held = [value for value in values if math.isfinite(value)]
    low, high = min([*held, 0.0] if zero else held), max([*held, 0.0] if zero else held)
    if high == low:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    step = _step((high - low) / 4)
    return Axis(
        low=math.floor(low / step + 1e-9) * step,
        high=math.ceil(high / step - 1e-9) * step,
        step=step,
        top=top,
        bottom=bottom,
    )


def across(place: float, places: int) -> float:
    """The middle of the place (from 0) of so many beside each other."""
    return LEFT + (place + 0.5) * (WIDTH - LEFT - RIGHT) / places


def _step(rough: float) -> float:
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough * 0.999)
