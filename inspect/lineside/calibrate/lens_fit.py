"""From a target's points in many pictures to a lens, with the covariance of all its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.detection import Found
from lineside.calibrate.selection import LeftOut, Selection, check_enough
from lineside.core.calibration import LENS_FIGURES, Lens
from lineside.core.errors import ConfigError

__all__ = ["LENS_MODELS", "FittedPicture", "LensFit", "camera_of", "fit_lens", "projected"]

Floats = NDArray[np.float64]

_NEVER = cv2.CALIB_FIX_ASPECT_RATIO | cv2.CALIB_FIX_K4 | cv2.CALIB_FIX_K5 | cv2.CALIB_FIX_K6
LENS_MODELS = {
    "k1": (cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3, 4),
    "k1 k2": (cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K3, 5),
    "k1 k2 p1 p2": (cv2.CALIB_FIX_K3, 7),
    "k1 k2 p1 p2 k3": (0, 8),
}
"""Distortion models from few figures to many: OpenCV's flags, and how many of LENS_FIGURES are free."""

OUTLIER = 3.0
"""A picture whose points lie this many times farther off than the usual picture's is left out."""

MIN_TILT_RANGE_DEG = 15.0
"""Between the pictures' planes. A focal length cannot be told from a distance while all planes are parallel."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FittedPicture:
    """One picture and its pose, as `core.calibration.Plane` has it. `errors_px` is seen minus expected, (N, 2)."""

    found: Found
    rotation_rad: Floats
    translation_mm: Floats
    errors_px: Floats

    @property
    def rms_px(self) -> float:
        """Root mean square length of the errors."""
        return float(np.sqrt((self.errors_px**2).sum(axis=1).mean()))


@dataclass(frozen=True, kw_only=True, slots=True)
class LensFit:
    """The lens, the pictures it was made from, and those left out. `sd_px` is the scatter of one coordinate."""

    lens: Lens
    model: str
    pictures: tuple[FittedPicture, ...]
    left_out: tuple[LeftOut, ...]
    sd_px: float

    @property
    def rms_px(self) -> float:
        """Root mean square length of all errors."""
        return float(np.sqrt(np.concatenate([(each.errors_px**2).sum(axis=1) for each in self.pictures]).mean()))


def fit_lens(selection: Selection, size_px: tuple[int, int]) -> LensFit:
    """The lens with the fewest distortion figures that the pictures call for (Akaike's criterion).

    Pictures that do not fit are left out, and the rest is fitted again. Blocks for a second or so.
    Raises: ConfigError when the pictures cannot tell a lens.
    """
    model, fit = _best(selection.used, size_px)
    usual = np.median([picture.rms_px for picture in fit.pictures])
    bad = [
        LeftOut(
            name=picture.found.name,
            reason=f"its points lie {picture.rms_px:.2f} px off, {usual:.2f} px are usual: moved, or a sheet not flat",
        )
        for picture in fit.pictures
        if picture.rms_px > OUTLIER * usual
    ]
    if bad:
        names = {each.name for each in bad}
        selection = Selection(
            used=tuple(each for each in selection.used if each.name not in names),
            left_out=(*selection.left_out, *bad),
        )
        check_enough(selection, size_px)
        model, fit = _best(selection.used, size_px)
    _check_tilts(fit)
    return _with_covariance(model, fit, size_px, selection.left_out)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Fit:
    """Fitted pictures and the figures (8,) that they were fitted with."""

    figures: Floats
    pictures: tuple[FittedPicture, ...]


def _best(used: Sequence[Found], size_px: tuple[int, int]) -> tuple[str, _Fit]:
    def information(model: str, fit: _Fit) -> float:
        squares = np.concatenate([picture.errors_px.ravel() ** 2 for picture in fit.pictures])
        return float(squares.size * np.log(squares.mean()) + 2 * LENS_MODELS[model][1])

    fits = {model: _fit(model, used, size_px) for model in LENS_MODELS}
    model = min(fits, key=lambda model: information(model, fits[model]))
    return model, fits[model]


def _fit(model: str, used: Sequence[Found], size_px: tuple[int, int]) -> _Fit:
    start = np.array([[1.0, 0, size_px[0] / 2], [0, 1.0, size_px[1] / 2], [0, 0, 1]])  # its ratio is what is kept: 1
    try:
        _, matrix, distortion, rotations, translations = cv2.calibrateCamera(
            [_solid(picture).astype(np.float32).reshape(-1, 1, 3) for picture in used],
            [picture.points_px.astype(np.float32).reshape(-1, 1, 2) for picture in used],
            size_px,
            start,
            np.zeros(5),
            flags=LENS_MODELS[model][0] | _NEVER,
        )
    except cv2.error as error:
        raise ConfigError(
            f"no lens explains the pictures ({error.err})", expected="a flat target seen from several sides"
        ) from error
    figures = np.array([matrix[0, 0], matrix[0, 2], matrix[1, 2], *distortion.ravel()[:5]])
    poses = zip(used, map(_vector, rotations), map(_vector, translations), strict=True)
    return _Fit(figures=figures, pictures=tuple(_fitted(picture, figures, *pose) for picture, *pose in poses))


def _fitted(picture: Found, figures: Floats, rotation: Floats, translation: Floats) -> FittedPicture:
    expected, _ = projected(picture, figures, rotation, translation)
    return FittedPicture(
        found=picture,
        rotation_rad=rotation,
        translation_mm=translation,
        errors_px=picture.points_px - expected,
    )


def camera_of(figures: Floats) -> tuple[Floats, Floats]:
    """OpenCV's camera matrix (3, 3) and distortion (5,) of a lens's figures."""
    focal, x, y = figures[:3]
    return np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]]), figures[3:8].copy()


def projected(found: Found, figures: Floats, rotation: Floats, translation: Floats) -> tuple[Floats, Floats]:
    """Where the points should be (N, 2), and how that changes with lens and pose: (2 N, 14), as PLANE_FIGURES begin."""
    matrix, distortion = camera_of(figures)
    expected, slopes = cv2.projectPoints(_solid(found), rotation, translation, matrix, distortion)
    # OpenCV: rotation 3, translation 3, focal x, focal y, centre 2, distortion 5.
    of_lens = np.column_stack([slopes[:, 6] + slopes[:, 7], slopes[:, 8:10], slopes[:, 10:15]])
    return np.asarray(expected, np.float64).reshape(-1, 2), np.column_stack([of_lens, slopes[:, :6]]).astype(np.float64)


def _vector(column: NDArray[Any]) -> Floats:
    return np.asarray(column, np.float64).ravel()


def _solid(found: Found) -> Floats:
    return np.column_stack([found.points_mm, np.zeros(len(found.points_mm))])


def _check_tilts(fit: _Fit) -> None:
    normals = np.array([cv2.Rodrigues(picture.rotation_rad)[0][:, 2] for picture in fit.pictures])
    widest = np.rad2deg(np.arccos(np.clip((normals @ normals.T).min(), -1, 1)))
    if widest < MIN_TILT_RANGE_DEG:
        raise ConfigError(
            f"the target's planes differ by {widest:.0f}° at most",
            expected=f"at least {MIN_TILT_RANGE_DEG:.0f}°",
            remedy="tilt the target to each side by 20 to 40°: parallel planes cannot tell focal length from distance",
        )


def _with_covariance(model: str, fit: _Fit, size_px: tuple[int, int], left_out: tuple[LeftOut, ...]) -> LensFit:
    """Least squares with the poses eliminated: the lens's block of the inverse of the normal matrix.

    Over all eight figures, whatever the model: those that it leaves at zero are not known to be zero. With the free
    ones alone, the stated uncertainty would be too small wherever the choice of model is wrong.
    """
    normal = np.zeros((len(LENS_FIGURES), len(LENS_FIGURES)))
    squares, values = 0.0, 0
    for picture in fit.pictures:
        _, slopes = projected(picture.found, fit.figures, picture.rotation_rad, picture.translation_mm)
        of_lens, of_pose = slopes[:, : len(LENS_FIGURES)], slopes[:, len(LENS_FIGURES) :]
        beside = of_lens - of_pose @ np.linalg.lstsq(of_pose, of_lens, rcond=None)[0]
        normal += beside.T @ beside
        squares += float((picture.errors_px**2).sum())
        values += picture.errors_px.size
    variance = squares / (values - LENS_MODELS[model][1] - 6 * len(fit.pictures))
    focal, x, y, *distortion = (float(figure) for figure in fit.figures)
    lens = Lens(
        size_px=size_px,
        focal_px=focal,
        centre_px=(x, y),
        distortion=(distortion[0], distortion[1], distortion[2], distortion[3], distortion[4]),
        covariance=np.asarray(np.linalg.inv(normal) * variance, np.float64),
    )
    return LensFit(lens=lens, model=model, pictures=fit.pictures, left_out=left_out, sd_px=float(np.sqrt(variance)))
