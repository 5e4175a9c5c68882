"""Facts of one station: so far, how large a pixel is on the part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lineside.core.identity import Identity

__all__ = ["Calibration", "Scale"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Millimetres per pixel on the part's plane, and the standard uncertainty of that figure in the same unit."""

    mm_per_px: float
    mm_per_px_uncertainty: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Facts of one station, by view. A view without a scale has no sizes in millimetres."""

    identity: Identity
    scales: Mapping[str, Scale] = field(default_factory=dict)
