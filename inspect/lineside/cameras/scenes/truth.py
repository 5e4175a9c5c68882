"""What is asked of a rendering, and what is true about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.core.finding import Box
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["NOMINAL_EXPOSURE_US", "PartTruth", "Rendering", "SceneOptions", "TrueDefect"]

NOMINAL_EXPOSURE_US = 1000.0
"""The exposure at which the rendered light is right; brightness is proportional to exposure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneOptions:
    """How parts are rendered. `defect_rate` is the share of bad parts (0 to 1).

    Each defect's contrast is scaled by a factor drawn from `severity` (low, high); at 1.0 all defects are clearly
    visible, towards 0 they fade away.
    """

    width_px: int = 640
    height_px: int = 480
    pixel_format: PixelFormat = PixelFormat.MONO8
    defect_rate: float = 0.15
    severity: tuple[float, float] = (1.0, 1.0)
    exposure_us: float = NOMINAL_EXPOSURE_US


@dataclass(frozen=True, kw_only=True, slots=True)
class TrueDefect:
    """A defect that really is there: `box` around it in frame pixels, `area_px` the pixels that it covers."""

    class_name: str
    box: Box
    area_px: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PartTruth:
    """All that is true about one part. `part_id` is the product and the six-digit index."""

    part_id: str
    defects: tuple[TrueDefect, ...] = ()

    @property
    def good(self) -> bool:
        return not self.defects


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rendering:
    """One rendered part: `pixels` as the options' pixel format says; `mask` is bool (H, W), True on defects."""

    pixels: Pixels
    truth: PartTruth
    mask: NDArray[np.bool_]
