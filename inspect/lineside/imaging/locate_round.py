"""Finds a round part in any rotation, on any ground, and unrolls it: angle across, distance from its centre down.

In order: the reference, averaged over all angles, is a picture without an angle, which is searched for as it is; along
72 rays the reference's rings are looked for, and where they lie gives centre and radius to a fraction of a pixel
though some of the rim be missing; the best circular shift to the reference gives the angle of a part with marks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import NotLocated
from lineside.core.frame import Pixels
from lineside.imaging.align import Planes, grey
from lineside.imaging.located import LOCATE_REMEDY, Located, misfit
from lineside.imaging.pose import PolarPose

__all__ = ["MARGIN", "RoundPattern", "around_radius", "best_turn", "locate_round", "unrolled"]

MARGIN: Final = 0.1
"""Of ground around the part, as a share of its radius: what sticks out where nothing should is seen."""

_SEARCH_RADIUS_PX: Final = 32
_FINE_RADIUS_PX: Final = 96
"""Radii at which the part is searched for, and at which its rings are looked for along rays."""

_SIZES: Final = (0.95, 1.0, 1.05)
_RAYS: Final = 72
_RAY_REACH: Final = 0.08
"""How far along a ray a ring may be from where it should be, as a share of the radius."""
_ROUNDS: Final = 4
_TURN_COLUMNS: Final = 360
_TURN_ROWS: Final = 48
_MOST_OUTSIDE: Final = 0.1
"""Of the radius may lie outside the picture."""
_ANOTHER: Final = 0.92
"""A second place that is as much like the part as this share of the first is a second part."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RoundPattern:
    """What the part looks like unrolled.

    `reference` (rows, columns) or (rows, columns, 3) is a good part as pixels of the frames' format: one row for each
    px from the centre to a little beyond `radius_px`. `marked`: its marks give it an angle; else all angles are alike.
    """

    reference: Pixels
    radius_px: float
    marked: bool
    min_correlation: float


def locate_round(pixels: Pixels, pattern: RoundPattern) -> Located:
    """Finds the part; `pixels` are a frame of the reference's format. Raises: NotLocated with the reason why not."""
    rows, columns = pattern.reference.shape[:2]
    frame, profile = grey(pixels), grey(pattern.reference).mean(axis=1)
    pose = _refined(frame, _nearest(frame, profile, pattern, columns), profile, pattern.radius_px)
    _check_inside(pose, pattern.radius_px, frame.shape)
    if pattern.marked:
        shift = best_turn(grey(pattern.reference), grey(pose.seen(pixels, (columns, rows))))[0]
        pose = replace(pose, zero_deg=(pose.zero_deg + shift * 360 / columns) % 360)
    seen = pose.seen(pixels, (columns, rows))
    wanted = grey(pattern.reference) if pattern.marked else np.repeat(profile[:, None], columns, axis=1)
    correlation = _likeness(wanted, grey(seen))
    if correlation < pattern.min_correlation:
        raise misfit(correlation, pattern.min_correlation)
    return Located(pixels=seen, pose=pose, correlation=correlation)


def unrolled(pixels: Pixels, centre_px: tuple[float, float], radius_px: float) -> Pixels:
    """A round part at a known place as a reference, about as many pixels as it has in the frame."""
    rows = max(16, round(radius_px * (1 + MARGIN)))
    pose = PolarPose(centre_px=centre_px, px_per_row=1.0, zero_deg=0.0, columns=around_radius(radius_px))
    picture: Pixels = pose.seen(pixels, (pose.columns, rows))
    return picture


def around_radius(radius_px: float) -> int:
    """Columns of a part's picture: pixels are square at two thirds of its radius."""
    return max(64, round(2 * math.pi * radius_px * 2 / 3))


def best_turn(wanted: Planes, seen: Planes) -> tuple[float, float]:
    """By how many columns what is on `seen` lies further than on `wanted`, and their correlation then.

    What all angles have in common counts for nothing in it.
    """
    columns = wanted.shape[1]
    first, second = (_marks(each) for each in (wanted, seen))
    spectrum = np.fft.rfft(second, axis=1) * np.conj(np.fft.rfft(first, axis=1))
    likeness = np.fft.irfft(spectrum.sum(axis=0), _TURN_COLUMNS)
    norm = math.sqrt(float(np.square(first).sum()) * float(np.square(second).sum()))
    if norm < 1e-6:
        return 0.0, 0.0
    place = int(likeness.argmax())
    place_px = place + _peak(likeness[place - 1], likeness[place], likeness[(place + 1) % _TURN_COLUMNS])
    return place_px * columns / _TURN_COLUMNS, float(likeness[place]) / norm


