"""Items of the daily check that brightness, colour and evenness are, whatever the picture shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lineside.config.calibration_check import CheckItem, CheckTable

__all__ = ["light_items"]

Floats = NDArray[np.float64]

_LAMP = "clean lamp and window, see whether the lamp has aged or its setting was changed; then calibrate again"


def light_items(
    was: float,
    now: float,
    colour_was: Floats,
    colour_now: Floats,
    uneven: float,
    where: str,
    limits: CheckTable,
    natural: Sequence[float],
    *,
    judged: bool,
) -> list[CheckItem]:
    """Brightness, colour and evenness; `natural` are the changes of each that good pictures have, as shares."""
    items = [
        CheckItem(
            name="brightness", change=100 * (now / max(was, 1e-6) - 1), unit="%", todo=_LAMP, judged=judged,
            limit=100 * max(limits.max_brightness, natural[0]),
            words=f"{now:.1%} of the largest value, {was:.1%} at the calibration",
        ),
        CheckItem(
            name="evenness", change=100 * uneven, limit=100 * max(limits.max_unevenness, natural[2]), unit="%",
            judged=judged, words=f"largest change of one place against the whole, {where}",
            todo="look for a shadow, a lamp that is out, or dirt on lamp, window or lens",
        ),
    ]  # fmt: skip
    if len(colour_was) == 3:
        shares_was, shares_now = (colour / max(float(colour.sum()), 1e-6) for colour in (colour_was, colour_now))
        away = shares_now - shares_was
        worst, names = int(np.abs(away).argmax()), ("red", "green", "blue")
        items.append(
            CheckItem(
                name="colour", change=100 * float(away[worst]), unit="%", todo=_LAMP, judged=judged,
                limit=100 * max(limits.max_colour, natural[1]),
                words=f"share of {names[worst]}: {shares_now[worst]:.1%}, {shares_was[worst]:.1%} before",
            )
        )  # fmt: skip
    return items
