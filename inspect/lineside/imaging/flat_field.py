"""The flat field of a camera: every pixel's own offset and gain; pixels that see nothing, taken from their neighbours.

A corrected pixel is `(pixel - offset) * gain`, subtracted and multiplied in IEEE 754 single precision, rounded to the
nearest whole number (halves to the even one), and kept between 0 and the format's largest value. A pixel that came at
the largest value stays there: it says "at least so bright", and must not look like a good one. A bad pixel is the mean
of its corrected good neighbours, halves rounded up. Each step is one operation on each value, so the same pixels and
maps give the same bytes on every machine.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.calibration import FlatMaps
from lineside.core.errors import ConfigError, FrameError
from lineside.core.frame import Pixels, check_pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["GAIN_STEP", "OFFSET_STEP", "FlatField", "FlatMaps", "without_neighbours"]

GAIN_STEP: Final = 2.0**-14
OFFSET_STEP: Final = 2.0**-6
"""Maps are kept in these steps: far below what frames can tell, and files a quarter of the size."""

_FEW = 3
"""With fewer good pixels among the eight around it, a bad one is taken from the 24 around it."""

_AROUND: Final = np.array(
    sorted(
        ((y, x) for y in range(-2, 3) for x in range(-2, 3) if (y, x) != (0, 0)), key=lambda at: max(map(abs, at))
    )
)  # fmt: skip
"""The 24 places around a pixel, the 8 nearest first."""


class FlatField:
    """Corrects frames of one camera with prepared maps. Used by one thread.

    Raises: ConfigError when a bad pixel has no good one near it.
    """

    def __init__(self, maps: FlatMaps) -> None:
        self._maps = maps
        self._scratch = np.empty(maps.offset.shape, np.float32)
        self._clipped = np.empty(maps.offset.shape, np.bool_)
        self._depth = cv2.CV_8U if maps.pixel_format.dtype == np.uint8 else cv2.CV_16U
        self._bad, self._near, self._counts = _neighbours_of(maps.bad)
        if lonely := int((self._counts == 0).sum()):
            raise ConfigError(
                f"{lonely} bad pixels have no good one within two pixels",
                expected="bad pixels that stand alone or in small groups",
                remedy="clean sensor and lens and run `lineside calibrate flat` again; if they stay, change the camera",
            )

    @property
    def pixel_format(self) -> PixelFormat:
        """Of the frames that are corrected."""
        return self._maps.pixel_format

    def apply(self, pixels: Pixels, out: Pixels | None = None) -> Pixels:
        """The frame, corrected; as `out` if that is given, of the same shape and type. `pixels` are not changed.

        Raises: FrameError for another shape or type than the maps'.
        """
        maps = self._maps
        check_pixels(pixels, maps.pixel_format)
        if pixels.shape != maps.offset.shape:
            raise FrameError(
                f"frame of shape {list(pixels.shape)}",
                expected=f"{list(maps.offset.shape)}, as the flat field was measured",
                remedy="run `lineside calibrate flat` with the camera as it is set now",
            )
        if out is None:
            out = np.empty_like(pixels)
        most = maps.pixel_format.max_value
        cv2.subtract(pixels, maps.offset, self._scratch, None, cv2.CV_32F)
        cv2.multiply(self._scratch, maps.gain, out, 1.0, self._depth)
        if most < np.iinfo(out.dtype).max:
            np.minimum(out, most, out=out)
        if np.equal(pixels, most, out=self._clipped).any():
            np.copyto(out, most, where=self._clipped)
        if len(self._bad):
            self._replace(out.reshape(-1))
        return out

    def _replace(self, values: Pixels) -> None:
        near = np.where(self._near < 0, 0, values[self._near]).astype(np.int64)
        values[self._bad] = (2 * near.sum(axis=1) + self._counts) // (2 * self._counts)


def without_neighbours(bad: NDArray[np.bool_]) -> int:
    """How many bad pixels have no good one near enough to be replaced."""
    return int((_neighbours_of(bad)[2] == 0).sum())


def _neighbours_of(bad: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    """Bad values (N,), their good neighbours of the same colour (N, 24), -1 where there is none, and how many (N,).

    All count the values of the frame in memory order.
    """
    height, width = bad.shape[:2]
    solid = bad.reshape(height, width, -1)
    y, x, channel = np.nonzero(solid)
    ys, xs = y[:, None] + _AROUND[:, 0], x[:, None] + _AROUND[:, 1]
    inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
    ys, xs, channels = np.clip(ys, 0, height - 1), np.clip(xs, 0, width - 1), channel[:, None]
    good = inside & ~solid[ys, xs, channels]
    good[:, 8:] &= (good[:, :8].sum(axis=1) < _FEW)[:, None]
    colours = solid.shape[2]
    near = np.where(good, (ys * width + xs) * colours + channels, -1)
    return (y * width + x) * colours + channel, near, good.sum(axis=1).astype(np.int64)
