"""Finds the one part in a picture and brings it to the place, angle and scale of a reference: before any model looks.

Training and inspection call the same function, so that they see the same pixels. What cannot be found is said, never
guessed. One module for each way of finding: by what differs from even ground, as a round part, by edges.
"""

from __future__ import annotations

from lineside.core.frame import Pixels
from lineside.imaging.locate_edges import EdgesPattern, locate_edges
from lineside.imaging.locate_outline import OutlinePattern, locate_outline
from lineside.imaging.locate_round import RoundPattern, locate_round
from lineside.imaging.located import Located

__all__ = ["EdgesPattern", "Located", "OutlinePattern", "PartPattern", "RoundPattern", "locate"]

PartPattern = OutlinePattern | RoundPattern | EdgesPattern


def locate(pixels: Pixels, pattern: PartPattern) -> Located:
    """Finds the part; `pixels` are a frame of the reference's format. Raises: NotLocated with the reason why not."""
    match pattern:
        case OutlinePattern():
            return locate_outline(pixels, pattern)
        case RoundPattern():
            return locate_round(pixels, pattern)
        case EdgesPattern():
            return locate_edges(pixels, pattern)
