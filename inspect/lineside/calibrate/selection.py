"""Which pictures of a target a lens can be measured from, and why the others are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.detection import Found
from lineside.core.errors import ConfigError

__all__ = ["LeftOut", "Selection", "alike", "check_enough", "coverage_of", "select"]

MIN_PICTURES = 8
"""Each brings six unknowns of its own; fewer leave the lens to chance. Ten to fifteen are better."""

SIMILAR_SHARE = 0.02
"""Two pictures whose points differ by less than this share of the diagonal say the same thing twice."""

GRID = (8, 6)
"""Cells across and down that coverage is counted in."""

MIN_COVERAGE = 0.5
"""Outside the cells that were covered the distortion is a guess."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """One picture that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The pictures that are used and those that are not, each in the order given."""

    used: tuple[Found, ...]
    left_out: tuple[LeftOut, ...]


def select(pictures: Sequence[Found], size_px: tuple[int, int]) -> Selection:
    """Leaves out what shows too little, is blurred or says nothing new.

    Raises: ConfigError, with every picture's reason, when too few are left or they cover too little of the frame.
    """
    used: list[Found] = []
    left_out: list[LeftOut] = []
    for picture in pictures:
        if picture.trouble:
            left_out.append(LeftOut(name=picture.name, reason=picture.trouble))
        elif twin := next((each for each in used if alike(each, picture, size_px)), None):
            left_out.append(LeftOut(name=picture.name, reason=f"too similar to {twin.name}"))
        else:
            used.append(picture)
    selection = Selection(used=tuple(used), left_out=tuple(left_out))
    check_enough(selection, size_px)
    return selection


def check_enough(selection: Selection, size_px: tuple[int, int]) -> None:
    """Raises: ConfigError when the pictures that are left cannot tell the lens."""
    used = selection.used
    if len(used) < MIN_PICTURES:
        reasons = "".join(f"\n{each.name}: {each.reason}" for each in selection.left_out)
        raise ConfigError(
            f"{len(used)} of {len(used) + len(selection.left_out)} pictures are of use{reasons}",
            expected=f"at least {MIN_PICTURES}, each from another place",
            remedy="take more: target sharp, evenly lit, tilted by 20 to 40° to each side, in every corner",
        )
    covered = float((coverage_of(used, size_px) > 0).mean())
    if covered < MIN_COVERAGE:
        raise ConfigError(
            f"the target was seen in {covered:.0%} of the frame",
            expected=f"at least {MIN_COVERAGE:.0%}",
            remedy="take pictures with the target near the edges and corners of the frame, or nearer to the camera",
        )


def coverage_of(pictures: Sequence[Found], size_px: tuple[int, int]) -> NDArray[np.intp]:
    """How many points lie in each cell of the frame: int (rows, columns)."""
    points = np.concatenate([picture.points_px for picture in pictures])
    edges = [np.linspace(-0.5, side - 0.5, cells + 1) for side, cells in zip(size_px, GRID, strict=True)]
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=[edges[1], edges[0]])
    return np.asarray(counts, np.intp)


def alike(one: Found, other: Found, size_px: tuple[int, int]) -> bool:
    """Whether two pictures show the target in nearly the same place."""
    _, first, second = np.intersect1d(one.ids, other.ids, assume_unique=True, return_indices=True)
    if len(first) < min(len(one.ids), len(other.ids)) // 2:
        return False
    moved = np.linalg.norm(one.points_px[first] - other.points_px[second], axis=1)
    return bool(moved.mean() < SIMILAR_SHARE * np.hypot(*size_px))
