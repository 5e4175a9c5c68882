"""Parts that were shown again: a row for each, a mark for each presentation."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from lineside.page.svg import WIDTH, svg, tick
from lineside.qualify.document import Repeatability

__all__ = ["repeat_chart"]

_NAMES: Final = 200
_LONGEST: Final = 18
_ROW: Final = 16


def repeat_chart(told: Repeatability) -> Markup:
    """Filled: rejected; hollow: passed. Ringed: another outcome than that of the picture as it is."""
    ways = [each.name for each in told.parts[0].presentations]
    step = (WIDTH - _NAMES - 16) / len(ways)
    inner = step / (told.trials + 1)
    parts = [tick(_NAMES + (place + 0.5) * step, 14, name) for place, name in enumerate(ways)]
    rows = sorted(told.parts, key=lambda part: (not part.good, part.score or 0))
    for number, part in enumerate(rows):
        y = 34 + number * _ROW
        name = part.name.rpartition("/")[2]
        end = name if len(name) <= _LONGEST else f"…{name[-_LONGEST:]}"  # numbers stand at the end
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="end">{}<title>{}</title></text>').format(
                _NAMES - 8, y + 4, f"{'good' if part.good else 'bad'}: {end}", part.name
            )
        )
        for place, way in enumerate(part.presentations):
            for trial, rejected in enumerate(way.rejected):
                kind = "bad" if rejected else "good hollow"
                parts.append(
                    Markup('<circle class="{}" cx="{:.1f}" cy="{}" r="{}"><title>{}</title></circle>').format(
                        f"{kind}{' ring' if rejected is not part.rejected else ''}",
                        _NAMES + place * step + (trial + 1) * inner,
                        y,
                        4,
                        f"{part.name}, {way.name}, trial {trial + 1}: {'rejected' if rejected else 'passed'}",
                    )
                )
    flips = sum(part.flips for part in told.parts)
    return svg(parts, 44 + len(rows) * _ROW, "Parts shown again", f"{flips} presentations had another outcome")
