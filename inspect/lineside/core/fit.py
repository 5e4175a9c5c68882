"""Whether a recipe, the models that it names and a station's calibration fit each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Protocol

from lineside.core.calibration import Calibration, Scale
from lineside.core.errors import ConfigError
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import ANY, Limit, Recipe, ViewRecipe

__all__ = ["KnownModel", "misfits", "views_of"]

Key = tuple[str | int, ...]


class KnownModel(Protocol):
    """What must be known of a model before it looks at parts: a package and a loaded detector both tell it."""

    @property
    def identity(self) -> Identity: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    def check_frames(self, pixel_format: PixelFormat, width_px: int, height_px: int) -> None:
        """Raises: ConfigError with expected and got."""
        ...


def views_of(limit: Limit, recipe: Recipe) -> tuple[str, ...]:
    """The views that a limit looks at: those that it means and that have its region."""
    return tuple(
        name
        for name, view in recipe.views.items()
        if limit.view in (ANY, name) and (limit.region == ANY or limit.region in {part.name for part in view.regions})
    )


def misfits(
    recipe: Recipe, calibration: Calibration, models: Mapping[str, KnownModel]
) -> Iterator[tuple[Key, ConfigError]]:
    """Everything that does not fit, each with the key of the recipe file where it stands. `models` are by view."""
    for name, view in recipe.views.items():
        if name not in models:
            yield (
                ("views", name),
                ConfigError(f"view {name} has no model", expected=f"the package {view.package}", remedy="load it"),
            )
            continue
        try:
            models[name].check_frames(view.pixel_format, view.width_px, view.height_px)
        except ConfigError as error:
            yield (("views", name), error)
        yield from _calibration_misfits(view, calibration)
    for index, limit in enumerate(recipe.limits):
        views = views_of(limit, recipe)
        known = sorted({known for view in views if view in models for known in models[view].class_names})
        if not views:
            yield (
                ("limits", index),
                ConfigError(
                    f'limit "{limit.name}" looks at region "{limit.region}" of view "{limit.view}", which there is not',
                    expected="a view and a region of the recipe",
                    remedy="correct the limit",
                ),
            )
        elif limit.class_name not in (ANY, *known):
            yield (
                ("limits", index, "class"),
                ConfigError(
                    f'limit "{limit.name}" is about class "{limit.class_name}", which no model of its views can find',
                    expected=f"one of {', '.join(known)} or {ANY}",
                    remedy="correct the class, or use a package that finds it",
                ),
            )
        for name in views:
            yield from _scale_misfits(index, limit, name, recipe, calibration)


def _calibration_misfits(view: ViewRecipe, calibration: Calibration) -> Iterator[tuple[Key, ConfigError]]:
    """A calibration holds for frames of one size, a flat field for one pixel format too."""
    plane, flat = calibration.planes.get(view.view), calibration.flats.get(view.view)
    wanted = f"{view.width_px}x{view.height_px} px"
    got: list[tuple[str, str, str]] = []
    if plane is not None:
        got.append(("plane", "x".join(map(str, plane.lens.size_px)) + " px", wanted))
    if flat is not None:
        height, width = flat.offset.shape[:2]
        got.append(("flat field", f"{flat.pixel_format} {width}x{height} px", f"{view.pixel_format} {wanted}"))
    for what, calibrated, expected in got:
        if calibrated != expected:
            yield (
                ("views", view.view),
                ConfigError(
                    f"the {what} of view {view.view} was calibrated with frames in {calibrated}",
                    expected=f"{expected}, as the recipe declares",
                    remedy="calibrate the camera as the recipe has it, or use a recipe for this camera",
                ),
            )


def _scale_misfits(
    index: int, limit: Limit, view: str, recipe: Recipe, calibration: Calibration
) -> Iterator[tuple[Key, ConfigError]]:
    if not limit.needs_scale:
        return
    ruler = calibration.ruler(view)
    if ruler is None:
        yield (
            ("limits", index),
            ConfigError(
                f'limit "{limit.name}" is in mm, and view {view} has no scale at station {calibration.identity.id}',
                expected=f"[calibrations.{view}] with its plane in the station file, or mm_per_px in [scales.{view}]",
                remedy="run `lineside calibrate plane`, or set the limit in px",
            ),
        )
    # How much a camera sees of a plane, which may be tilted: lineside.config.limit_check
    if not isinstance(ruler, Scale):
        return
    scale = ruler
    width_mm, height_mm = (
        size * scale.mm_per_px for size in (recipe.views[view].width_px, recipe.views[view].height_px)
    )
    for key, allowed, largest, unit in (
        ("max_length_mm", limit.max_length_mm, math.hypot(width_mm, height_mm), "mm"),
        ("max_area_mm2", limit.max_area_mm2, width_mm * height_mm, "mm²"),
    ):
        if allowed is not None and allowed >= largest:
            yield (
                ("limits", index, key),
                ConfigError(
                    f'limit "{limit.name}" can never be broken in view {view}: {key} is {allowed:g}',
                    expected=f"less than the whole frame, {largest:.4g} {unit} at {scale.mm_per_px:g} mm per px",
                    remedy="lower it, or correct the scale",
                ),
            )
