"""How to inspect one product; the same at every station."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lineside.core.calibration import COVERAGE_FACTOR
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.verdict import Judgement, Outcome

__all__ = ["ANY", "Errs", "ImageKeeping", "Limit", "Polygon", "Recipe", "Region", "ReviewBand", "ViewRecipe"]

ANY = "*"
"""Stands for every class, every view or every region in a limit."""

Polygon = tuple[tuple[float, float], ...]
"""Corners, ((x, y), ...), at least three: in frame pixels, or in mm on the plane of the parts."""

Errs = Literal["reject", "neither", "pass"]
"""On which side of the uncertainty a limit in mm errs: a size counts when it may be larger, is, or surely is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """Where to look: inside any `include` polygon (the whole frame if there is none) and outside every `exclude`.

    The polygons in mm are on the plane of the parts, as its calibration target lay: x across it, y down it.
    """

    name: str
    include: tuple[Polygon, ...] = ()
    exclude: tuple[Polygon, ...] = ()
    include_mm: tuple[Polygon, ...] = ()
    exclude_mm: tuple[Polygon, ...] = ()

    @property
    def in_mm(self) -> bool:
        """True when it needs the plane of the parts."""
        return bool(self.include_mm or self.exclude_mm)


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewRecipe:
    """One view: which package looks at it, what its frames must be, where to look.

    `regions` always has at least one; a recipe file without regions means one named "all" over the whole frame.
    `locate` says whether the package must find the part in the frame before it looks; None leaves it to the package.
    `edge_sd_px` is the standard uncertainty of where the outline of a finding lies; None: that of the pixels of its
    score map alone. A calibration older than `calibration_max_age_days` is warned of; None: never.
    """

    view: str
    package: str
    pixel_format: PixelFormat
    width_px: int
    height_px: int
    regions: tuple[Region, ...] = (Region(name="all"),)
    locate: bool | None = None
    edge_sd_px: float | None = None
    calibration_max_age_days: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """One rule. It looks at findings of `class_name` in `region` of `view` with a score of at least `min_score`
    (None: the package's own threshold).

    With sizes set, a finding breaks it when larger than one of them; else every finding counts. The limit is broken
    when more than `max_count` findings count; then each of those is a defect. A size in mm is held against its limit
    with `coverage_factor` standard uncertainties on the side that `errs` names.
    """

    name: str
    class_name: str = ANY
    view: str = ANY
    region: str = ANY
    min_score: float | None = None
    max_area_mm2: float | None = None
    max_length_mm: float | None = None
    max_area_px: float | None = None
    max_length_px: float | None = None
    max_count: int = 0
    errs: Errs = "reject"
    coverage_factor: float = COVERAGE_FACTOR

    @property
    def has_size(self) -> bool:
        """True when the limit is about size."""
        return any(
            size is not None for size in (self.max_area_mm2, self.max_length_mm, self.max_area_px, self.max_length_px)
        )

    @property
    def needs_scale(self) -> bool:
        """True when the limit is in millimetres, so that its views need a scale."""
        return self.max_area_mm2 is not None or self.max_length_mm is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewBand:
    """View scores in [from_score, to_score) are close calls: the verdict stands, and a person is asked to look."""

    from_score: float
    to_score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageKeeping:
    """Which images the archive keeps: all but passes, and a share of the passes (0 to 1)."""

    pass_share: float = 0.0
    required: bool = False
    """With `required`, a part whose image cannot be archived is NOT_INSPECTED(ARCHIVE_FAILED)."""

    def keeps(self, image_id: str, judgement: Judgement) -> bool:
        """Whether that image is to be archived. Which passes belong to the share follows from the image's id alone."""
        if judgement.outcome is not Outcome.PASS or judgement.review:
            return True
        return zlib.crc32(image_id.encode()) / 0x1_0000_0000 < self.pass_share


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to inspect one product."""

    identity: Identity
    product_id: str
    due_ms: int
    views: Mapping[str, ViewRecipe]
    limits: tuple[Limit, ...]
    review: ReviewBand | None = None
    images: ImageKeeping = field(default_factory=ImageKeeping)
