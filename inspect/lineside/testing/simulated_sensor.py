"""Frames of a sensor whose noise, gain and bad pixels are known, in the model of EMVA 1288."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["SimulatedSensor"]


@dataclass(frozen=True, kw_only=True)
class SimulatedSensor:
    """A camera of one colour before an evenly lit white. `seed` places its pixels' own offsets, gains and faults."""

    size_px: tuple[int, int]
    pixel_format: PixelFormat = PixelFormat.MONO12
    gain_dn_per_e: float = 0.25
    dark_noise_e: float = 8.0
    offset_dn: float = 64.0
    dsnu_e: float = 6.0
    """Standard deviation of the pixels' offsets."""
    prnu: float = 0.01
    """Standard deviation of the pixels' responses, as a share."""
    full_well_e: float = 14_000.0
    vignetting: float = 0.3
    """How much darker the corners are than the middle."""
    bent: float = 0.0
    """By which share of the signal a full well is short of a straight line."""
    dead: int = 0
    hot: int = 0
    restless: int = 0
    seed: int = 0

    def frame(self, electrons: float, seed: int) -> Pixels:
        """One exposure that would free so many electrons in the middle of the frame; 0 is the dark. (H, W)."""
        random = np.random.default_rng([self.seed, 3, seed])
        freed = random.poisson(electrons * self.response).astype(np.float64)
        freed = np.minimum(freed * (1 - self.bent * freed / self.full_well_e), self.full_well_e)
        noise = random.normal(0, 1, freed.shape) * np.where(self.faults == 3, 40 * self.dark_noise_e, self.dark_noise_e)
        levels = self.gain_dn_per_e * (freed + noise + self.own_offset_e) + self.offset_dn
        levels = np.clip(np.rint(levels), 0, self.pixel_format.max_value)
        return levels.astype(np.uint8) if self.pixel_format is PixelFormat.MONO8 else levels.astype(np.uint16)

    @cached_property
    def faults(self) -> NDArray[np.uint8]:
        """(H, W): 0 for a good pixel, 1 for a dead one, 2 for a hot one, 3 for a restless one."""
        kinds = np.repeat([1, 2, 3], [self.dead, self.hot, self.restless])
        width, height = self.size_px
        faults = np.zeros((height, width), np.uint8)
        faults.flat[np.random.default_rng(self.seed).choice(faults.size, len(kinds), replace=False)] = kinds
        return faults

    @cached_property
    def response(self) -> NDArray[np.float64]:
        """(H, W): what each pixel makes of the light, its lens's shading with it."""
        own = 1 + self.prnu * np.random.default_rng([self.seed, 1]).normal(size=self.faults.shape)
        return np.where(self.faults == 1, 0.1, own * self.shading)

    @cached_property
    def shading(self) -> NDArray[np.float64]:
        """(H, W): 1 in the middle."""
        height, width = self.faults.shape
        y, x = np.mgrid[:height, :width]
        away = ((x - (width - 1) / 2) ** 2 + (y - (height - 1) / 2) ** 2) / (width**2 + height**2) * 4
        return np.asarray(1 - self.vignetting * away)

    @cached_property
    def own_offset_e(self) -> NDArray[np.float64]:
        """(H, W): each pixel's own offset in electrons."""
        own = self.dsnu_e * np.random.default_rng([self.seed, 2]).normal(size=self.faults.shape)
        return np.where(self.faults == 2, 0.4 * self.full_well_e, own)
