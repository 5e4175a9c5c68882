"""A station that is calibrated from rendered pictures, and whose truth is known: lens, pose, print, height of parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.detection import Found, find_target
from lineside.calibrate.lens_fit import LensFit, fit_lens
from lineside.calibrate.plane_fit import Declared, PlaneFit, fit_plane
from lineside.calibrate.selection import select
from lineside.calibrate.sheet import sheet_of
from lineside.calibrate.target import Target, TargetKind, default_target
from lineside.core.calibration import Lens, Plane
from lineside.imaging.lens import length_of, pixels_of
from lineside.testing.simulated_lens import SheetTexture, SimulatedLens

Floats = NDArray[np.float64]

SIZE_PX = (640, 480)
PICTURES = 12
DECLARED = Declared(print_uncertainty=5e-4, height_mm=8.0, height_uncertainty_mm=0.1)
END_SD_PX = 0.15
POINT_SD_PX = 0.06
"""What rendered pictures of ordinary blur and noise leave."""


@cache
def target_of(kind: TargetKind = "charuco") -> Target:
    return default_target(id="simulated", kind=kind, paper="a5")


@cache
def texture_of(kind: TargetKind = "charuco") -> SheetTexture:
    return SheetTexture(sheet_of(target_of(kind)), px_per_mm=8.0)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """One random camera over a plane. `print_scale` is what the printer really did; 1 is what is believed."""

    camera: SimulatedLens
    print_scale: float
    rotation_rad: Floats
    translation_mm: Floats
    height_mm: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Lengths on the plane in mm: true, as measured, and the stated standard uncertainty."""

    true_mm: Floats
    length_mm: Floats
    uncertainty_mm: Floats

    @property
    def scores(self) -> Floats:
        """Errors in units of the stated uncertainty."""
        return (self.length_mm - self.true_mm) / self.uncertainty_mm


def random_camera(random: np.random.Generator, **spoiled: float | bool) -> SimulatedLens:
    """A lens between tele and wide angle, barrel or cushion, its axis off the middle."""
    focal = random.uniform(650, 1500)
    wide = (900 / focal) ** 2
    lens = Lens(
        size_px=SIZE_PX,
        focal_px=focal,
        centre_px=(319.5 + random.uniform(-12, 12), 239.5 + random.uniform(-12, 12)),
        distortion=(
            random.uniform(-0.25, 0.1), random.uniform(-0.05, 0.1),
            random.uniform(-1e-3, 1e-3), random.uniform(-1e-3, 1e-3), random.uniform(-0.05, 0.05) * wide,
        ),
        covariance=np.zeros((8, 8)),
    )  # fmt: skip
    blur, noise, dark = random.uniform(0.5, 1.2), random.uniform(1.0, 4.0), random.uniform(0.0, 0.4)
    return SimulatedLens(lens=lens, **{"blur_px": blur, "noise": noise, "vignetting": dark, **spoiled})  # type: ignore[arg-type]


def random_truth(random: np.random.Generator, **spoiled: float | bool) -> Truth:
    camera = random_camera(random, **spoiled)
    rotation, translation = pose(random, camera.lens, tilt_rad=0.05, fill=0.95)
    return Truth(
        camera=camera,
        print_scale=1 + random.normal(0, DECLARED.print_uncertainty),
        rotation_rad=rotation,
        translation_mm=translation,
        height_mm=DECLARED.height_mm + random.normal(0, DECLARED.height_uncertainty_mm),
    )


def pose(random: np.random.Generator, lens: Lens, *, tilt_rad: float, fill: float) -> tuple[Floats, Floats]:
    """A pose of the target that fills that share of the frame, its middle near a random place of it."""
    rotation = np.append(random.uniform(-tilt_rad, tilt_rad, 2), random.uniform(-0.15, 0.15))
    matrix, _ = cv2.Rodrigues(rotation)
    size = np.array(target_of().size_mm)
    distance = lens.focal_px * max(size / (np.array(lens.size_px) * fill))
    room = (1 - fill) / 2 * np.array(lens.size_px) / lens.focal_px * distance
    middle = np.append(random.uniform(-room, room) * 1.3, distance)
    return rotation, middle - matrix @ np.append(size / 2, 0.0)


