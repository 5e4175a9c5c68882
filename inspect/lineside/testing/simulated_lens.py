"""Pictures of a target whose geometry is known exactly, by a lens that bends, blurs and darkens its corners."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.sheet import Sheet
from lineside.calibrate.sheet_png import pixels_of
from lineside.core.calibration import Lens
from lineside.imaging.lens import rays_of

__all__ = ["SheetTexture", "SimulatedLens"]


class SheetTexture:
    """A sheet, drawn once finely."""

    def __init__(self, sheet: Sheet, *, px_per_mm: float) -> None:
        self.sheet = sheet
        self.px_per_mm = px_per_mm
        self.pixels = pixels_of(sheet, px_per_mm)


@dataclass(frozen=True, kw_only=True)
class SimulatedLens:
    """A camera whose lens is known, and what spoils its pictures. Lengths in px, brightness in grey levels of 255."""

    lens: Lens
    blur_px: float = 0.7
    noise: float = 2.0
    vignetting: float = 0.2
    """How much darker the corners are than the middle."""
    bayer: bool = False
    """Whether pixels see one colour each, and the others come from their neighbours."""
    samples: int = 2
    """Rays for each pixel, each way."""

    def picture(
        self,
        texture: SheetTexture,
        rotation_rad: NDArray[np.float64],
        translation_mm: NDArray[np.float64],
        seed: int,
    ) -> NDArray[np.uint8]:
        """The sheet as seen when the pattern's origin lies at that pose: uint8 (H, W)."""
        rotation, _ = cv2.Rodrigues(np.asarray(rotation_rad, np.float64))
        rays = self._rays @ rotation
        camera = -rotation.T @ translation_mm
        at_mm = camera[:2] + (-camera[2] / rays[:, 2])[:, None] * rays[:, :2] + texture.sheet.pattern_at_mm
        width, height = self.lens.size_px
        grid = (at_mm * texture.px_per_mm - 0.5).astype(np.float32).reshape(
            height * self.samples, width * self.samples, 2
        )  # fmt: skip
        seen = cv2.remap(
            texture.pixels,
            grid[..., 0],
            grid[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=255,
        )
        bright = cv2.resize(seen.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        return self._spoiled(35.0 + bright * (185.0 / 255.0), np.random.default_rng(seed))

    @cached_property
    def _rays(self) -> NDArray[np.float64]:
        """float64 (pixels * samples^2, 3)."""
        width, height = self.lens.size_px
        within = (np.arange(self.samples) + 0.5) / self.samples - 0.5
        x = (np.arange(width)[:, None] + within).ravel()
        y = (np.arange(height)[:, None] + within).ravel()
        rays = rays_of(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), self.lens)
        return np.column_stack([rays, np.ones(len(rays))])

    def _spoiled(self, picture: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.uint8]:
        height, width = picture.shape
        if self.blur_px:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self.blur_px), np.float32)
        y, x = np.mgrid[:height, :width]
        away = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (width**2 + height**2) * 4
        picture = picture * (1 - self.vignetting * away)
        noisy = np.clip(np.rint(picture + random.normal(0, self.noise, picture.shape)), 0, 255).astype(np.uint8)
        if not self.bayer:
            return noisy
        # The target is grey: what one pixel sees is the same in every colour, up to the filters' transmission.
        gains = np.array([[0.9, 1.0], [1.0, 0.7]])
        mosaic = np.rint(noisy * np.tile(gains, (height // 2, width // 2))).astype(np.uint8)
        return np.asarray(cv2.cvtColor(cv2.cvtColor(mosaic, cv2.COLOR_BayerBG2BGR), cv2.COLOR_BGR2GRAY), np.uint8)
