"""One image as exposed, or the reason why a trigger has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import FrameError
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason

__all__ = ["Frame", "MissedFrame", "Pixels"]

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One image as exposed.

    `pixels` is (H, W) or (H, W, 3), uint8 or uint16 as `pixel_format` says, C-contiguous, read-only by agreement.
    `frame_id` is the device's own counter. `captured_*` is the exposure, as near as the device can tell, never "now".
    `part_id` is given where the camera knows it (folder names); else it is empty and the trigger's holds.
    `triggers_ignored` is the device's own count, since `connect`, of the triggers that it took no picture for; None
    where it keeps no such count.
    """

    view: str
    pixels: Pixels
    pixel_format: PixelFormat
    frame_id: int
    captured_utc_ns: int
    captured_mono_ns: int
    camera_serial: str
    part_id: str = ""
    simulated: bool = False
    triggers_ignored: int | None = None

    @property
    def width_px(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height_px(self) -> int:
        return int(self.pixels.shape[0])

    def check(self) -> Frame:
        """Returns itself if the array is what `pixel_format` declares.

        Raises: FrameError.
        """
        check_pixels(self.pixels, self.pixel_format)
        return self


def check_pixels(pixels: NDArray[Any], pixel_format: PixelFormat) -> None:
    """Checks dtype and shape against the declared format. Raises: FrameError."""
    if pixel_format.device_only:
        raise FrameError(
            f"frame in {pixel_format}, which only cameras speak",
            expected="Mono8/10/12/16, RGB8 or BGR8",
            remedy="declare the conversion in the station file",
        )
    wanted = 2 if pixel_format.channels == 1 else 3
    if pixels.dtype != pixel_format.dtype or pixels.ndim != wanted or (wanted == 3 and pixels.shape[2] != 3):
        raise FrameError(
            f"frame declared {pixel_format} is an array {pixels.dtype}{list(pixels.shape)}",
            expected=f"{pixel_format.dtype}[height, width{', 3' if wanted == 3 else ''}]",
            remedy="correct the declared pixel format",
        )
    if 0 in pixels.shape:
        raise FrameError(f"frame of shape {list(pixels.shape)} has no pixels", expected="at least 1x1 px")


@dataclass(frozen=True, kw_only=True, slots=True)
class MissedFrame:
    """A trigger, or a gap in the device's counter, without a usable frame; `detail` says what the device said.

    `triggers_ignored` as in a Frame: the device's own count, this trigger with it.
    """

    view: str
    reason: Reason
    detail: str = ""
    part_id: str = ""
    triggers_ignored: int | None = None
