"""Pixel formats by their GenICam (PFNC) names: declared, checked, never guessed."""

import enum

import numpy as np

__all__ = ["PixelFormat"]


class PixelFormat(enum.StrEnum):
    """How pixels are laid out. Names follow the GenICam Pixel Format Naming Convention.

    Formats marked *device only* leave a camera adapter converted, by declaration, to one of the others.
    10- and 12-bit formats are stored unpacked in the low bits of uint16.
    """

    MONO8 = "Mono8"
    MONO10 = "Mono10"
    MONO12 = "Mono12"
    MONO16 = "Mono16"
    RGB8 = "RGB8"
    BGR8 = "BGR8"
    RGBA8 = "RGBa8"  # device only
    BGRA8 = "BGRa8"  # device only
    BAYER_RG8 = "BayerRG8"  # device only, like the other Bayer formats
    BAYER_GR8 = "BayerGR8"
    BAYER_GB8 = "BayerGB8"
    BAYER_BG8 = "BayerBG8"

    @property
    def channels(self) -> int:
        """Number of values per pixel: 1, 3 or 4. One-channel pixels are arrays of shape (H, W)."""
        return {"RGB8": 3, "BGR8": 3, "RGBa8": 4, "BGRa8": 4}.get(self.value, 1)

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """uint8, or uint16 for Mono10, Mono12 and Mono16."""
        return np.dtype(np.uint16) if self.value in ("Mono10", "Mono12", "Mono16") else np.dtype(np.uint8)

    @property
    def max_value(self) -> int:
        """The brightest value a pixel can have: 255, 1023, 4095 or 65535."""
        return {"Mono10": 1023, "Mono12": 4095, "Mono16": 65535}.get(self.value, 255)

    @property
    def device_only(self) -> bool:
        """True for formats that only a camera speaks: no frame in the house has one."""
        return self.value.startswith("Bayer") or self.channels == 4

    def shape(self, width_px: int, height_px: int) -> tuple[int, ...]:
        """The array shape of a picture of that size: (H, W) or (H, W, channels)."""
        return (height_px, width_px) if self.channels == 1 else (height_px, width_px, self.channels)

    def nbytes(self, width_px: int, height_px: int) -> int:
        """Bytes of one picture of that size, without padding."""
        return width_px * height_px * self.channels * self.dtype.itemsize
