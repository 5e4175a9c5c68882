"""Figures as people read them."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

__all__ = ["figure", "often", "percent", "points", "points_between", "probability"]

_MINUS = "\N{MINUS SIGN}"


def percent(share: float, *, up: bool | None = None) -> str:
    """A share as "0.42 %", "17 %", "99.6 %", "121 %": two figures that count, or the first that is missing to 100.

    `up` rounds away from flattery: upper bounds up (True), lower bounds down (False); None to the nearest.
    """
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    value = Decimal(repr(float(share))) * 100
    # Near 100 % what matters is how much is missing.
    telling, figures = (100 - value, 1) if 50 < value < 100 else (value, 2)
    places = max(0, figures - 1 - math.floor(math.log10(telling)))
    rounding = {None: ROUND_HALF_EVEN, True: ROUND_CEILING, False: ROUND_FLOOR}[up]
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding)
    text = f"{rounded:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def points(difference: float, *, figures: int = 2) -> str:
    """A difference of two shares in percentage points, with its sign: "+0.4 points"."""
    value = difference * 100
    places = 0 if value == 0 else min(6, max(0, figures - 1 - math.floor(math.log10(abs(value)))))
    text = f"{value:+.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0 points" if value == 0 else f"{text.replace('-', _MINUS)} points"


def points_between(low: float, high: float) -> str:
    """Two differences in percentage points, told with as many figures as it takes to tell them apart."""
    figures = next((count for count in (2, 3, 4) if points(low, figures=count) != points(high, figures=count)), 5)
    return f"{points(low, figures=figures).removesuffix(' points')} to {points(high, figures=figures)}"


def figure(value: float, *, figures: int = 3) -> str:
    """A figure in a unit of its own, without an exponent where that is readable: "0.0547", "12000"."""
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    text = f"{value:.{figures}g}"
    if "e" in text and 1e-7 < abs(value) < 1e12:
        text = f"{value:.0f}" if abs(value) >= 1 else f"{value:.{figures + 6}f}".rstrip("0")
    return text.replace("-", _MINUS)


def often(probability: float) -> str:
    """A probability as a share of cases: "3.9 %", "less than 0.1 %"."""
    return "less than 0.1 %" if probability < 0.001 else percent(probability)


def probability(value: float) -> str:
    """A p-value: "0.039", "below 0.001"."""
    return "below 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
