"""What every camera backend lets one declare in `[cameras.<view>]` of the station file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PositiveInt

from lineside.core.pixel_format import PixelFormat

__all__ = ["CameraConfig", "HouseFormat", "SizePx"]


def _of_the_house(pixel_format: PixelFormat) -> PixelFormat:
    if pixel_format.device_only:
        offered = ", ".join(name for name in PixelFormat if not name.device_only)
        raise ValueError(f"{pixel_format} is a format that only cameras speak; expected one of {offered}")
    return pixel_format


HouseFormat = Annotated[PixelFormat, AfterValidator(_of_the_house)]
"""A pixel format that a frame in the house may have."""

SizePx = tuple[PositiveInt, PositiveInt]
"""Width and height in pixels."""


class CameraConfig(BaseModel):
    """The keys that all backends share: what its frames are declared to be.

    A frame of another size or format is never scaled or converted in silence: `connect` refuses, or that one frame
    is a MissedFrame.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    """Name of the backend; each subclass narrows it to its own."""
    pixel_format: HouseFormat
    """What the camera hands out."""
    size_px: SizePx
    """Width and height of its frames."""

    @property
    def width_px(self) -> int:
        return self.size_px[0]

    @property
    def height_px(self) -> int:
        return self.size_px[1]
