"""A camera over the plane of the parts, rendered with the truth, and what a station believes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.calibration import Calibration, Lens, Plane
from lineside.core.errors import ConfigError, InspectionError
from lineside.core.finding import Detection, ScoreMap
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.lens import bearings_of, places_of

Floats = NDArray[np.float64]

SIZE_PX = (640, 480)
PAPER, INK = 200.0, 40.0
_MARGIN_PX = 8
_AT = (np.arange(4) + 0.5) / 4 - 0.5
_WITHIN = np.stack(np.meshgrid(_AT, _AT), axis=-1).reshape(-1, 2)
"""Rays of one pixel."""

SD = np.array([1.0, 0.5, 0.5, 1e-3, 2e-3, 1e-4, 1e-4, 2e-3, *[2e-4] * 3, *[0.05] * 3, 0.1, 5e-4])
"""Standard uncertainties of PLANE_FIGURES as a careful calibration leaves them: height of the parts and print first."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A dark bar on the part's face, in mm and radians."""

    middle_mm: tuple[float, float]
    length_mm: float
    width_mm: float = 3.0
    turn_rad: float = 0.3

    @property
    def axes(self) -> Floats:
        along = np.array([np.cos(self.turn_rad), np.sin(self.turn_rad)])
        return np.stack([along, [-along[1], along[0]]])

    @property
    def corners_mm(self) -> Floats:
        halves = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (self.length_mm / 2, self.width_mm / 2)
        return np.array(self.middle_mm) + halves @ self.axes

    def beyond_mm(self, places_mm: Floats) -> Floats:
        """How far places (N, 2) lie outside its edges; inside, less than nought."""
        within = np.abs((places_mm - self.middle_mm) @ self.axes.T) - (self.length_mm / 2, self.width_mm / 2)
        return np.asarray(within.max(axis=1), np.float64)


def mounted(
    *,
    focal_px: float,
    k1: float,
    rotation_rad: tuple[float, float, float],
    over_mm: tuple[float, float] = (60.0, 45.0),
    distance_mm: float,
    sd: Floats = SD,
) -> Plane:
    """A camera that looks at `over_mm` of the plane from so far away, known up to `sd`."""
    lens = Lens(
        size_px=SIZE_PX,
        focal_px=focal_px,
        centre_px=(322.0, 236.0),
        distortion=(k1, 0.02, 5e-4, -4e-4, 0.0),
        covariance=np.diag(sd[:8] ** 2),
    )
    rotation, _ = cv2.Rodrigues(np.array(rotation_rad))
    x, y, z = np.array([0, 0, distance_mm]) - rotation @ np.array([*over_mm, 0.0])
    return Plane(
        lens=lens,
        rotation_rad=rotation_rad,
        translation_mm=(float(x), float(y), float(z)),
        height_mm=8.0,
        covariance=np.diag(sd**2),
    )


def truth_of(believed: Plane, random: np.random.Generator) -> Plane:
    """What the camera may really be, as often as the calibration says."""
    figures = random.multivariate_normal(believed.figures, believed.covariance)
    x, y, z = figures[11:14] * figures[15]
    lens = replace(
        believed.lens,
        focal_px=float(figures[0]),
        centre_px=(float(figures[1]), float(figures[2])),
        distortion=(figures[3], figures[4], figures[5], figures[6], figures[7]),
    )
    return replace(
        believed,
        lens=lens,
        rotation_rad=(figures[8], figures[9], figures[10]),
        translation_mm=(x, y, z),
        height_mm=float(figures[14]),
    )


def picture_of(
    bars: Sequence[Bar], camera: Plane, random: np.random.Generator, *, blur_px: float = 0.6, noise: float = 2.0
) -> NDArray[np.uint8]:
    """The bars as that camera really sees them: (H, W) uint8."""
    width, height = camera.lens.size_px
    seen = np.full((height, width), PAPER)
    for bar in bars:
        corners = bearings_of(bar.corners_mm, camera).pixels
        left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - _MARGIN_PX, 0)
        right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + _MARGIN_PX, (width, height))
        pixels = np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), axis=-1).reshape(-1, 2)
        places = places_of(pixels, camera)
        beyond = bar.beyond_mm(places)
        covered = (beyond <= 0).astype(np.float64)
        pixel_mm = np.linalg.norm(places[1] - places[0])
        edge = np.abs(beyond) < 1.5 * pixel_mm  # only there a pixel may be covered in part
        samples = (pixels[edge][:, None] + _WITHIN).reshape(-1, 2)
        covered[edge] = (bar.beyond_mm(places_of(samples, camera)) <= 0).reshape(-1, len(_WITHIN)).mean(axis=1)
        seen[top:bottom, left:right] -= (PAPER - INK) * covered.reshape(bottom - top, right - left)
    blurred = cv2.GaussianBlur(seen, (0, 0), blur_px) if blur_px else seen
    return np.clip(np.rint(blurred + random.normal(0, noise, blurred.shape)), 0, 255).astype(np.uint8)


def frame_of(pixels: NDArray[np.uint8], *, serial: str = "A7") -> Frame:
    return Frame(
        view="face",
        pixels=pixels,
        pixel_format=PixelFormat.MONO8,
        frame_id=1,
        captured_utc_ns=1,
        captured_mono_ns=1,
        camera_serial=serial,
    )


def calibration_of(plane: Plane, *, serial: str = "A7") -> Calibration:
    return Calibration(identity=Identity(id="s", sha256="c" * 64), planes={"face": plane}, serials={"face": serial})


class InkDetector:
    """A model that sees how dark each pixel is: 0 as the paper, 1 as the ink; a finding from the middle on."""

    identity = Identity(id="ink", revision=1, sha256="e" * 64)
    provider = "cpu"
    threshold = 0.5
    class_names = ("bar",)

    def check_frames(self, pixel_format: PixelFormat, width_px: int, height_px: int) -> None:
        if pixel_format is not PixelFormat.MONO8:
            raise ConfigError("the ink detector takes Mono8")

    def detect(self, frame: Frame) -> Detection:
        darkness = ((PAPER - frame.pixels.astype(np.float32)) / (PAPER - INK)).astype(np.float32)
        return Detection(score=float(darkness.max()), maps=(ScoreMap(class_name="bar", values=darkness),))

    def detect_each(self, frames: Sequence[Frame]) -> list[Detection | InspectionError]:
        return [self.detect(frame) for frame in frames]

    def keep_warm(self) -> None:
        """It never cools down."""
