"""Learns from good pictures how to find a part, in the way that is asked for or that fits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.locate import EdgesPattern, OutlinePattern, PartPattern, RoundPattern
from lineside.train.locate_fit_edges import Region, fit_edges
from lineside.train.locate_fit_outline import fit_outline, ground_contrast
from lineside.train.locate_fit_round import fit_round, roundness
from lineside.train.locate_trial import Trial

__all__ = ["LocateBy", "LocateOrder", "fit_locate"]

LocateBy = Literal["auto", "outline", "round", "edges"]

_ROUND: Final = 0.94
"""What fills its smallest circle so far is round: a square fills 0.64 of it, a hexagon 0.83."""

_SQUARE: Final = 1.2
"""Sides of an outline that differ by less may be those of a round part."""

AnyTrial = Trial[OutlinePattern] | Trial[RoundPattern] | Trial[EdgesPattern]


@dataclass(frozen=True, kw_only=True, slots=True)
class LocateOrder:
    """How parts are to be found. `region` is where the part is in the first picture, by edges only."""

    by: LocateBy = "auto"
    region: Region | None = None


def fit_locate(pictures: Sequence[Pixels], pixel_format: PixelFormat, order: LocateOrder | None = None) -> PartPattern:
    """The pattern by which parts are found, from frames of good parts. Raises: ConfigError where they are not found."""
    order = order or LocateOrder()
    refusals: list[str] = []

    def found(by: LocateBy) -> AnyTrial | None:
        try:
            trial = _trial(pictures, pixel_format, replace(order, by=by))
        except ConfigError as error:
            if order.by != "auto" or order.region is not None:
                raise
            refusals.append(f"by {by}: {error.what}")
            return None
        if trial.finds:
            return trial
        refusals.append(f"by {by} only {len(trial.correlations)} of {trial.count} good parts were found: {trial.why}")
        return None

    for by in _ways(pictures, pixel_format, order):
        trial = found(by)
        if trial is not None and order.by == "auto" and _may_be_round(trial):
            # A round part that fills the picture, or whose ground has its colour, is not told by its outline.
            as_round = found("round")
            trial = as_round if as_round is not None and as_round.worst > trial.worst else trial
        if trial is not None:
            return replace(trial.pattern, min_correlation=trial.least)
    raise ConfigError(
        "; ".join(refusals),
        expected="one part in each picture, wholly in it: on a ground of another brightness or colour, or round, "
        "or with edges that are alike",
        remedy="look at the pictures, or train without locating parts",
    )


def _may_be_round(trial: AnyTrial) -> bool:
    """Located by an outline that is about as wide as high."""
    pattern = trial.pattern
    return isinstance(pattern, OutlinePattern) and max(pattern.size_px) < _SQUARE * min(pattern.size_px)


def _ways(pictures: Sequence[Pixels], pixel_format: PixelFormat, order: LocateOrder) -> Sequence[LocateBy]:
    """In the order in which they are tried: a round part has no outline that tells its angle."""
    if order.by != "auto":
        return (order.by,)
    if order.region is not None:
        return ("edges",)
    contrast = ground_contrast(pictures, pixel_format)
    is_round = float(np.median([roundness(pixels, contrast) for pixels in pictures])) >= _ROUND
    return ("round", "outline", "edges") if is_round else ("outline", "round", "edges")


def _trial(pictures: Sequence[Pixels], pixel_format: PixelFormat, order: LocateOrder) -> AnyTrial:
    if order.region is not None and order.by != "edges":
        raise ConfigError(f"a region for locating by {order.by}", expected="none: it is for locating by edges")
    if order.by == "outline":
        return fit_outline(pictures, pixel_format)
    if order.by == "round":
        return fit_round(pictures, pixel_format)
    return fit_edges(pictures, order.region)
