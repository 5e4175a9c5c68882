"""What every camera backend lets one declare in `[cameras.<view>]` of the station file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

from lineside.core.pixel_format import PixelFormat

__all__ = ["AnyFormat", "CameraConfig", "FilePath", "HouseFormat", "SizePx", "Strings"]


def _of_the_house(pixel_format: PixelFormat) -> PixelFormat:
    if pixel_format.device_only:
        offered = ", ".join(name for name in PixelFormat if not name.device_only)
        raise ValueError(f"{pixel_format} is a format that only cameras speak; expected one of {offered}")
    return pixel_format


# TOML has strings for names and paths and arrays for tuples; in all else a string never stands for a number.
AnyFormat = Annotated[PixelFormat, Field(strict=False)]
"""A pixel format by its name."""

HouseFormat = Annotated[AnyFormat, AfterValidator(_of_the_house)]
"""A pixel format that a frame in the house may have."""

FilePath = Annotated[Path, Field(strict=False)]
"""A path as a string; a relative one starts at the project's folder."""

Strings = Annotated[tuple[str, ...], Field(strict=False)]
"""An array of strings."""

SizePx = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
"""Width and height in pixels."""


class CameraConfig(BaseModel):
    """The keys that all backends share: what its frames are declared to be.

    A frame of another size or format is never scaled or converted in silence: `connect` refuses, or that one frame
    is a MissedFrame.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

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

    @property
    def takes_commands(self) -> bool:
        """Whether it exposes when the station asks. Looked at before it is started."""
        return True

    @property
    def sets_pace(self) -> bool:
        """Whether its frames come by themselves, so that they can be the triggers. Looked at before it is started."""
        return True

    def rooted(self, project: Path) -> Self:
        """The same with its relative paths starting at the project's folder, wherever the command is run."""
        return self
