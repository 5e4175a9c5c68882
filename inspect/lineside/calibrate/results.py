"""What was fitted, as it stands in the file of a calibration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside import __version__
from lineside.calibrate.flat_fit import DEAD, FlatFit
from lineside.calibrate.lens_fit import FittedPicture, LensFit
from lineside.calibrate.light_fit import PLACEMENT_FIGURES, LightFit
from lineside.calibrate.plane_fit import Declared, PlaneFit
from lineside.calibrate.selection import coverage_of
from lineside.calibrate.sensor_fit import SensorFit
from lineside.config.calibration_tables import (
    CalibrationTable,
    CameraTable,
    FlatTable,
    LensTable,
    LightTable,
    PlaneTable,
    SensorTable,
    TargetUsed,
)
from lineside.core.calibration import LENS_FIGURES
from lineside.core.identity import Identity
from lineside.imaging.lens import COVERAGE_FACTOR, scale_field

__all__ = [
    "Occasion",
    "flat_arrays",
    "flat_table",
    "lens_arrays",
    "lens_table",
    "light_arrays",
    "light_table",
    "plane_arrays",
    "plane_table",
]


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """Which calibration this is, when and by whom it was made, and with what; as the file has it."""

    station: str
    view: str
    revision: int
    made_utc: datetime
    made_by: str
    temperature_c: float | None
    camera: CameraTable
    target: TargetUsed | None = None


def lens_table(
    fit: LensFit,
    occasion: Occasion,
) -> CalibrationTable:
    """The table of a lens calibration."""
    lens = fit.lens
    covered = coverage_of([each.found for each in fit.pictures], lens.size_px) > 0
    return CalibrationTable(
        kind="lens",
        **vars(occasion),
        settings={
            "lineside": __version__,
            "pictures": len(fit.pictures),
            "left_out": len(fit.left_out),
            "points": sum(len(each.found.ids) for each in fit.pictures),
            "frame_covered": round(float(covered.mean()), 3),
        },
        residuals={
            "rms_px": fit.rms_px,
            "sd_px": fit.sd_px,
            **{f"{each.found.name} rms_px": each.rms_px for each in fit.pictures},
        },
        uncertainty=dict(zip(LENS_FIGURES, (float(sd) for sd in np.sqrt(np.diag(lens.covariance))), strict=True)),
        lens=LensTable(model=fit.model, focal_px=lens.focal_px, centre_px=lens.centre_px, distortion=lens.distortion),
    )


def plane_table(
    fit: PlaneFit,
    declared: Declared,
    lens: Identity,
    occasion: Occasion,
) -> CalibrationTable:
    """The table of a plane calibration."""
    plane = fit.plane
    _, scale, spread = scale_field(plane, 17, 13)
    middle = (6, 8)
    return CalibrationTable(
        kind="plane",
        **vars(occasion),
        settings={
            "lineside": __version__,
            "lens_revision": lens.revision,
            "points": len(fit.picture.found.ids),
            "edge_px": fit.picture.found.edge_px,
            "height_uncertainty_mm": declared.height_uncertainty_mm,
        },
        residuals={"rms_px": fit.picture.rms_px, "sd_px": fit.sd_px},
        uncertainty={
            "mm_per_px": float(spread[middle]),
            "relative_scale_95": float(COVERAGE_FACTOR * (spread / scale).max()),
        },
        plane=PlaneTable(
            lens_sha256=lens.sha256,
            rotation_rad=plane.rotation_rad,
            translation_mm=plane.translation_mm,
            height_mm=plane.height_mm,
            tilt_deg=fit.tilt_deg,
            mm_per_px=float(scale[middle]),
            mm_per_px_range=(float(scale.min()), float(scale.max())),
        ),
    )


def flat_table(
    fit: FlatFit, sensor: SensorFit | None, exposure_us: float | None, occasion: Occasion
) -> CalibrationTable:
    """The table of a flat field."""
    good = ~fit.maps.bad
    gains = fit.maps.gain[good]
    return CalibrationTable(
        kind="flat",
        **vars(occasion),
        settings={
            "lineside": __version__,
            "dark_left_out": len(fit.dark.left_out),
            "flat_left_out": len(fit.flat.left_out),
            **({"dark_noise_is_limit": sensor.dark_noise_is_limit} if sensor else {}),
        },
        residuals={"response_sd": fit.response_sd},
        uncertainty={
            "gain_relative": fit.gain_sd,
            "offset_dn": float(np.sqrt(fit.dark.variance[good].mean() / fit.dark.count)),
            **({"system_gain_dn_per_e": sensor.gain_sd} if sensor else {}),
        },
        flat=FlatTable(
            frames_dark=fit.dark.count,
            frames_flat=fit.flat.count,
            exposure_us=exposure_us,
            dark_mean_dn=float(fit.dark.mean[good].mean()),
            flat_mean_dn=float(fit.flat.mean[good].mean()),
            gain_range=(float(gains.min()), float(gains.max())),
            vignetting=fit.vignetting,
            dead_pixels=int((fit.bad == DEAD).sum()),
            hot_pixels=int((fit.bad > DEAD).sum()),
            sensor=_sensor_table(sensor) if sensor else None,
        ),
    )


def flat_arrays(fit: FlatFit) -> dict[str, NDArray[Any]]:
    """The maps; `bad` says what each bad pixel is, as `flat_fit` names it."""
    return {"offset": fit.maps.offset, "gain": fit.maps.gain, "bad": fit.bad}


def light_table(fit: LightFit, occasion: Occasion) -> CalibrationTable:
    """The table of a light reference."""
    brightness = fit.mean[0]
    colour = [float(share) for share in fit.mean[2:].mean(axis=(1, 2))]
    rows, columns = brightness.shape
    return CalibrationTable(
        kind="light",
        **vars(occasion),
        settings={"lineside": __version__, "left_out": len(fit.left_out)},
        residuals={
            "brightness_sd": float(fit.whole_scatter[0]),
            "sharpness_sd": float(fit.whole_scatter[1]),
            **{f"{name}_sd": float(sd) for name, sd in zip(PLACEMENT_FIGURES, _placement_sd(fit), strict=True)},
        },
        light=LightTable(
            grid=(columns, rows),
            pictures=len(fit.names),
            brightness=float(brightness.mean()),
            evenness=float(brightness.min() / brightness.max()),
            sharpness=float(fit.mean[1].mean()),
            colour=(colour[0], colour[1], colour[2]) if colour else None,
        ),
    )


def light_arrays(fit: LightFit) -> dict[str, NDArray[Any]]:
    """Mean and scatter of every figure, the small reference picture, and how the good pictures lie over it."""
    return {
        "mean": fit.mean,
        "scatter": fit.scatter,
        "whole_scatter": fit.whole_scatter,
        "reference": fit.reference,
        "placed": fit.placed,
    }


def _placement_sd(fit: LightFit) -> list[float]:
    """Zeros where a picture could not be placed: then no later one is judged by its place either."""
    return [0.0] * 4 if np.isnan(fit.placed).any() else [float(sd) for sd in fit.placed.std(axis=0, ddof=1)]


def _sensor_table(fit: SensorFit) -> SensorTable:
    return SensorTable(
        levels=len(fit.signal_dn),
        system_gain_dn_per_e=fit.gain_dn_per_e,
        temporal_dark_noise_dn=fit.dark_noise_dn,
        temporal_dark_noise_e=fit.dark_noise_e,
        saturation_capacity_e=fit.saturation_e,
        snr_max=fit.snr_max,
        linearity_error=fit.linearity_error,
        dsnu_e=fit.dsnu_e,
        prnu=fit.prnu,
    )


def lens_arrays(fit: LensFit) -> dict[str, NDArray[Any]]:
    """The covariance, and every point with its error: picture, id, x and y seen, x and y of the error."""
    return {"covariance": fit.lens.covariance, "points": np.vstack([_rows(*each) for each in enumerate(fit.pictures)])}


def plane_arrays(fit: PlaneFit, white: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """The covariance, every point with its error as `lens_arrays` has them, and the white beside each point."""
    return {"covariance": fit.plane.covariance, "points": _rows(0, fit.picture), "white": white}


def _rows(number: int, picture: FittedPicture) -> NDArray[np.float64]:
    found = picture.found
    return np.column_stack([np.full(len(found.ids), number), found.ids, found.points_px, picture.errors_px])
