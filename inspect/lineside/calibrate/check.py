"""The daily check: one picture of the target or of a golden part, held against what was calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.check_light import light_items
from lineside.calibrate.detection import Found, find_target, grey_of, white_beside
from lineside.calibrate.plane_fit import Declared, fit_plane
from lineside.calibrate.target import Target
from lineside.config.calibration_check import CheckItem, CheckTable
from lineside.config.calibration_file import CalibrationFile, plane_of
from lineside.core.calibration import Plane
from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.lens import mm_per_px, places_of
from lineside.imaging.light_grid import light_of, placement_of

__all__ = ["Checked", "check_part", "check_target"]

Floats = NDArray[np.float64]

NATURAL = 4.0
"""A change within so many standard deviations of the good pictures is natural: one day in ten thousand is beyond."""

MISFIT = 3.0
"""Points that lie this many times farther off than at the calibration are seen through another lens."""

_CAMERA = "see whether camera, lens or mount was touched; tighten it, and calibrate lens and plane again"
_FOCUS = "clean lens and window, set the focus again and lock it; then calibrate lens and plane again"
_LAMP = (
    "clean lamp and window, see whether the lamp has aged or its setting was changed; then calibrate the light again"
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checked:
    """What was looked at, and the points that were found, float64 (N, 2) px."""

    items: tuple[CheckItem, ...]
    points_px: Floats


def check_target(
    pixels: Pixels,
    plane_file: CalibrationFile,
    lens_file: CalibrationFile,
    target: Target,
    limits: CheckTable,
) -> Checked:
    """Holds one picture of the target against the calibrations of plane and lens. Raises: ConfigError."""
    told = plane_file.table
    if told.target is None or told.target.sha256 != target.identity.sha256:
        was = f"{told.target.id} revision {told.target.revision}" if told.target else "none"
        raise ConfigError(
            f"target {target.identity.id} revision {target.identity.revision}",
            expected=f"{was}, with which the plane was calibrated",
            remedy="show that print, or calibrate the plane with this one",
        )
    pixel_format = PixelFormat(told.camera.pixel_format)
    found = find_target("picture", grey_of(pixels, pixel_format), target, told.target.scale)
    if found.trouble:
        return Checked(items=(_not_seen(found),), points_px=found.points_px)
    plane = plane_of(plane_file, lens_file)
    items = [*_geometry(found, plane, plane_file, limits), *_focus(found, plane_file, limits)]
    items += _white(found, pixels, pixel_format, plane_file, limits)
    return Checked(items=tuple(items), points_px=found.points_px)


def _not_seen(found: Found) -> CheckItem:
    todo = "lay the target where the parts lie, in full view, clean, in focus and lit as for the parts; check again"
    return CheckItem(name="target", change=1.0, limit=0.0, unit="", words=found.trouble, todo=todo)


def _geometry(found: Found, plane: Plane, file: CalibrationFile, limits: CheckTable) -> list[CheckItem]:
    face = replace(plane, height_mm=0.0)  # the target lies on the plane itself, the parts' face above it
    seen, true = places_of(found.points_px, face), found.points_mm
    scale, rotation_deg = _similarity(true, seen)
    moved = seen.mean(axis=0) - true.mean(axis=0)
    size = float(mm_per_px(np.asarray(found.points_px.mean(axis=0, keepdims=True)), face)[0])
    shift_px = float(np.linalg.norm(moved) / size)
    today, usual_px = fit_plane(found, plane.lens, Declared(print_uncertainty=0.0)), file.table.residuals["sd_px"]
    tilt_deg = _angle_deg(plane.rotation_rad, today.plane.rotation_rad)
    place = limits.same_place
    return [
        CheckItem(
            name="scale", change=100 * (scale - 1), limit=100 * limits.max_scale, unit="%", todo=_CAMERA,
            words=f"{size * scale:.5f} mm per px where {size:.5f} were calibrated",
        ),
        CheckItem(
            name="shift", change=shift_px, limit=limits.max_shift_px, unit="px", judged=place,
            words=f"{moved[0]:+.3f} mm across, {moved[1]:+.3f} mm down" + _anywhere(place),
            todo="see whether the target lies in its place; if so: " + _CAMERA,
        ),
        CheckItem(
            name="rotation", change=rotation_deg, limit=limits.max_rotation_deg, unit="°", judged=place,
            words="about the optical axis" + _anywhere(place),
            todo="see whether the target lies in its place; if so: " + _CAMERA,
        ),
        CheckItem(
            name="tilt", change=tilt_deg, limit=limits.max_tilt_deg, unit="°", words="between camera and plane",
            todo="see whether the target lies flat; if so: " + _CAMERA,
        ),
        CheckItem(
            name="fit", change=today.sd_px, limit=max(MISFIT * usual_px, 0.3), unit="px",
            words=f"scatter of the points; {usual_px:.3f} px at the calibration",
            todo="see whether the target lies flat; if so, lens or focus were changed: calibrate lens and plane again",
        ),
    ]  # fmt: skip


def _anywhere(same_place: bool) -> str:
    return "" if same_place else "; not judged: the target may lie anywhere"


def _similarity(true: Floats, seen: Floats) -> tuple[float, float]:
    """Scale, and rotation in degrees, that bring `true` nearest to `seen`, both (N, 2)."""
    a, b = (points - points.mean(axis=0) for points in (true, seen))
    one, other = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    factor = (np.conj(one) @ other) / (np.conj(one) @ one).real
    return float(abs(factor)), float(np.rad2deg(np.angle(factor)))


def _angle_deg(one: Sequence[float], other: Sequence[float]) -> float:
    first, second = (cv2.Rodrigues(np.array(rotation))[0][:, 2] for rotation in (one, other))
    return float(np.rad2deg(np.arccos(np.clip(float(first @ second), -1, 1))))


def _focus(found: Found, file: CalibrationFile, limits: CheckTable) -> list[CheckItem]:
    was = file.table.settings.get("edge_px")
    if not isinstance(was, float) or was <= 0:
        return [_unknown("focus", "%", "the plane's calibration is of an older version: calibrate it again")]
    return [
        CheckItem(
            name="focus", change=100 * (found.edge_px / was - 1), limit=100 * limits.max_blur, unit="%", todo=_FOCUS,
            words=f"edges are {found.edge_px:.2f} px wide, {was:.2f} px at the calibration",
        )
    ]  # fmt: skip


def _white(
    found: Found, pixels: Pixels, pixel_format: PixelFormat, file: CalibrationFile, limits: CheckTable
) -> list[CheckItem]:
    known = file.arrays.get("white")
    if known is None:
        return [_unknown("brightness", "%", "the plane's calibration is of an older version: calibrate it again")]
    was_ids = file.arrays["points"][:, 1].astype(np.intp)
    _, mine, theirs = np.intersect1d(found.ids, was_ids, assume_unique=True, return_indices=True)
    now, was = white_beside(pixels, pixel_format, found.points_px)[mine], known[theirs]
    order = slice(None) if pixel_format is not PixelFormat.BGR8 else slice(None, None, -1)
    ratio = now.mean(axis=1) / np.maximum(was.mean(axis=1), 1e-6)
    return light_items(
        float(was.mean()), float(now.mean()), was.mean(axis=0)[order], now.mean(axis=0)[order],
        float(np.abs(_calmed(ratio / np.median(ratio) - 1)).max()), "beside one of its points", limits, [0.0] * 3,
        judged=limits.same_place,
    )  # fmt: skip


def _calmed(values: Floats) -> Floats:
    """Single points aside: a speck on the target is no change of light."""
    return np.asarray(np.percentile(values, [2, 98]))


def check_part(pixels: Pixels, light_file: CalibrationFile, limits: CheckTable, plane: Plane | None = None) -> Checked:
    """Holds one picture of a golden part against the light. `plane` tells shifts in mm. Raises: ConfigError."""
    table = light_file.table
    if table.light is None:
        raise ConfigError(f"{light_file.path} is of kind {table.kind}", expected='a calibration of kind "light"')
    pixel_format = PixelFormat(table.camera.pixel_format)
    now, was, scatter = light_of(pixels, pixel_format, table.light.grid).values, *_arrays(light_file)
    whole, sds = light_file.arrays["whole_scatter"], table.residuals
    spread = (1 + 1 / table.light.pictures) ** 0.5 * NATURAL
    items = _place(grey_of(pixels, pixel_format), light_file, plane, limits)
    sharp = float(now[1].mean() / max(was[1].mean(), 1e-9) - 1)
    items.append(
        CheckItem(
            name="focus", change=100 * sharp, unit="%", todo=_FOCUS,
            limit=100 * max(limits.max_blur, spread * sds["sharpness_sd"] / max(float(was[1].mean()), 1e-9)),
            words=f"sharpness {now[1].mean():.4f}, {was[1].mean():.4f} in good pictures",
        )
    )  # fmt: skip
    ratio = (now[0] / np.maximum(was[0], 1e-6)) / (now[0].mean() / was[0].mean())
    natural = [
        spread * float(whole[0] / was[0].mean()),
        spread * float(whole[2:].max()) if len(whole) > 2 else 0.0,
        spread * float(np.median(scatter[0] / np.maximum(was[0], 1e-6))),
    ]
    items += light_items(
        float(was[0].mean()), float(now[0].mean()), was[2:].mean(axis=(1, 2)), now[2:].mean(axis=(1, 2)),
        float(np.abs(ratio - 1).max()), _region(np.abs(ratio - 1)), limits, natural, judged=True,
    )  # fmt: skip
    return Checked(items=tuple(items), points_px=np.zeros((0, 2)))


def _arrays(file: CalibrationFile) -> tuple[Floats, Floats]:
    if missing := {"mean", "scatter", "whole_scatter", "reference", "placed"} - file.arrays.keys():
        raise ConfigError(f"{file.path}: no array {', '.join(sorted(missing))}", remedy="calibrate the light anew")
    return file.arrays["mean"], file.arrays["scatter"]


def _region(away: Floats) -> str:
    row, column = divmod(int(away.argmax()), away.shape[1])
    return f"in region {column + 1} across, {row + 1} down"


def _place(grey: NDArray[np.uint8], file: CalibrationFile, plane: Plane | None, limits: CheckTable) -> list[CheckItem]:
    sds = file.table.residuals
    placement = placement_of(grey, file.arrays["reference"])
    if placement is None:
        return [
            CheckItem(
                name="place", change=1.0, limit=0.0, unit="",
                words="the picture does not show what the reference shows, in nearly the same place",
                todo="lay the golden part in its place; if it lies there: " + _CAMERA,
            )
        ]  # fmt: skip
    placed = file.arrays.get("placed")
    usual = (
        np.nanmean(placed, axis=0) if placed is not None and not np.isnan(placed).all() else np.array([0, 0, 0, 1.0])
    )
    x, y = placement.shift_x_px - usual[0], placement.shift_y_px - usual[1]
    middle = np.array([[(grey.shape[1] - 1) / 2, (grey.shape[0] - 1) / 2]])
    in_mm = f", {np.hypot(x, y) * float(mm_per_px(middle, plane)[0]):.3f} mm" if plane else ""
    natural_px = NATURAL * max(sds.get("shift_x_px_sd", 0.0), sds.get("shift_y_px_sd", 0.0))
    return [
        CheckItem(
            name="scale", change=100 * (placement.scale / usual[3] - 1), unit="%", todo=_CAMERA,
            limit=100 * max(limits.max_scale, NATURAL * sds.get("scale_sd", 0.0)), words="size of the part in it",
        ),
        CheckItem(
            name="shift", change=float(np.hypot(x, y)), limit=max(limits.max_shift_px, natural_px), unit="px",
            words=f"{x:+.2f} px across, {y:+.2f} px down{in_mm}",
            todo="see whether the golden part lies in its place; if so: " + _CAMERA,
        ),
        CheckItem(
            name="rotation", change=placement.rotation_deg - float(usual[2]), unit="°",
            limit=max(limits.max_rotation_deg, NATURAL * sds.get("rotation_deg_sd", 0.0)), words="in the picture",
            todo="see whether the golden part lies in its place; if so: " + _CAMERA,
        ),
    ]  # fmt: skip


def _unknown(name: str, unit: str, why: str) -> CheckItem:
    return CheckItem(name=name, change=0.0, limit=0.0, unit=unit, judged=False, words=f"not told: {why}")
