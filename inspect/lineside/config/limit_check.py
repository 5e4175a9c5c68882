"""Limits that no finding of their packages could ever break: protection in name only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lineside.config.polygon import area
from lineside.config.toml_file import Problem, TomlFile
from lineside.core.calibration import Calibration, Plane, Scale
from lineside.core.errors import ConfigError
from lineside.core.fit import views_of
from lineside.core.recipe import ANY, Limit, Polygon, Recipe, ViewRecipe
from lineside.detectors.declaration import DeclaredPackage
from lineside.imaging.lens import places_of
from lineside.imaging.regions_mm import in_pixels

__all__ = ["limit_problems"]


def limit_problems(
    recipe: Recipe, calibration: Calibration, packages: Mapping[str, DeclaredPackage], file: TomlFile
) -> Iterator[Problem]:
    """Every limit of `file` that could not be broken in one of the views that it covers, and every view whose regions
    in mm are not all seen. `packages` are by view.
    """
    seen: dict[str, ViewRecipe] = {}
    for name, wanted in recipe.views.items():
        try:
            seen[name] = in_pixels(wanted, calibration.ruler(name))
        except ConfigError as error:
            yield file.problem(("views", name, "regions"), error.what, expected=error.expected, remedy=error.remedy)
    for index, limit in enumerate(recipe.limits):
        views = [view for view in views_of(limit, recipe) if view in packages]
        for view in views:
            package = packages[view]
            yield from _score_problems(index, limit, package, file)
            if limit.has_size and package.has_maps and view in seen:
                yield from _size_problems(index, limit, seen[view], calibration.ruler(view), file)
        most = sum(packages[view].most_findings(limit.class_name) for view in views)
        if 0 < most <= limit.max_count:  # none at all: a class that nobody finds, which is told as that
            yield file.problem(
                ("limits", index, "max_count"),
                f'limit "{limit.name}" can never be broken: max_count is {limit.max_count}',
                expected=f"less than {most:g}: the packages of its views report no more findings for a part",
                remedy="lower max_count",
            )


def _score_problems(index: int, limit: Limit, package: DeclaredPackage, file: TomlFile) -> Iterator[Problem]:
    if limit.min_score is not None and limit.min_score < package.min_score:
        yield file.problem(
            ("limits", index, "min_score"),
            f'limit "{limit.name}" asks for scores from {limit.min_score:g}',
            expected=f"at least {package.min_score:g}: package {package.identity.id} reports none below",
            remedy="raise min_score, or pack the graph with a lower one",
        )
    if limit.min_score is not None and limit.min_score > package.highest_score:
        yield file.problem(
            ("limits", index, "min_score"),
            f'limit "{limit.name}" can never be broken: min_score is {limit.min_score:g}',
            expected=f"at most {package.highest_score:g}: package {package.identity.id} scores with probabilities",
            remedy="lower min_score",
        )


def _size_problems(
    index: int, limit: Limit, view: ViewRecipe, ruler: Scale | Plane | None, file: TomlFile
) -> Iterator[Problem]:
    """Findings of a score map end at the region's edge, so none is larger than the region."""
    polygons = _polygons(view, limit.region)
    if not polygons and not isinstance(ruler, Plane):
        return  # the whole frame: told by who reads the recipe, or the scale
    width, height = view.width_px, view.height_px
    polygons = polygons or [((0, 0), (width, 0), (width, height), (0, height))]
    held_px, long_px = _extent(polygons)
    held_mm2, long_mm = _extent([_on_part(polygon, ruler) for polygon in polygons]) if ruler else (math.inf, math.inf)
    where = f"region {limit.region}" if limit.region != ANY else "the regions together"
    for key, allowed, held, unit in (
        ("max_area_px", limit.max_area_px, held_px, "px"),
        ("max_length_px", limit.max_length_px, long_px, "px"),
        ("max_area_mm2", limit.max_area_mm2, held_mm2, "mm²"),
        ("max_length_mm", limit.max_length_mm, long_mm, "mm"),
    ):
        if allowed is not None and allowed >= held:
            yield file.problem(
                ("limits", index, key),
                f'limit "{limit.name}" allows whatever fits into {where} of view {view.view}: {key} is {allowed:g}',
                expected=f"less than {held:.4g} {unit}",
                remedy="lower it or remove it",
            )


def _extent(polygons: Sequence[Polygon]) -> tuple[float, float]:
    """Area of all together, and the longest line that could lie in them."""
    corners = [corner for polygon in polygons for corner in polygon]
    across, down = (max(axis) - min(axis) for axis in zip(*corners, strict=True))
    return sum(map(area, polygons)), math.hypot(across, down)


def _on_part(polygon: Polygon, ruler: Scale | Plane) -> Polygon:
    """The polygon in mm."""
    if isinstance(ruler, Scale):
        return tuple((x * ruler.mm_per_px, y * ruler.mm_per_px) for x, y in polygon)
    places = places_of(np.array(polygon, np.float64) - 0.5, ruler)
    return tuple((float(x), float(y)) for x, y in places)


def _polygons(view: ViewRecipe, region: str) -> list[Polygon]:
    """What the region is made of (`ANY`: all regions); empty where that is the whole frame. What is left out again is
    not looked at: it could only make the region smaller.
    """
    parts = [part for part in view.regions if region in (ANY, part.name)]
    return [polygon for part in parts for polygon in part.include] if all(part.include for part in parts) else []
