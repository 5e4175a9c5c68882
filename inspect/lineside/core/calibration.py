"""Facts of one station: size of a pixel on the part, bends of the lens, plane of the parts, flat field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ConfigError
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat

__all__ = ["COVERAGE_FACTOR", "LENS_FIGURES", "PLANE_FIGURES", "Calibration", "FlatMaps", "Lens", "Plane", "Scale"]

COVERAGE_FACTOR: Final = 1.96
"""Standard uncertainties times this cover the true value in 95 % of cases; 1.96 for a normal distribution."""

LENS_FIGURES = ("focal_px", "centre_x_px", "centre_y_px", "k1", "k2", "p1", "p2", "k3")
"""The figures of a lens, in the order of its covariance."""

PLANE_FIGURES = (*LENS_FIGURES, "rx_rad", "ry_rad", "rz_rad", "tx_mm", "ty_mm", "tz_mm", "height_mm", "scale")
"""The figures that turn a pixel into a place on the plane, in the order of its covariance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Millimetres per pixel on the part's plane, and the standard uncertainty of that figure in the same unit."""

    mm_per_px: float
    mm_per_px_uncertainty: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lens:
    """How rays meet pixels: a pinhole with square pixels and Brown's distortion. Pixel centres are whole numbers.

    `distortion` is k1, k2, p1, p2, k3 on coordinates divided by the focal length. `covariance` is float64 (8, 8) in the
    order of LENS_FIGURES.
    """

    size_px: tuple[int, int]
    focal_px: float
    centre_px: tuple[float, float]
    distortion: tuple[float, float, float, float, float]
    covariance: NDArray[np.float64]

    @property
    def figures(self) -> NDArray[np.float64]:
        """float64 (8,), in the order of LENS_FIGURES."""
        return np.array([self.focal_px, *self.centre_px, *self.distortion])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plane:
    """Where the plane of the parts lies before the camera, as the pose of the target that lay on it.

    A target point (x, y, 0) in mm lies at R(rotation_rad) @ point + translation_mm, the camera looking along z. Parts
    are measured `height_mm` above that, towards the camera. `covariance` is float64 (16, 16) in the order of
    PLANE_FIGURES, the lens's with it: a wrong focal length and a wrong distance largely cancel on the plane.
    """

    lens: Lens
    rotation_rad: tuple[float, float, float]
    translation_mm: tuple[float, float, float]
    height_mm: float
    covariance: NDArray[np.float64]

    @property
    def figures(self) -> NDArray[np.float64]:
        """float64 (16,), in the order of PLANE_FIGURES; `scale` is 1, its uncertainty that of the printed target."""
        return np.array([*self.lens.figures, *self.rotation_rad, *self.translation_mm, self.height_mm, 1.0])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FlatMaps:
    """The flat field as it was measured. All maps have the shape of a frame, (H, W) or (H, W, 3).

    Colours are in the order of the pixel format. `offset` is float32 in grey levels, `gain` float32 without unit,
    `bad` bool.
    """

    pixel_format: PixelFormat
    offset: NDArray[np.float32]
    gain: NDArray[np.float32]
    bad: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = self.pixel_format.shape(self.offset.shape[1], self.offset.shape[0]) if self.offset.ndim > 1 else ()
        for name, array, dtype in (
            ("offset", self.offset, np.float32),
            ("gain", self.gain, np.float32),
            ("bad", self.bad, np.bool_),
        ):
            if array.shape != shape or array.dtype != dtype or not np.isfinite(array).all():
                raise ConfigError(
                    f"flat field of {self.pixel_format}: {name} is {array.dtype}{list(array.shape)}",
                    expected=f"finite {np.dtype(dtype)}{list(shape)}, one value for each of a frame's",
                    remedy="run `lineside calibrate flat` again",
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Facts of one station, by view. A view with neither a scale nor a plane has no sizes in millimetres.

    `identity.sha256` is over all of it; `files` are the measured files that it holds, `serials` the cameras that those
    were measured with.
    """

    identity: Identity
    scales: Mapping[str, Scale] = field(default_factory=dict)
    planes: Mapping[str, Plane] = field(default_factory=dict)
    flats: Mapping[str, FlatMaps] = field(default_factory=dict)
    serials: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Identity, ...] = ()

    def ruler(self, view: str) -> Scale | Plane | None:
        """What turns the view's pixels into millimetres; None where nothing does."""
        return self.planes.get(view) or self.scales.get(view)
