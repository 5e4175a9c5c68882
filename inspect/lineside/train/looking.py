"""How a trainer looks at pictures: found and resized by the very code that the station runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.locate_spec import RoundSpec, spec_of
from lineside.detectors.manifest import InputSpec
from lineside.detectors.preparation import Preparation
from lineside.detectors.reference import encoded_frame
from lineside.train.bank_features import CELL_PX, Planes
from lineside.train.bank_graph import INPUT
from lineside.train.locate_fit import LocateOrder, fit_locate
from lineside.train.places import FOUND, HELD, PlaceSettings

__all__ = ["LOCATE_REFERENCE", "Look", "look_at", "work_size"]

LOCATE_REFERENCE: Final = "locate/reference.png"

_WORK_AREA_PX: Final = 150_000
_LEAST_SIDE_PX: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Look:
    """The graph's input, what turns frames into it, and the files of the package that it takes."""

    spec: InputSpec
    preparation: Preparation
    files: Mapping[str, bytes]

    def places(self, slack: int | None) -> PlaceSettings:
        """How such pictures are compared; a `slack` that is not None was asked for."""
        step = self.spec.locate
        # An unrolled part without a mark has no angle.
        rows_alike = isinstance(step, RoundSpec) and not step.marked
        usual = HELD if step is None else FOUND
        return replace(usual, rows_alike=rows_alike, slack=usual.slack if slack is None else slack)

    def tensor_of(self, pixels: Pixels) -> NDArray[Any]:
        """(1, C, H, W) as the graph takes it; overwritten by the next call. Raises: FrameError, NotLocated."""
        return self.preparation.prepare(pixels)[0]

    def planes_of(self, pixels: Pixels) -> Planes:
        """(C, H, W) from 0 to 1, a new array. Raises: FrameError, NotLocated."""
        top = np.float32(1 / self.spec.pixel_format.max_value)
        return np.asarray(self.tensor_of(pixels)[0], np.float32) * top


def work_size(width_px: int, height_px: int, long_side_px: int = 0, area_px: int = _WORK_AREA_PX) -> tuple[int, int]:
    """The size at which a picture is looked at: whole cells, so many px in all or the long side asked for."""
    share = math.sqrt(area_px / (width_px * height_px))
    if long_side_px:
        share = long_side_px / max(width_px, height_px)
    share = min(share, 1.0)
    width, height = (max(_LEAST_SIDE_PX, round(side * share / CELL_PX) * CELL_PX) for side in (width_px, height_px))
    return width, height


def look_at(
    good: Sequence[Pixels],
    pixel_format: PixelFormat,
    long_side_px: int,
    *,
    locate: LocateOrder | bool,
    area_px: int = _WORK_AREA_PX,
) -> Look:
    """How these good frames, all of one size, are to be looked at: at so many px in all, or with the long side asked
    for. Raises: ConfigError where no parts are found.

    `locate`: whether and how parts are found first; True leaves the way to what fits the pictures.
    """
    files: dict[str, bytes] = {}
    spec, reference = None, None
    height, width = good[0].shape[:2]
    if locate:
        pattern = fit_locate(good, pixel_format, None if locate is True else locate)
        reference = pattern.reference
        height, width = reference.shape[:2]
        files[LOCATE_REFERENCE] = encoded_frame(reference, pixel_format)
        spec = spec_of(pattern, LOCATE_REFERENCE)
    columns, rows = work_size(width, height, long_side_px, area_px)
    whole = InputSpec(
        name=INPUT,
        shape=(1, pixel_format.channels, rows, columns),
        dtype="uint16" if pixel_format.dtype == np.uint16 else "uint8",
        pixel_format=pixel_format,
        resize="stretch",
        interpolation="halving",
        in_graph=True,
        locate=spec,
    )
    return Look(spec=whole, preparation=Preparation(whole, reference), files=files)
