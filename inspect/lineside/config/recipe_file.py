"""Reads `models/recipes/<id>.toml`: how to inspect one product. Every key is explained in docs/recipes.md."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, Strict, StringConstraints, model_validator

from lineside.config.polygon import crossing
from lineside.config.table import Id, PackageId, Table, contradiction, read_table
from lineside.config.toml_file import Problem, TomlFile, refuse
from lineside.core.calibration import COVERAGE_FACTOR
from lineside.core.identity import Identity, sha256_of_value
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import ANY, Errs, ImageKeeping, Limit, Polygon, Recipe, Region, ReviewBand, ViewRecipe

__all__ = ["MAX_DUE_MS", "RecipeTable", "read_recipe"]

MAX_DUE_MS = 60_000
"""No line waits a minute for an answer: a larger figure is a slip of units."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
IdOrAny = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z0-9][a-z0-9-]{0,63})$")]
Size = Annotated[float, Field(gt=0)]
Side = Annotated[int, Field(ge=1, le=65_535)]


def _well_formed(corners: Polygon) -> Polygon:
    if not 3 <= len(set(corners)) == len(corners):
        raise contradiction(
            f"polygon with {len(corners)} corners, {len(set(corners))} of them different",
            expected="at least 3 corners, no two the same (the last joins the first by itself)",
            remedy="correct the corners",
        )
    if crossed := crossing(corners):
        raise contradiction(
            f"polygon crosses itself: side {crossed[0] + 1} meets side {crossed[1] + 1}",
            expected="corners in the order in which one walks round",
            remedy="reorder the corners, or write two polygons",
        )
    return corners


Corner = Annotated[tuple[float, float], Strict(False)]
PolygonTable = Annotated[tuple[Corner, ...], Strict(False), Field(max_length=256), AfterValidator(_well_formed)]


class RegionTable(Table):
    """Where to look: inside any `include` and outside every `exclude`."""

    name: Id
    """Name by which limits and verdicts call the region."""
    include: Annotated[tuple[PolygonTable, ...], Strict(False)] = ()
    """Polygons [[x, y], ...] in px to look inside; none means the whole frame."""
    exclude: Annotated[tuple[PolygonTable, ...], Strict(False)] = ()
    """Polygons [[x, y], ...] in px to leave out."""
    include_mm: Annotated[tuple[PolygonTable, ...], Strict(False)] = ()
    """The same in mm on the plane of the parts."""
    exclude_mm: Annotated[tuple[PolygonTable, ...], Strict(False)] = ()
    """Polygons in mm on the plane of the parts to leave out."""


class ViewTable(Table):
    """One view: which package looks at it, what its frames must be, where to look."""

    package: PackageId
    """Model package that looks at this view: a folder in models/."""
    pixel_format: Annotated[PixelFormat, Strict(False)]
    """Pixel format of its frames by GenICam name: Mono8, Mono10, Mono12, Mono16, RGB8 or BGR8."""
    size_px: Annotated[tuple[Side, Side], Strict(False)]
    """Width and height of its frames in px."""
    locate: bool | None = None
    """Whether the package must find the part in the frame before it looks; absent: as the package does."""
    regions: Annotated[tuple[RegionTable, ...], Strict(False)] = ()
    """Regions to look at; none means one named "all" over the whole frame."""
    edge_sd_px: Annotated[float, Field(ge=0, le=100)] | None = None
    """Standard uncertainty of a finding's outline in px of the frame; absent: that of the score map's pixels alone."""
    calibration_max_age_days: Annotated[float, Field(gt=0, le=36_500)] | None = None
    """Age in days from which on a calibration of this view is warned of; absent: never."""

    @model_validator(mode="after")
    def _in_the_house(self) -> Self:
        if self.pixel_format.device_only:
            raise contradiction(
                f"pixel_format is {self.pixel_format}, which only cameras speak",
                expected="Mono8, Mono10, Mono12, Mono16, RGB8 or BGR8",
                remedy="let the station file's camera convert, and name here what it converts to",
            )
        return self