def _marks(picture: Planes) -> NDArray[np.float64]:
    """(rows, 360) without what is the same at all angles; outer rows, which are longer, count for more."""
    small = _inside(picture, _TURN_COLUMNS).astype(np.float64)
    small -= small.mean(axis=1, keepdims=True)
    return np.asarray(small * np.sqrt(np.arange(_TURN_ROWS) + 0.5)[:, None], np.float64)


def _inside(picture: Planes, columns: int) -> Planes:
    """The part without the ground around it, reduced."""
    rows = max(1, round(len(picture) / (1 + MARGIN)))
    return np.asarray(cv2.resize(picture[:rows], (columns, _TURN_ROWS), interpolation=cv2.INTER_AREA), np.float32)


def _nearest(frame: Planes, profile: Planes, pattern: RoundPattern, columns: int) -> PolarPose:
    """The place most like the reference averaged over all angles. Raises: NotLocated."""
    share = min(1.0, _SEARCH_RADIUS_PX / pattern.radius_px)
    size = max(8, round(frame.shape[1] * share)), max(8, round(frame.shape[0] * share))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    beside = math.ceil(pattern.radius_px * share * (MARGIN + 2 * _MOST_OUTSIDE)) + 2
    small = cv2.copyMakeBorder(small, beside, beside, beside, beside, cv2.BORDER_REPLICATE)
    best, found, at = -math.inf, PolarPose(centre_px=(0, 0), px_per_row=1.0, zero_deg=0.0, columns=columns), None
    for factor in _SIZES:
        disc, mask = _disc(profile, share * factor)
        if disc.shape[0] > min(small.shape):
            continue
        raw = cv2.matchTemplate(small, disc, cv2.TM_CCOEFF_NORMED, mask=mask)
        # On flat ground OpenCV divides by next to nothing.
        likeness = np.where(np.isfinite(raw) & (raw <= 1.001), raw, -1).astype(np.float32)
        _, highest, _, (x, y) = cv2.minMaxLoc(likeness)
        if highest > best:
            centre = tuple((place + disc.shape[0] / 2 - beside) / share for place in (x, y))
            best, at = highest, (likeness, x, y)
            found = replace(found, centre_px=(centre[0], centre[1]), px_per_row=factor)
    if at is None or best < pattern.min_correlation / 2:
        raise NotLocated(
            f"nothing in the picture is like the part (correlation {max(best, 0):.2f})",
            expected=f"one round part of a radius of about {pattern.radius_px:.0f} px",
            remedy=LOCATE_REMEDY,
        )
    likeness, x, y = at
    _check_alone(likeness, x, y, best=best, radius=round(pattern.radius_px * share))
    return found


def _check_alone(likeness: Planes, x: int, y: int, *, best: float, radius: int) -> None:
    """Raises: NotLocated where there is another place as like the part, a radius away or more."""
    elsewhere = likeness.copy()
    cv2.circle(elsewhere, (x, y), radius, -1.0, -1)
    if float(elsewhere.max()) > _ANOTHER * best:
        raise NotLocated("two places in the picture are like the part", expected="one round part", remedy=LOCATE_REMEDY)


def _disc(profile: Planes, share: float) -> tuple[Planes, Planes]:
    """The rings of the part as a picture, and where they are."""
    reach = max(4, round(len(profile) * share))
    x = np.arange(-reach, reach + 1)
    away = np.hypot(*np.meshgrid(x, x)) / share
    blurred = cv2.GaussianBlur(profile[None], (0, 0), max(0.3, 0.4 / share))[0]
    disc = np.interp(away.ravel(), np.arange(len(profile)) + 0.5, blurred).reshape(away.shape)
    return np.asarray(disc, np.float32), np.asarray(away <= len(profile), np.float32)


