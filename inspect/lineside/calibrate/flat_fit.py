"""From frames of the dark and of an even white to the flat field of a camera: offsets, gains, bad pixels, shading."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.frames import Stack
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.flat_field import GAIN_STEP, OFFSET_STEP, FlatMaps, without_neighbours

__all__ = ["DEAD", "HOT", "RESTLESS", "FlatFit", "fit_flat"]

Floats = NDArray[np.float64]

DEAD = 1
HOT = 2
RESTLESS = 3
"""What a bad pixel is, as the array `bad` has it; 0 is a good one."""

MIN_DEPARTURE = 0.2
"""A pixel that sees less than a fifth too much or too little is corrected by its gain."""

SPREADS = 6.0
"""Standard deviations of the good pixels beyond which one is bad: none of a million good ones is."""

MAX_BAD = 0.005
"""More bad pixels than this share are no pixels but dirt, or a broken sensor."""

MAX_SHADOW = 0.03
"""Shading is smooth: a block that departs more from a surface of the fourth degree is a shadow, an object or dirt."""

MAX_SHADING = 0.6
"""Corners darker by more would need a gain of 2.5, and show 2.5 times the noise."""

_DEGREE = 4
_BLOCKS = (32, 24)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FlatFit:
    """The maps, and what they say of the camera. `bad` is uint8 in the maps' shape: DEAD, HOT, RESTLESS or 0.

    `shading` is float64 in the maps' shape: the smooth part of the white, its brightest place 1. `gain_sd` is what the
    frames' noise leaves uncertain in a gain, as a share; `response_sd` how much the good pixels' responses differ.
    """

    maps: FlatMaps
    bad: NDArray[np.uint8]
    shading: Floats
    dark: Stack
    flat: Stack
    gain_sd: float
    response_sd: float

    @property
    def vignetting(self) -> float:
        """How much darker the darkest place is than the brightest."""
        return float(1 - self.shading.min())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should look at before the calibration is used, a sentence each."""
        told = []
        if self.gain_sd > self.response_sd:
            told.append(
                f"noise leaves {self.gain_sd:.2%} in a gain, and the pixels differ by {self.response_sd:.2%}: take "
                "more frames, or pictures get no better"
            )
        if np.median(self.dark.mean) == 0:
            told.append("the dark is 0: the black level cuts off the noise; raise it until dark frames show some")
        return tuple(told)


def fit_flat(dark: Stack, flat: Stack, pixel_format: PixelFormat) -> FlatFit:
    """The flat field. Raises: ConfigError when the white is uneven, too dark in its corners, or full of bad pixels."""
    if dark.mean.shape != flat.mean.shape:
        raise ConfigError(f"dark frames of shape {dark.mean.shape}, flat frames of {flat.mean.shape}", expected="one")
    most = pixel_format.max_value
    signal = flat.mean - dark.mean
    shading = np.stack([_shading(channel) for channel in _channels(signal)], axis=-1).reshape(signal.shape)
    ratio = signal / shading
    bad = _bad_pixels(dark, ratio, most)
    good = bad == 0
    _check_bad(bad)
    level = np.array([channel[mask].mean() for channel, mask in zip(_channels(signal), _channels(good), strict=True)])
    gain = np.where(good, level / np.where(good, signal, 1.0), 1.0)
    offset = np.where(good, dark.mean, 0.0)
    maps = FlatMaps(
        pixel_format=pixel_format,
        offset=(np.rint(offset / OFFSET_STEP) * OFFSET_STEP).astype(np.float32),
        gain=(np.rint(gain / GAIN_STEP) * GAIN_STEP).astype(np.float32),
        bad=~good,
    )
    noise = (flat.variance / flat.count + dark.variance / dark.count) / np.where(good, signal, 1.0) ** 2
    gain_variance = float(noise[good].mean())
    return FlatFit(
        maps=maps,
        bad=bad,
        shading=shading / shading.max(),
        dark=dark,
        flat=flat,
        gain_sd=gain_variance**0.5,
        response_sd=float(max(0.0, ratio[good].var() - gain_variance)) ** 0.5,
    )


