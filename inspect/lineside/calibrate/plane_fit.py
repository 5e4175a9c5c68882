"""From one picture of a target on the plane of the parts to that plane, with the covariance of what measures on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.detection import Found
from lineside.calibrate.lens_fit import FittedPicture, camera_of, projected
from lineside.core.calibration import LENS_FIGURES, PLANE_FIGURES, Lens, Plane
from lineside.core.errors import ConfigError

__all__ = ["Declared", "PlaneFit", "fit_plane", "warnings_of"]

Floats = NDArray[np.float64]

TILT_WARNING_DEG = 3.0
"""Tilted by more, a part's height shifts it sideways by more than a twentieth of that height."""

MISFIT = 3.0
"""A target that lies this many times worse than the lens's own pictures does not lie flat, or the lens is another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What no picture can tell, declared by the person who calibrates; standard uncertainties.

    `print_uncertainty` is relative; `height_mm` is how far above the target's face the parts are measured.
    """

    print_uncertainty: float
    height_mm: float = 0.0
    height_uncertainty_mm: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaneFit:
    """The plane, the picture, and the scatter of one coordinate."""

    plane: Plane
    picture: FittedPicture
    sd_px: float

    @property
    def tilt_deg(self) -> float:
        """Angle between optical axis and the plane's normal."""
        normal = cv2.Rodrigues(np.array(self.plane.rotation_rad))[0][:, 2]
        return float(np.rad2deg(np.arccos(np.clip(abs(normal[2]), 0, 1))))


def fit_plane(found: Found, lens: Lens, declared: Declared) -> PlaneFit:
    """The plane on which the target lies. Raises: ConfigError when the picture is of no use."""
    if found.trouble:
        raise ConfigError(f"{found.name}: {found.trouble}", remedy="take the picture again: sharp, the target in full")
    solid = np.column_stack([found.points_mm, np.zeros(len(found.points_mm))])
    matrix, distortion = camera_of(lens.figures)
    # IPPE gives both poses of a flat object, the better first; refined over all points.
    _, rotations, translations, _ = cv2.solvePnPGeneric(
        solid, found.points_px, matrix, distortion, flags=cv2.SOLVEPNP_IPPE
    )
    refined = cv2.solvePnPRefineLM(solid, found.points_px, matrix, distortion, rotations[0], translations[0])
    rotation, translation = (np.asarray(each, np.float64).ravel() for each in refined)
    expected, slopes = projected(found, lens.figures, rotation, translation)
    errors = found.points_px - expected
    sd_px = float(np.sqrt((errors**2).sum() / max(1, errors.size - 6)))
    plane = Plane(
        lens=lens,
        rotation_rad=_triple(rotation),
        translation_mm=_triple(translation),
        height_mm=declared.height_mm,
        covariance=_covariance(lens, slopes, sd_px, declared),
    )
    picture = FittedPicture(found=found, rotation_rad=rotation, translation_mm=translation, errors_px=errors)
    return PlaneFit(plane=plane, picture=picture, sd_px=sd_px)


def warnings_of(fit: PlaneFit, lens_sd_px: float) -> tuple[str, ...]:
    """What a person should look at before the calibration is used, a sentence each."""
    told = []
    if fit.tilt_deg > TILT_WARNING_DEG:
        told.append(
            f"the plane is tilted by {fit.tilt_deg:.1f}° to the optical axis: sizes are corrected for it, but parts of "
            f"other heights than declared are seen shifted; square the camera up to below {TILT_WARNING_DEG:g}°"
        )
    if fit.sd_px > MISFIT * lens_sd_px:
        told.append(
            f"the target's points lie {fit.sd_px:.2f} px off, {lens_sd_px:.2f} px in the lens's own pictures: it does "
            "not lie flat, or focus or lens were changed since"
        )
    width, height = fit.plane.lens.size_px
    spread = np.ptp(fit.picture.found.points_px, axis=0) / (width, height)
    if spread.min() < 0.5:
        told.append(
            f"the target fills {spread[0]:.0%} x {spread[1]:.0%} of the frame: outside it the scale is extrapolated"
        )
    return tuple(told)


def _covariance(lens: Lens, slopes: Floats, sd_px: float, declared: Declared) -> Floats:
    """Of all PLANE_FIGURES. The pose is fitted with the lens held: where the lens errs, the pose errs along with it."""
    lens_size = len(LENS_FIGURES)
    of_lens, of_pose = slopes[:, :lens_size], slopes[:, lens_size:]
    follows = -np.linalg.lstsq(of_pose, of_lens, rcond=None)[0]
    carried = np.vstack([np.eye(lens_size), follows])
    covariance = np.zeros((len(PLANE_FIGURES), len(PLANE_FIGURES)))
    covariance[:14, :14] = carried @ lens.covariance @ carried.T
    covariance[lens_size:14, lens_size:14] += np.linalg.inv(of_pose.T @ of_pose) * sd_px**2
    covariance[14, 14] = declared.height_uncertainty_mm**2
    covariance[15, 15] = declared.print_uncertainty**2
    return covariance


def _triple(vector: Floats) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in vector.ravel())
    return x, y, z
