"""A project whose lens, plane and light are calibrated, and a camera that can be knocked, blurred and dimmed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from simulated_calibration import SIZE_PX, target_of, texture_of
from simulated_part import SIZE, part

from lineside.calibrate.detection import find_target, white_beside
from lineside.calibrate.frames import Shot
from lineside.calibrate.light_fit import fit_light
from lineside.calibrate.plane_fit import Declared, fit_plane
from lineside.calibrate.results import Occasion, light_arrays, light_table, plane_arrays, plane_table
from lineside.config.calibration_file import lens_of, write_calibration
from lineside.config.calibration_tables import CalibrationTable, CameraTable, LensTable, TargetUsed
from lineside.core.calibration import Lens
from lineside.core.pixel_format import PixelFormat
from lineside.testing.simulated_lens import SimulatedLens

MADE = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
LENS = Lens(
    size_px=SIZE_PX, focal_px=1000.0, centre_px=(322.0, 237.0), distortion=(-0.12, 0.03, 0.0, 0.0, 0.0),
    covariance=np.diag([0.04, 0.04, 0.04, 1e-8, 1e-8, 1e-12, 1e-12, 1e-8]),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How the camera stands and sees; the defaults are those of the calibration. Lengths in mm, angles in degrees."""

    focal: float = 1.0
    across_mm: float = 0.0
    turn_deg: float = 0.0
    tilt_deg: float = 0.0
    blur_px: float = 0.7
    light: float = 1.0
    shadow: float = 0.0
    seed: int = 1

    def target(self) -> NDArray[np.uint8]:
        """The target as seen: uint8 (480, 640), rendered once in a run of the tests."""
        return _seen(self)


@cache
def _seen(setting: Setting) -> NDArray[np.uint8]:
    focal_px = LENS.focal_px * setting.focal
    camera = SimulatedLens(lens=replace(LENS, focal_px=focal_px), blur_px=setting.blur_px, noise=1.5)
    base, _ = cv2.Rodrigues(np.array([0.02, -0.03, 0.01]))
    tilt, _ = cv2.Rodrigues(np.deg2rad([setting.tilt_deg, 0.0, 0.0]))
    turn, _ = cv2.Rodrigues(np.deg2rad([0.0, 0.0, setting.turn_deg]))
    middle = np.array([80.0, 45.0, 0.0])
    rotation = tilt @ base @ turn
    at = np.array([0.0, 0.0, 290.0]) - rotation @ middle + np.array([setting.across_mm, 0.0, 0.0])
    picture = camera.picture(texture_of(), cv2.Rodrigues(rotation)[0].ravel(), at, setting.seed) * setting.light
    picture[:, :160] *= 1 - setting.shadow
    seen = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    seen.setflags(write=False)
    return seen


def calibrate_project(
    folder: Path, *, station: str = "press-4", view: str = "face", serial: str = "A7", light: bool = True,
    pixel_format: PixelFormat = PixelFormat.MONO8,
) -> None:  # fmt: skip
    """Writes the target, and the calibrations of a station that pictures like `Setting()` were made with."""
    (folder / "calibration" / "targets").mkdir(parents=True, exist_ok=True)
    (folder / "calibration" / "targets" / "simulated.toml").write_text(target_of().toml())
    camera = CameraTable(serial=serial, size_px=SIZE_PX, pixel_format=pixel_format.value)
    used = TargetUsed(
        id="simulated", revision=1, sha256=target_of().identity.sha256, scale=(1.0, 1.0), scale_uncertainty=5e-4
    )
    occasion = Occasion(
        station=station, view=view, revision=1, made_utc=MADE, made_by="a. worker", temperature_c=22.0, camera=camera,
        target=used,
    )  # fmt: skip
    lens_table = CalibrationTable(
        kind="lens", **vars(occasion), residuals={"sd_px": 0.05},
        lens=LensTable(model="k1 k2", focal_px=LENS.focal_px, centre_px=LENS.centre_px, distortion=LENS.distortion),
    )  # fmt: skip
    lens = write_calibration(folder, lens_table, {"covariance": LENS.covariance})
    declared = Declared(print_uncertainty=5e-4, height_mm=8.0, height_uncertainty_mm=0.1)
    picture = Setting(seed=0).target()
    fit = fit_plane(find_target("plane.png", picture, target_of()), lens_of(lens), declared)
    pixels = picture if pixel_format.channels == 1 else np.stack([picture] * 3, axis=-1)
    white = white_beside(pixels, pixel_format, fit.picture.found.points_px)
    write_calibration(folder, plane_table(fit, declared, lens.identity, occasion), plane_arrays(fit, white))
    if light:
        good = [Shot(name=f"good-{seed}.png", pixels=part(seed=seed)) for seed in range(6)]
        of_part = replace(
            occasion,
            target=None,
            view=f"{view}-part",
            camera=CameraTable(serial=serial, size_px=SIZE, pixel_format="Mono8"),
        )
        reference = fit_light(good, PixelFormat.MONO8)
        write_calibration(folder, light_table(reference, of_part), light_arrays(reference))