def _channels(values: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    return [values] if values.ndim == 2 else [values[..., channel] for channel in range(values.shape[2])]


def _shading(signal: NDArray[np.generic]) -> Floats:
    """The smooth part of the white, float64 (H, W): what the medians of blocks have in common with a low surface.

    Raises: ConfigError when they have something else, a shadow or an object, or are too dark.
    """
    height, width = signal.shape
    rows, columns = min(_BLOCKS[1], height // 4), min(_BLOCKS[0], width // 4)
    # A median first: a dead pixel is a fifth of a small block's mean.
    calm = cv2.medianBlur(signal.astype(np.float32), 5)
    blocks = cv2.resize(calm, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float64)
    x, y = np.meshgrid((np.arange(columns) + 0.5) / columns * 2 - 1, (np.arange(rows) + 0.5) / rows * 2 - 1)
    figures = np.linalg.lstsq(_terms(x.ravel(), y.ravel()), blocks.ravel(), rcond=None)[0]
    smooth = (_terms(x.ravel(), y.ravel()) @ figures).reshape(rows, columns)
    if smooth.min() < (1 - MAX_SHADING) * smooth.max():
        raise ConfigError(
            f"the darkest part of the white is {1 - max(0.0, float(smooth.min() / smooth.max())):.0%} darker than the "
            "brightest",
            expected=f"at most {MAX_SHADING:.0%}",
            remedy="light it more evenly, close the aperture by a stop, or use a lens that covers the sensor",
        )
    departure = blocks / smooth - 1
    worst = int(np.abs(departure).argmax())
    if abs(departure.flat[worst]) > MAX_SHADOW:
        row, column = divmod(worst, columns)
        at_x, at_y = int((column + 0.5) * width / columns), int((row + 0.5) * height / rows)
        raise ConfigError(
            f"the white is uneven: {departure.flat[worst]:+.1%} near x {at_x}, y {at_y} px",
            expected=f"a smooth white: within {MAX_SHADOW:.0%} of its surroundings",
            remedy="look for a shadow, an object or dirt there; show a clean, even white and take the frames again",
        )
    across, down = (np.arange(width) + 0.5) / width * 2 - 1, (np.arange(height) + 0.5) / height * 2 - 1
    return np.stack([_terms(across, np.full(width, at)) @ figures for at in down])


def _terms(x: Floats, y: Floats) -> Floats:
    return np.stack([x**i * y**j for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)], axis=-1)


def _bad_pixels(dark: Stack, ratio: Floats, most: int) -> NDArray[np.uint8]:
    bad = np.zeros(ratio.shape, np.uint8)
    away = dark.mean - np.median(dark.mean)
    bad[away > max(SPREADS * _spread(away), 0.01 * most)] = HOT
    allowed = max(SPREADS * _spread(ratio - np.median(ratio)), MIN_DEPARTURE)
    bad[ratio > 1 + allowed] = HOT
    bad[ratio < 1 - allowed] = DEAD
    restless = np.sqrt(dark.variance)
    bad[restless > max(SPREADS * float(np.median(restless)), 0.01 * most)] = RESTLESS  # last: its mean may be anything
    return bad


def _spread(values: Floats) -> float:
    """Standard deviation of the good ones, whatever the bad ones do: from the median absolute value."""
    return float(1.4826 * np.median(np.abs(values)))


def _check_bad(bad: NDArray[np.uint8]) -> None:
    share, lonely = float((bad > 0).mean()), without_neighbours(bad > 0)
    if share > MAX_BAD or lonely:
        what = f"{lonely} bad pixels lie in a heap" if lonely else f"{share:.2%} of the pixels are bad"
        raise ConfigError(
            what,
            expected=f"at most {MAX_BAD:.1%}, each with a good one within two pixels",
            remedy="clean sensor and lens, and take the frames again; if they stay, change the camera",
        )
