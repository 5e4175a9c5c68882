"""Writes the page about a flat field: maps, bad pixels, shading, and the curves of noise and linearity."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.flat_fit import DEAD, HOT, RESTLESS, FlatFit
from lineside.calibrate.report.curves import curve_chart
from lineside.calibrate.report.drawing import field_chart, picture_of_values, picture_with_points
from lineside.calibrate.report.page import calibration_page
from lineside.calibrate.sensor_fit import SensorFit
from lineside.config.calibration_file import CalibrationFile
from lineside.core.errors import ConfigError
from lineside.imaging.flat_field import FlatField
from lineside.imaging.lens import COVERAGE_FACTOR

__all__ = ["flat_page"]

_SHOWN_BAD = 500
"""Rings around more bad pixels would hide the picture."""

Floats = NDArray[np.float64]


def flat_page(file: CalibrationFile, fit: FlatFit, sensor: SensorFit | None) -> str:
    """The page about a flat field."""
    told = file.table.flat
    if told is None:
        raise ConfigError(f"{file.path} is of kind {file.table.kind}", expected='a calibration of kind "flat"')
    bad = told.dead_pixels + told.hot_pixels
    height, width = fit.bad.shape[:2]
    shading = np.asarray(cv2.resize(_joined(fit.shading), (8, 6), interpolation=cv2.INTER_AREA), np.float64)
    return calibration_page(
        file,
        answer=f"The darkest part of the frame is {told.vignetting:.0%} darker than the brightest; {bad} bad pixels",
        warnings=fit.warnings,
        tiles=[
            ("dark frames", str(told.frames_dark)),
            ("flat frames", str(told.frames_flat)),
            ("shading", f"{told.vignetting:.1%}"),
            ("dead", str(told.dead_pixels)),
            ("hot or restless", str(told.hot_pixels)),
            *([("gain K", f"{sensor.gain_dn_per_e:.4g} DN/e")] if sensor else []),
        ],
        figures=[
            ("mean of the dark", f"{told.dark_mean_dn:.2f} DN",
             f"± {COVERAGE_FACTOR * file.table.uncertainty['offset_dn']:.2g} DN in a pixel"),
            ("mean of the white", f"{told.flat_mean_dn:.1f} DN", ""),
            ("gains", f"{told.gain_range[0]:.3f} to {told.gain_range[1]:.3f}",
             f"± {COVERAGE_FACTOR * fit.gain_sd:.2%}, from noise"),
            ("responses differ by", f"{fit.response_sd:.2%}", "standard deviation, noise and shading taken off"),
            *(_sensor_figures(sensor) if sensor else []),
        ],
        note="DN: grey levels as the camera gives them; e: electrons. A corrected pixel is (pixel - offset) * gain; a "
        "bad one is taken from its neighbours." + (_NO_SERIES if sensor is None else _SERIES),
        maps=[
            ("Shading", "The smooth part of the white, its brightest place 100 %.",
             field_chart(shading, [[f"{value:.0%}" for value in row] for row in shading], (width, height), "Shading")),
        ],
        **({"curves": _curves(sensor)} if sensor else {}),
        pictures=_pictures(fit),
        left_out=[(each.name, each.reason) for each in (*fit.dark.left_out, *fit.flat.left_out)],
    )  # fmt: skip


_NO_SERIES = " Noise and linearity were not measured: that takes flat frames at several exposures (--series)."
_SERIES = " Noise and linearity in the terms of EMVA 1288, over the middle half of the frame."


def _sensor_figures(sensor: SensorFit) -> list[tuple[str, str, str]]:
    limit = "below " if sensor.dark_noise_is_limit else ""
    return [
        ("overall system gain K", f"{sensor.gain_dn_per_e:.5g} DN/e", f"± {COVERAGE_FACTOR * sensor.gain_sd:.2g} DN/e"),
        ("temporal dark noise", f"{limit}{sensor.dark_noise_e:.3g} e ({sensor.dark_noise_dn:.3g} DN)", ""),
        ("saturation capacity", "not reached by any exposure" if sensor.saturation_e is None else
         f"{sensor.saturation_e:,.0f} e", "" if sensor.saturation_e is None else "to the spacing of the exposures"),
        ("largest signal-to-noise ratio", "unknown" if sensor.snr_max is None else
         f"{sensor.snr_max:.0f} ({20 * np.log10(sensor.snr_max):.1f} dB)", ""),
        ("linearity error", "unknown" if sensor.linearity_error is None else f"{sensor.linearity_error:.2%}", ""),
        ("DSNU", f"{sensor.dsnu_e:.3g} e", ""),
        ("PRNU", f"{sensor.prnu:.2%}", ""),
    ]  # fmt: skip


def _curves(sensor: SensorFit) -> list[tuple[str, str, Any]]:
    return [
        ("Photon transfer", "Variance from frame to frame over the signal; its slope is K.",
         curve_chart(sensor.signal_dn, sensor.variance_dn2, (0.0, sensor.gain_dn_per_e),
                     names=("signal, DN", "variance, DN²"), title="Photon transfer",
                     description=f"Slope {sensor.gain_dn_per_e:.4g} DN per electron.")),
        ("Linearity", "Signal over exposure, and the line with the smallest relative departures.",
         curve_chart(sensor.exposure_us, sensor.signal_dn, sensor.line, names=("exposure, µs", "signal, DN"),
                     title="Linearity", description="Mean departure "
                     + ("not known." if sensor.linearity_error is None else f"{sensor.linearity_error:.2%}."))),
    ]  # fmt: skip


def _pictures(fit: FlatFit) -> list[tuple[str, str, str, str]]:
    raw = fit.flat.sample
    corrected = FlatField(fit.maps).apply(raw)
    places = np.argwhere(fit.bad > 0)[:, 1::-1]
    counts = ", ".join(
        f"{int((fit.bad == kind).sum())} {name}"
        for kind, name in ((DEAD, "dead"), (HOT, "hot"), (RESTLESS, "restless"))
    )
    some = f"; the first {_SHOWN_BAD} are ringed" if len(places) > _SHOWN_BAD else ""
    low, high = (float(end) for end in np.percentile(raw, [0.1, 99.9]))

    def stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
        return np.asarray(
            np.clip(np.rint((_joined(values) - low) / max(high - low, 1e-9) * 215 + 20), 0, 255), np.uint8
        )

    shown = []
    for name, values, unit in (("gain", fit.maps.gain, ""), ("offset", fit.maps.offset, " DN")):
        uri, least, most_shown = picture_of_values(_joined(values))
        shown.append((f"Map of the {name}", f"violet {least:.3f}{unit} to yellow {most_shown:.3f}{unit}", uri, ""))
    none = np.zeros((0, 2))
    return [
        *shown,
        (
            "Bad pixels",
            f"{counts}{some}",
            picture_with_points(stretched(raw), places[:_SHOWN_BAD].astype(np.float64)),
            "",
        ),
        (
            "One frame of the white",
            f"contrast stretched: {low:.0f} to {high:.0f} DN",
            picture_with_points(stretched(raw), none),
            "",
        ),
        (
            "The same frame, corrected",
            "with the same stretch: what is left should be its noise",
            picture_with_points(stretched(corrected), none),
            "",
        ),
    ]


def _joined(values: NDArray[Any]) -> Floats:
    """Colours joined: float64 (H, W)."""
    return np.asarray(values.mean(axis=2) if values.ndim == 3 else values, np.float64)