def take(truth: Truth, rotation: Floats, translation: Floats, name: str, seed: int) -> Found:
    """A picture of the target as it was really printed: larger by its scale, so seen as if nearer."""
    picture = truth.camera.picture(texture_of(), rotation, translation / truth.print_scale, seed)
    return find_target(name, picture, target_of())


def take_points(truth: Truth, rotation: Floats, translation: Floats, name: str, seed: int) -> Found:
    """The same without a picture: the target's points where they are seen, each found with an error of POINT_SD_PX."""
    points_mm = target_of().points_mm
    solid = np.column_stack([points_mm, np.zeros(len(points_mm))])
    points_px = pixels_of(solid, truth.camera.lens, rotation, translation / truth.print_scale)
    points_px += np.random.default_rng([seed, int(1e6 * translation[2])]).normal(0, POINT_SD_PX, points_px.shape)
    ids = np.flatnonzero((points_px > 3).all(axis=1) & (points_px < np.array(SIZE_PX) - 4).all(axis=1))
    return Found(name=name, ids=ids, points_px=points_px[ids], points_mm=points_mm[ids], edge_px=3.0)


def lens_pictures(
    truth: Truth, random: np.random.Generator, count: int = PICTURES, taken: Callable[..., Found] = take
) -> list[Found]:
    found = []
    for number in range(count):
        rotation, translation = pose(random, truth.camera.lens, tilt_rad=0.6, fill=random.uniform(0.75, 1.0))
        found.append(taken(truth, rotation, translation, f"lens-{number:02}.png", seed=number))
    return found


def calibrated(
    truth: Truth, random: np.random.Generator, taken: Callable[..., Found] = take
) -> tuple[LensFit, PlaneFit]:
    """Lens and plane as a station would get them."""
    fit = fit_lens(select(lens_pictures(truth, random, taken=taken), SIZE_PX), SIZE_PX)
    picture = taken(truth, truth.rotation_rad, truth.translation_mm, "plane.png", seed=999)
    return fit, fit_plane(picture, fit.lens, DECLARED)


def measured(truth: Truth, plane: PlaneFit, random: np.random.Generator, count: int) -> Measured:
    """Random lengths on the parts' face, seen through the true lens, ends located with noise."""
    return _lengths(truth, plane.plane, random, count, end_sd_px=END_SD_PX)


def own_part(truth: Truth, plane: PlaneFit, random: np.random.Generator, count: int) -> Measured:
    """The same with print, height and ends known exactly: what is left is the error of lens and pose alone."""
    found = plane.plane
    covariance = found.covariance.copy()
    covariance[14:], covariance[:, 14:] = 0.0, 0.0
    x, y, z = (truth.print_scale * value for value in found.translation_mm)
    known = replace(found, translation_mm=(x, y, z), height_mm=truth.height_mm, covariance=covariance)
    return _lengths(truth, known, random, count, end_sd_px=0.0)


def _lengths(truth: Truth, plane: Plane, random: np.random.Generator, count: int, *, end_sd_px: float) -> Measured:
    ends = random.uniform(0.02, 0.98, (2, count, 2)) * np.array(target_of().size_mm)
    height = np.full((count, 1), -truth.height_mm)
    seen = [
        pixels_of(np.hstack([end, height]), truth.camera.lens, truth.rotation_rad, truth.translation_mm)
        + random.normal(0, 1, (count, 2)) * end_sd_px
        for end in ends
    ]
    lengths, uncertainties = length_of(seen[0], seen[1], plane, point_sd_px=end_sd_px)
    return Measured(true_mm=np.linalg.norm(ends[1] - ends[0], axis=1), length_mm=lengths, uncertainty_mm=uncertainties)
