"""Frames of the dark and of an even white: which are of use, and what they show pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.selection import LeftOut
from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["MIN_FRAMES", "Shot", "Stack", "block_means", "dark_stack", "flat_stack", "level_stack"]

Floats = NDArray[np.float64]

MIN_FRAMES = 8
"""The mean of eight has a third of one frame's noise. Sixteen are better."""

MAX_DARK = 0.1
"""A black level beyond this share of the largest value is no black level: light comes in."""

WHITE = (0.2, 0.9)
"""Mean of a flat frame, as shares of the largest value. Darker the noise wins, brighter some pixels clip."""

MAX_CLIPPED = 0.001
"""Share of values at the largest: so many may be hot pixels."""

STEADY = 0.02
"""Brightness of a flat frame against the usual one's, as a share: lamps on mains light flicker by more."""

STILL = 0.03
"""Brightness of one part of a flat frame against the same part of the usual one: beyond it something moved through."""

_BLOCKS = (16, 12)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot:
    """One frame as the camera took it, and its name."""

    name: str
    pixels: Pixels


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stack:
    """What the used frames show at each pixel, float64 (H, W) or (H, W, 3): mean, and variance from frame to frame.

    `sample` is one of the frames as it came.
    """

    mean: Floats
    variance: Floats
    sample: Pixels
    names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def count(self) -> int:
        """How many frames were used."""
        return len(self.names)


def dark_stack(shots: Sequence[Shot], pixel_format: PixelFormat) -> Stack:
    """The dark. Raises: ConfigError, with every frame's reason, when too few frames are dark and alike."""
    means = np.array([shot.pixels.mean() for shot in shots])
    usual, most = float(np.median(means)), pixel_format.max_value

    def trouble(number: int, shot: Shot) -> str:
        if means[number] > MAX_DARK * most:
            return f"not dark: mean {means[number]:.1f} of {most}"
        if abs(means[number] - usual) > max(0.005 * most, 0.1 * usual):
            return f"mean {means[number]:.2f}, the others have {usual:.2f}: light came in"
        return ""

    return _stack(
        _sorted_out(shots, trouble, "cover the lens with its cap, keep stray light away, and take them again"),
        steady=False,
    )


def flat_stack(shots: Sequence[Shot], pixel_format: PixelFormat) -> Stack:
    """An even white. Raises: ConfigError, with every frame's reason, when too few frames are of use."""
    most = pixel_format.max_value
    means = np.array([shot.pixels.mean() for shot in shots])
    bright = (means > WHITE[0] * most) & (means < WHITE[1] * most)
    usual = float(np.median(means[bright])) if bright.any() else float(np.median(means))
    blocks = np.array([block_means(shot.pixels) / max(mean, 1e-9) for shot, mean in zip(shots, means, strict=True)])
    moved = np.abs(blocks / np.maximum(np.median(blocks, axis=0), 1e-9) - 1)

    def trouble(number: int, shot: Shot) -> str:
        mean = float(means[number])
        if mean >= WHITE[1] * most:
            return f"too bright: mean {mean / most:.0%} of the largest value"
        if (clipped := float((shot.pixels == most).mean())) > MAX_CLIPPED:
            return f"clipped: {clipped:.1%} of it is at the largest value"
        if mean <= WHITE[0] * most:
            return f"too dark: mean {mean / most:.0%} of the largest value"
        if abs(mean / usual - 1) > STEADY:
            than = "brighter" if mean > usual else "darker"
            return f"{abs(mean / usual - 1):.1%} {than} than the others: the light is not steady"
        if moved[number].max() > STILL:
            x, y = _place(moved[number], shot.pixels.shape)
            return f"something moved: {moved[number].max():.0%} off the others near x {x}, y {y} px"
        return ""

    remedy = (
        f"show an even white that nothing moves before, light that has warmed up and does not flicker, and an exposure "
        f"that brings it to half of the largest value ({most // 2})"
    )
    return _stack(_sorted_out(shots, trouble, remedy), steady=True)


def level_stack(shots: Sequence[Shot]) -> Stack:
    """One exposure of a series, whatever its brightness: two frames are enough, all are used."""
    if len(shots) < 2:
        raise ConfigError(
            f"{len(shots)} frame at an exposure of the series", expected="at least 2", remedy="take two or more at each"
        )
    return _stack((list(shots), []), steady=True)


def block_means(pixels: NDArray[np.generic], blocks: tuple[int, int] = _BLOCKS) -> Floats:
    """Mean of each block of the frame, colours joined: float64 (rows, columns)."""
    joined = pixels.astype(np.float32)
    if joined.ndim == 3:
        joined = joined.mean(axis=2)
    return np.asarray(cv2.resize(joined, blocks, interpolation=cv2.INTER_AREA), np.float64)


def _place(values: Floats, shape: tuple[int, ...]) -> tuple[int, int]:
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return (
        int((column + 0.5) * shape[1] / values.shape[1]),
        int((row + 0.5) * shape[0] / values.shape[0]),
    )


def _sorted_out(
    shots: Sequence[Shot], trouble: Callable[[int, Shot], str], remedy: str
) -> tuple[list[Shot], list[LeftOut]]:
    reasons = [trouble(number, shot) for number, shot in enumerate(shots)]
    used = [shot for shot, reason in zip(shots, reasons, strict=True) if not reason]
    left_out = [LeftOut(name=shot.name, reason=reason) for shot, reason in zip(shots, reasons, strict=True) if reason]
    if len(used) < MIN_FRAMES:
        told = "".join(f"\n{each.name}: {each.reason}" for each in left_out)
        raise ConfigError(
            f"{len(used)} of {len(shots)} frames are of use{told}", expected=f"at least {MIN_FRAMES}", remedy=remedy
        )
    return used, left_out


def _stack(sorted_out: tuple[list[Shot], list[LeftOut]], *, steady: bool) -> Stack:
    """`steady`: each frame is first brought to the mean of all, so that the lamp's changes are no pixel's noise."""
    used, left_out = sorted_out
    means = np.array([shot.pixels.mean() for shot in used])
    total = np.zeros(used[0].pixels.shape)
    squares = np.zeros(used[0].pixels.shape)
    # Sums of what is left of the first frame: sums of squares of the values themselves would lose digits.
    first = used[0].pixels.astype(np.float64)
    for shot, mean in zip(used, means, strict=True):
        scale = float(means.mean() / mean) if steady and mean else 1.0
        away = shot.pixels * scale - first
        total += away
        squares += away**2
    count = len(used)
    mean = first + total / count
    variance = np.maximum(0.0, (squares - total**2 / count) / (count - 1))
    return Stack(
        mean=mean,
        variance=variance,
        sample=used[0].pixels,
        names=tuple(shot.name for shot in used),
        left_out=tuple(left_out),
    )
