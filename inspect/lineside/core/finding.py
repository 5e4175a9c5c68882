"""What the model claims to see, and what the recipe makes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ModelError

__all__ = ["Box", "Defect", "Detection", "Finding", "ScoreMap"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """An upright rectangle in frame pixels: left, top, width, height. May be fractional."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float

    @property
    def area_px(self) -> float:
        return self.width_px * self.height_px


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What the model claims to see, with a score.

    `length_px` is the longer side of the smallest rotated rectangle around it; `contour_px` is its outline in frame
    pixels as ((x, y), ...), empty where the model gives boxes only. `grid_px` is how fine that was told: the side of
    the score map's pixels, in frame pixels.
    """

    class_name: str
    score: float
    box: Box
    area_px: float
    length_px: float
    contour_px: tuple[tuple[float, float], ...] = ()
    grid_px: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Defect:
    """A finding that breaks a limit of the recipe.

    Length and width are the sides of the smallest rotated rectangle around it, the diameter that of a disc of its area;
    each with its standard uncertainty. All are None where the view has neither scale nor plane.
    """

    view: str
    finding: Finding
    region: str
    limit: str
    area_mm2: float | None = None
    length_mm: float | None = None
    width_mm: float | None = None
    diameter_mm: float | None = None
    area_uncertainty_mm2: float | None = None
    length_uncertainty_mm: float | None = None
    width_uncertainty_mm: float | None = None
    diameter_uncertainty_mm: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScoreMap:
    """A model's score per place for one class.

    `values` is float32 (h, w), finite, row-major. Map pixel (column j, row i) covers frame pixels
    x = left_px + j * step_x_px, y = top_px + i * step_y_px, each `step` wide.
    """

    class_name: str
    values: NDArray[np.float32]
    left_px: float = 0.0
    top_px: float = 0.0
    step_x_px: float = 1.0
    step_y_px: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detection:
    """A detector's whole answer for one frame: boxes or classes as findings, maps as maps.

    `score` is the model's score for the whole frame; higher is worse. An empty answer is a claim that nothing is there.
    """

    score: float
    findings: tuple[Finding, ...] = ()
    maps: tuple[ScoreMap, ...] = field(default=())

    def check(self) -> Detection:
        """Returns itself if every number in it is finite and every map is float32 (h, w): NaN is no "nothing found".

        Raises: ModelError.
        """
        if not math.isfinite(self.score):
            raise ModelError(f"the model's score is {self.score}", expected="a finite number")
        for finding in self.findings:
            box = finding.box
            numbers = (
                finding.score,
                finding.area_px,
                finding.length_px,
                box.x_px,
                box.y_px,
                box.width_px,
                box.height_px,
            )
            if not all(map(math.isfinite, numbers)):
                raise ModelError(f"finding {finding.class_name} holds {list(numbers)}", expected="finite numbers")
        for answer in self.maps:
            values = answer.values
            if values.dtype != np.float32 or values.ndim != 2 or values.size == 0:
                raise ModelError(
                    f"map {answer.class_name} is {values.dtype}{list(values.shape)}", expected="float32 (h, w)"
                )
            # min and max carry NaN and both infinities, and are several times cheaper than isfinite().all().
            if not (math.isfinite(values.min()) and math.isfinite(values.max())):
                raise ModelError(f"map {answer.class_name} holds NaN or infinity", expected="finite scores")
        return self