class LimitTable(Table):
    """One rule: a finding that breaks it is a defect, and a part with a defect fails."""

    name: Name
    """Name of the rule, told with every defect."""
    class_name: Annotated[Name, Field(alias="class")] = ANY
    """Class of finding that it looks at; "*" is every class."""
    view: IdOrAny = ANY
    """View that it looks at; "*" is every view."""
    region: IdOrAny = ANY
    """Region that it looks at; "*" is every region."""
    min_score: float | None = None
    """Lowest score of a finding that counts; absent: the package's own threshold."""
    max_area_mm2: Size | None = None
    """Largest area that is allowed, in mm²."""
    max_length_mm: Size | None = None
    """Largest length that is allowed, in mm."""
    max_area_px: Size | None = None
    """Largest area that is allowed, in px."""
    max_length_px: Size | None = None
    """Largest length that is allowed, in px."""
    max_count: Annotated[int, Field(ge=0, lt=1000)] = 0  # imaging.blobs.MAX_BLOBS: a higher one could never be broken
    """How many findings beyond the sizes are allowed on one part, 0 to 999."""
    errs: Errs = "reject"
    """Which side a size in mm errs on: "reject" (it may be larger), "neither" (it is), "pass" (it surely is)."""
    coverage_factor: Annotated[float, Field(ge=0, le=10)] = COVERAGE_FACTOR
    """By how many standard uncertainties it errs (k)."""

    @model_validator(mode="after")
    def _errs_about_a_size(self) -> Self:
        if self.model_fields_set & {"errs", "coverage_factor"} and self.max_area_mm2 is self.max_length_mm is None:
            raise contradiction(
                f'limit "{self.name}" says on which side it errs, and has no size in mm',
                expected="max_length_mm or max_area_mm2: only sizes in mm have an uncertainty",
                remedy="add one, or remove errs and coverage_factor",
            )
        return self


class ReviewTable(Table):
    """View scores in [from_score, to_score) are close calls: the verdict stands, and a person is asked to look."""

    from_score: float
    """Lowest view score that is a close call."""
    to_score: float
    """View score from which it is none any more."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.from_score < self.to_score:
            raise contradiction(
                f"review band from {self.from_score:g} to {self.to_score:g} holds no score",
                expected="from_score below to_score",
                remedy="exchange the two, or remove [review]",
            )
        return self


class ImagesTable(Table):
    """Which images the archive keeps: all but passes, and a share of the passes."""

    pass_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the passes whose images are kept, 0 to 1."""
    required: bool = False
    """Whether a part whose image cannot be archived is NOT_INSPECTED."""


class RecipeTable(Table):
    """A recipe file: how to inspect one product; the same at every station."""

    recipe_id: Id
    """Id of the recipe: the file's own name without .toml."""
    revision: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """Revision, raised by whoever changes the recipe."""
    product_id: Id
    """Product that it inspects; its golden parts are in calibration/golden/<product_id>/."""
    due_ms: Annotated[int, Field(ge=1, le=MAX_DUE_MS)]
    """Time from the trigger to the last moment at which the line can use the verdict, in ms."""
    views: Annotated[dict[Id, ViewTable], Field(min_length=1)]
    """Views that must all be looked at, by name."""
    limits: Annotated[tuple[LimitTable, ...], Strict(False), Field(min_length=1)]
    """Rules; a part that breaks none passes."""
    review: ReviewTable | None = None
    """Band of view scores that a person should look at; absent: none."""
    images: ImagesTable = ImagesTable()
    """Which images the archive keeps."""


def read_recipe(path: Path, *, packages: Mapping[str, str] | None = None) -> Recipe:
    """Reads and checks one recipe file; with `packages`, ids by view, as if it named those.

    The identity's SHA-256 is of the value, not of the text: comments, order and spelled-out defaults do not change it.

    Raises: ConfigError that names every problem with its line. Contradictions between tables are looked for once each
    table is well by itself.
    """
    file = TomlFile(path)
    table, problems = read_table(RecipeTable, file.value, file)
    if table is not None:
        problems = list(_contradictions(table, file))
    if table is None or problems:
        raise refuse(problems)
    return _recipe(_with_packages(table, packages) if packages else table)


def _with_packages(table: RecipeTable, packages: Mapping[str, str]) -> RecipeTable:
    views = {
        name: view.model_copy(update={"package": packages.get(name, view.package)})
        for name, view in table.views.items()
    }
    return table.model_copy(update={"views": views})


def _recipe(table: RecipeTable) -> Recipe:
    content = table.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return Recipe(
        identity=Identity(id=table.recipe_id, revision=table.revision, sha256=sha256_of_value(content)),
        product_id=table.product_id,
        due_ms=table.due_ms,
        views={
            name: ViewRecipe(
                view=name,
                package=view.package,
                pixel_format=view.pixel_format,
                width_px=view.size_px[0],
                height_px=view.size_px[1],
                regions=tuple(Region(**region.model_dump()) for region in view.regions) or (Region(name="all"),),
                locate=view.locate,
                edge_sd_px=view.edge_sd_px,
                calibration_max_age_days=view.calibration_max_age_days,
            )
            for name, view in table.views.items()
        },
        limits=tuple(Limit(**limit.model_dump()) for limit in table.limits),
        review=ReviewBand(**table.review.model_dump()) if table.review else None,
        images=ImageKeeping(**table.images.model_dump()),
    )


