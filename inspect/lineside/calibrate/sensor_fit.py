"""Noise and linearity of a camera in the terms of EMVA 1288, from flat frames at several exposures.

Without a calibrated light source there are no photons: gain, noise and capacity come in electrons, by photon transfer.
The middle half of the frame is looked at, where a lens darkens least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.frames import Stack
from lineside.core.errors import ConfigError

__all__ = ["Level", "SensorFit", "fit_sensor"]

Floats = NDArray[np.float64]

MIN_LEVELS = 4
"""EMVA 1288 asks for fifty; with four a line can be seen to be none."""

GAIN_UP_TO = 0.7
LINEAR_BETWEEN = (0.05, 0.95)
"""Shares of saturation: where the gain is fitted, and where linearity is judged, as EMVA 1288 has them."""

ROUNDING_DN2 = 1 / 12
"""Variance that rounding to whole grey levels adds."""

ROUNDED_AWAY_DN2 = 0.24
"""With less variance in the dark rounding hides the noise: 0.40 grey levels are a limit for it (EMVA 1288)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Level:
    """Flat frames at one exposure; the exposure in any unit of light or time, as long as it is the same for all."""

    exposure_us: float
    stack: Stack


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SensorFit:
    """What was found; shares and electrons as `config.calibration_tables.SensorTable` explains them.

    `signal_dn`, `variance_dn2` and `exposure_us` are float64 (levels,), from dark to bright, the dark taken off.
    """

    gain_dn_per_e: float
    gain_sd: float
    dark_noise_dn: float
    dark_noise_e: float
    dark_noise_is_limit: bool
    saturation_e: float | None
    linearity_error: float | None
    dsnu_e: float
    prnu: float
    exposure_us: Floats
    signal_dn: Floats
    variance_dn2: Floats
    line: tuple[float, float]
    """Signal over exposure, a + b * exposure; what linearity is judged against."""

    @property
    def snr_max(self) -> float | None:
        """Largest signal-to-noise ratio."""
        return None if self.saturation_e is None else self.saturation_e**0.5


def fit_sensor(dark: Stack, levels: Sequence[Level], good: NDArray[np.bool_], response_sd: float) -> SensorFit:
    """The figures. `good` is (H, W), the pixels to use; `response_sd` the non-uniformity with its noise taken off.

    Raises: ConfigError when the exposures cannot tell them.
    """
    if len(levels) < MIN_LEVELS:
        raise ConfigError(
            f"{len(levels)} exposures", expected=f"at least {MIN_LEVELS}", remedy="take frames at more exposure times"
        )
    middle = np.zeros(good.shape, np.bool_)
    height, width = good.shape
    middle[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    middle &= good
    ordered = sorted(levels, key=lambda level: level.exposure_us)
    exposure = np.array([level.exposure_us for level in ordered])
    black, black_variance = float(dark.mean[middle].mean()), float(dark.variance[middle].mean())
    signal = np.array([float(level.stack.mean[middle].mean()) for level in ordered]) - black
    variance = np.array([float(level.stack.variance[middle].mean()) for level in ordered])
    gain, gain_sd, full = _photon_transfer(signal, variance - black_variance)
    line, error = _linearity(exposure, signal, float(signal[full]))
    hidden = black_variance < ROUNDED_AWAY_DN2
    own = (black_variance - ROUNDING_DN2) ** 0.5 if not hidden else 0.40
    spread = float(dark.mean[middle].var()) - black_variance / dark.count
    return SensorFit(
        gain_dn_per_e=gain,
        gain_sd=gain_sd,
        dark_noise_dn=black_variance**0.5,
        dark_noise_e=own / gain,
        dark_noise_is_limit=hidden,
        saturation_e=float(signal[full]) / gain if _reached(variance, full) else None,
        linearity_error=error,
        dsnu_e=max(0.0, spread) ** 0.5 / gain,
        prnu=response_sd,
        exposure_us=exposure,
        signal_dn=signal,
        variance_dn2=variance - black_variance,
        line=line,
    )


def _photon_transfer(signal: Floats, variance: Floats) -> tuple[float, float, int]:
    """The slope of variance over signal up to 70 % of saturation, its standard deviation, and which level saturates.

    Saturation is where the variance is largest: beyond it more and more pixels stand at their end and no longer vary.
    """
    full = int(variance.argmax())
    if variance[full] <= 0:
        raise _no_noise()
    used = (signal <= GAIN_UP_TO * signal[full]) & (signal > 0) & (np.arange(len(signal)) <= full)
    if used.sum() < 2 or signal[full] <= 0:
        raise ConfigError(
            f"{int(used.sum())} exposures lie below 70 % of the brightest that is not clipped",
            expected="at least 2, and better six, from nearly dark to clipped",
            remedy="take more exposures, evenly spread",
        )
    x, y = signal[used], variance[used]
    slope = float((x * y).sum() / (x * x).sum())
    if slope <= 0:
        raise _no_noise()
    rest = y - slope * x
    return slope, float(np.sqrt((rest**2).sum() / max(1, len(x) - 1) / (x * x).sum())), full


def _no_noise() -> ConfigError:
    return ConfigError(
        "noise does not grow with the signal",
        expected="frames as the sensor gives them",
        remedy="switch off noise reduction, gamma and compression in the camera, and take the frames again",
    )


def _reached(variance: Floats, full: int) -> bool:
    return full < len(variance) - 1 and float(variance[full + 1 :].min()) < 0.8 * float(variance[full])


def _linearity(exposure: Floats, signal: Floats, full: float) -> tuple[tuple[float, float], float | None]:
    """The line with the smallest relative departures, and their mean size; None with fewer than three exposures."""
    low, high = LINEAR_BETWEEN
    used = (signal >= low * full) & (signal <= high * full)
    if used.sum() < 3:
        return (0.0, 0.0), None
    x, y = exposure[used], signal[used]
    terms = np.column_stack([np.ones_like(x), x])
    start, slope = np.linalg.lstsq(terms / y[:, None], np.ones_like(y), rcond=None)[0]
    expected = start + slope * x
    return (float(start), float(slope)), float(np.abs(y / expected - 1).mean())