def _refined(frame: Planes, pose: PolarPose, profile: Planes, radius_px: float) -> PolarPose:
    """Centre and size by where the rings are along rays; rays that disagree, where the rim is broken, hardly count."""
    share = min(1.0, _FINE_RADIUS_PX / radius_px)
    smooth = cv2.GaussianBlur(frame, (0, 0), 0.5 / share) if share < 1 else frame
    rows = max(16, round(len(profile) * share))
    rings = _slopes(cv2.resize(profile[:, None], (1, rows), interpolation=cv2.INTER_AREA).T)[0]
    reach = max(2, round(radius_px * share * _RAY_REACH))
    angles = (np.arange(_RAYS) + 0.5) * (2 * np.pi / _RAYS)
    directions = np.column_stack([np.ones(_RAYS), np.cos(angles), np.sin(angles)])
    for _ in range(_ROUNDS):
        step = pose.px_per_row * len(profile) / rows
        rays = replace(pose, px_per_row=step, zero_deg=0.0, columns=_RAYS).seen(smooth, (_RAYS, rows + reach))
        shifts, weights = _along_rays(_slopes(rays.T), rings, reach)
        size, x, y = _fitted(directions, shifts, weights) * step
        pose = replace(
            pose,
            centre_px=(pose.centre_px[0] + float(x), pose.centre_px[1] + float(y)),
            px_per_row=pose.px_per_row * (1 + float(size) / (radius_px * pose.px_per_row)),
        )
    return pose


def _slopes(rays: NDArray[Any]) -> NDArray[np.float64]:
    """(rays, rows): how brightness changes outwards."""
    return np.asarray(np.gradient(np.asarray(rays, np.float64), axis=1))


def _along_rays(rays: NDArray[np.float64], rings: NDArray[np.float64], reach: int) -> tuple[Any, Any]:
    """How much farther out than in the reference each ray's rings lie, in rows, and how surely."""
    rows = len(rings)
    padded = np.concatenate([np.zeros((len(rays), reach)), rays], axis=1)
    steps = range(2 * reach + 1)
    windows = np.stack([padded[:, first : first + rows] for first in steps], axis=1)
    norm = np.sqrt(np.square(windows).sum(axis=2) * np.square(rings).sum()) + 1e-9
    likeness = (windows @ rings) / norm
    best = likeness.argmax(axis=1)
    inner = np.clip(best, 1, 2 * reach - 1)
    ray = np.arange(len(rays))
    peak = np.array([_peak(*likeness[index, place - 1 : place + 2]) for index, place in enumerate(inner)])
    shifts = np.where(best == inner, best + peak, best) - reach
    return shifts, np.maximum(likeness[ray, best], 0)


def _fitted(directions: NDArray[np.float64], shifts: Any, weights: Any) -> NDArray[np.float64]:
    """Size and centre by weighted least squares, three times, each time with less weight for what does not fit."""
    fit, trust = np.zeros(3), np.asarray(weights, np.float64)
    for _ in range(3):
        root = np.sqrt(trust)[:, None]
        fit = np.linalg.lstsq(directions * root, shifts * root[:, 0], rcond=None)[0]
        off = np.abs(shifts - directions @ fit)
        trust = weights / (1 + np.square(off / max(0.5, float(np.median(off)))))
    return np.asarray(fit, np.float64)


def _peak(before: float, at: float, after: float) -> float:
    """Where between the values the parabola through them is highest, from -0.5 to 0.5."""
    bend = before - 2 * at + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _likeness(wanted: Planes, seen: Planes) -> float:
    """Their correlation; outer rows, which are longer in the frame, count for more."""
    first, second = (_inside(each, _TURN_COLUMNS // 2) for each in (wanted, seen))
    weights = np.repeat(np.arange(_TURN_ROWS)[:, None] + 0.5, _TURN_COLUMNS // 2, axis=1)
    first, second = (each - np.average(each, weights=weights) for each in (first, second))
    norm = math.sqrt(float((weights * first * first).sum()) * float((weights * second * second).sum()))
    return float((weights * first * second).sum()) / norm if norm > 1e-6 else 0.0


def _check_inside(pose: PolarPose, radius_px: float, shape: tuple[int, ...]) -> None:
    reach = radius_px * pose.px_per_row * (1 - _MOST_OUTSIDE)
    x, y = pose.centre_px
    if min(x, y, shape[1] - x, shape[0] - y) < reach:
        raise NotLocated(
            f"a part of a radius of {radius_px * pose.px_per_row:.0f} px about {x:.0f}, {y:.0f} px leaves the picture",
            expected="one round part, wholly in the picture",
            remedy=LOCATE_REMEDY,
        )
