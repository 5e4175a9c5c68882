"""What comes of locating, whatever way the part was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lineside.core.errors import NotLocated
from lineside.core.frame import Pixels
from lineside.imaging.pose import Pose

__all__ = ["LOCATE_REMEDY", "Located", "misfit"]

LOCATE_REMEDY: Final = "look at it with `lineside locate`; if it is a good part, train with pictures like it"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Located:
    """The part as the model sees it, where it lies, and how well it fits the reference (1: entirely)."""

    pixels: Pixels
    pose: Pose
    correlation: float


def misfit(correlation: float, least: float) -> NotLocated:
    """What is there is not the part."""
    return NotLocated(
        f"the part fits the reference with a correlation of {max(correlation, 0):.2f}",
        expected=f"at least {least:.2f}",
        remedy=LOCATE_REMEDY,
    )