def _contradictions(table: RecipeTable, file: TomlFile) -> Iterator[Problem]:
    if table.recipe_id != file.path.stem:
        yield file.problem(
            ("recipe_id",),
            f'recipe_id is "{table.recipe_id}" in a file named {file.path.name}',
            expected=f'"{file.path.stem}"',
            remedy="rename the file or the recipe: stations find a recipe by its file's name",
        )
    for name, view in table.views.items():
        yield from _region_contradictions(name, view, file)
    for name, count in Counter(limit.name for limit in table.limits).items():
        if count > 1:
            last = max(index for index, limit in enumerate(table.limits) if limit.name == name)
            yield file.problem(
                ("limits", last, "name"),
                f'{count} limits are named "{name}"',
                expected="a name of its own for each limit",
                remedy="rename one: verdicts say by name which limit was broken",
            )
    for index, limit in enumerate(table.limits):
        yield from _limit_contradictions(index, limit, table, file)
    yield from _unlimited(table, file)


def _region_contradictions(name: str, view: ViewTable, file: TomlFile) -> Iterator[Problem]:
    width, height = view.size_px
    names = [region.name for region in view.regions]
    for index, region in enumerate(view.regions):
        at = ("views", name, "regions", index)
        if region.name in names[:index]:
            yield file.problem(
                (*at, "name"),
                f'view {name} has two regions named "{region.name}"',
                expected="a name of its own for each region",
                remedy="rename one, or join them: a region may have several polygons",
            )
        for kind in ("include", "exclude"):
            for place, polygon in enumerate(getattr(region, kind)):
                outside = [corner for corner in polygon if not (0 <= corner[0] <= width and 0 <= corner[1] <= height)]
                if outside:
                    yield file.problem(
                        (*at, kind, place),
                        f"corner {list(outside[0])} of region {region.name} lies outside the frame",
                        expected=f"x from 0 to {width} px and y from 0 to {height} px",
                        remedy="correct the corner or size_px",
                    )


def _limit_contradictions(index: int, limit: LimitTable, table: RecipeTable, file: TomlFile) -> Iterator[Problem]:
    at = ("limits", index)
    views = {name: view for name, view in table.views.items() if limit.view in (ANY, name)}
    if not views:
        yield file.problem(
            (*at, "view"),
            f'limit "{limit.name}" names view "{limit.view}", which the recipe does not have',
            expected=f"one of {', '.join(table.views)} or {ANY}",
            remedy="correct the view",
        )
        return
    regions = sorted({region for view in views.values() for region in _region_names(view)})
    if limit.region not in (ANY, *regions):
        yield file.problem(
            (*at, "region"),
            f'limit "{limit.name}" names region "{limit.region}", which its view does not have',
            expected=f"one of {', '.join(regions)} or {ANY}",
            remedy="correct the region",
        )
    for name, view in views.items():
        if limit.region not in (ANY, *_region_names(view)):
            continue
        for key, allowed, largest in (
            ("max_area_px", limit.max_area_px, view.size_px[0] * view.size_px[1]),
            ("max_length_px", limit.max_length_px, math.hypot(*view.size_px)),
        ):
            if allowed is not None and allowed >= largest:
                yield file.problem(
                    (*at, key),
                    f'limit "{limit.name}" can never be broken in view {name}: {key} is {allowed:g}',
                    expected=f"less than the whole frame, {largest:.0f} px",
                    remedy="lower it, remove it, or write a limit for each view",
                )


def _unlimited(table: RecipeTable, file: TomlFile) -> Iterator[Problem]:
    # A region that no limit looks at is protection in name only: every part would pass there.
    for name, view in table.views.items():
        for index, region in enumerate(_region_names(view)):
            if not any(limit.view in (ANY, name) and limit.region in (ANY, region) for limit in table.limits):
                yield file.problem(
                    ("views", name, "regions", index),
                    f"no limit looks at region {region} of view {name}",
                    expected="at least one limit for every region",
                    remedy="add a limit, or remove the region",
                )


def _region_names(view: ViewTable) -> list[str]:
    return [region.name for region in view.regions] or ["all"]
