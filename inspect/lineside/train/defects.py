"""Painted defects: what a good picture would look like with a flaw in it, and where the flaw is.

Nothing is learned here and nothing downloaded: nine kinds of flaw are drawn from a generator, in grey or colour, on
levels from 0 to 1 whatever the bits of the camera. The same generator state paints the same flaw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.train.bank_features import Planes
from lineside.train.defect_shapes import Alpha, Point, blob, clouds, ellipse, line, noise, piece, softened, spots

__all__ = ["KINDS", "Canvas", "Levels", "Painted", "paint"]

_SEEN: Final = 0.035
"""Mean change of brightness or colour within a flaw, of a range of 1, below which people see none."""
_GREY: Final = 0.005
"""Mean difference between the channels of a picture that has no colour: rounding, and what a JPEG leaves."""
_CHANGED: Final = 0.015
"""Change below which a pixel is not part of the flaw: a moved piece may look like what was there."""
_TRIES: Final = 6
_IN_MASK: Final = 0.3
"""A pixel is part of the flaw where its alpha is above this share of the highest."""
_FAINT_SHARE: Final = 0.4
"""Of all flaws that are laid on thinly: real ones are often faint."""

Mask = NDArray[np.bool_]
Levels = NDArray[np.floating[Any]]
"""Pictures (C, H, W) from 0 to 1 in float32, or in float16 where many are kept."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Canvas:
    """A good picture to paint on: `planes` (C, H, W) from 0 to 1.

    `part` (H, W) is where the part is, None: everywhere. `background` is the level beyond the part by channel, where
    it is known. `donors` are pictures like it (C, h, w) that pieces are taken from. `scale_px` is the shorter side of
    the whole picture where `planes` are a crop of one: flaws are sized by it.
    """

    planes: Levels
    part: Mask | None = None
    background: tuple[float, ...] | None = None
    donors: Sequence[Levels] = ()
    scale_px: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.planes.shape[1], self.planes.shape[2]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Painted:
    """The picture with its flaw, `planes` (C, H, W), and `mask` (H, W) of the pixels that it changed."""

    planes: Planes
    mask: Mask
    kind: str


def paint(canvas: Canvas, rng: np.random.Generator, kind: str = "") -> Painted:
    """Paints one flaw, of any kind unless one is named. Its mask is empty where no try was seen, which is rare."""
    if canvas.planes.dtype != np.float32:
        canvas = replace(canvas, planes=canvas.planes.astype(np.float32))
    name = kind or list(KINDS)[int(rng.integers(len(KINDS)))]
    colourless = _colourless(canvas.planes)
    for _ in range(_TRIES):
        alpha, flaw = KINDS[name](canvas, rng)
        if colourless:
            flaw = flaw.mean(axis=0, keepdims=True)
        if canvas.part is not None and name != "extra material":
            alpha = alpha * canvas.part
        if rng.random() < _FAINT_SHARE:
            alpha = alpha * np.float32(rng.uniform(0.15, 0.7))
        planes = np.clip(canvas.planes + alpha * (flaw - canvas.planes), 0, 1)
        change = np.abs(planes - canvas.planes).max(axis=0)
        changed = cv2.dilate((change > _CHANGED).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        mask = (alpha > _IN_MASK * max(float(alpha.max()), 1e-6)) & changed
        if mask.any() and float(change[mask].mean()) > _SEEN:
            return Painted(planes=np.asarray(planes, np.float32), mask=mask, kind=name)
    return Painted(planes=np.asarray(canvas.planes, np.float32), mask=np.zeros(canvas.shape, np.bool_), kind=name)


# Each kind: an alpha (H, W), and planes (C, H, W) or levels (C, 1, 1) that are laid over the picture with it.
_Flaw = tuple[Alpha, Planes]


def _moved_piece(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """A piece of this picture or of another, turned, in a place where it does not belong."""
    shape, centre = canvas.shape, _place(canvas, rng)
    if rng.random() < 0.3:  # thin, as a scar is
        sides = (_size(canvas, rng, 0.06, 0.35), _size(canvas, rng, 0.01, 0.04))
    else:
        sides = (_size(canvas, rng, 0.04, 0.25), _size(canvas, rng, 0.04, 0.25))
    outline = piece if rng.random() < 0.5 else ellipse
    alpha = softened(outline(shape, centre, sides, rng.uniform(0, 180)), rng.uniform(0, 1.5))
    return alpha, _tinted(_foreign(canvas, rng), rng, 0.12)


def _foreign_texture(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """Islands of noise, filled with another texture, more or less opaque."""
    alpha = clouds(canvas.shape, _place(canvas, rng), _size(canvas, rng, 0.04, 0.2), rng)
    if rng.random() < 0.5:
        flaw = _foreign(canvas, rng, zoom=float(rng.choice([0.5, 2.0])))
    else:
        grain = noise(canvas.shape, _size(canvas, rng, 0.01, 0.1), rng)
        flaw = _levels(canvas, rng) + np.float32(rng.uniform(0.03, 0.2)) * grain
    return softened(alpha, rng.uniform(0.3, 1.5)) * np.float32(rng.uniform(0.35, 1.0)), np.asarray(flaw, np.float32)


def _scratch(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """One to three thin lines, darker or brighter than the surface, sometimes with a bright ridge."""
    alpha = np.zeros(canvas.shape, np.float32)
    start, width = _place(canvas, rng), _size(canvas, rng, 0.003, 0.02)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        begin = (start[0] + rng.normal(0, 6), start[1] + rng.normal(0, 6))
        np.maximum(alpha, line(canvas.shape, begin, _size(canvas, rng, 0.08, 0.6), width, rng), out=alpha)
    flaw = canvas.planes + np.float32(_away(rng, 0.12, 0.5))
    if rng.random() < 0.3:
        ridge = np.roll(alpha, (1, 1), (0, 1)) * (1 - alpha)
        flaw = np.where(ridge > 0.3, canvas.planes + np.float32(0.2), flaw)
        alpha = np.maximum(alpha, ridge)
    return softened(alpha, rng.uniform(0.0, 0.7)), np.asarray(flaw, np.float32)


def _stain(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """A soft-edged spot through which the surface shows: oil, water, rust, soot."""
    radius = _size(canvas, rng, 0.03, 0.18)
    alpha = softened(blob(canvas.shape, _place(canvas, rng), radius, rng), radius * rng.uniform(0.05, 0.35))
    gain = rng.uniform(0.3, 0.8) if rng.random() < 0.7 else rng.uniform(1.2, 1.6)
    tint = rng.normal(1, 0.12, (len(canvas.planes), 1, 1))
    return alpha, np.asarray(canvas.planes * gain * tint, np.float32)


def _pits(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """Pores and pits, one or a cluster, dark and some with a bright rim on the side of the lamp."""
    count = int(rng.choice([1, 1, 3, 8, 20]))
    radius = _size(canvas, rng, 0.006, 0.03 if count > 1 else 0.06)
    centre = _place(canvas, rng)
    alpha = spots(canvas.shape, centre, _size(canvas, rng, 0.03, 0.15), radius, count, rng)
    depth = np.float32(_away(rng, 0.12, 0.5, dark=0.85))
    flaw = canvas.planes + depth
    if rng.random() < 0.5:
        shift = max(1, round(radius * 0.6))
        rim = np.clip(np.roll(alpha, (shift, shift), (0, 1)) - alpha, 0, 1)
        flaw = np.where(rim > 0.3, canvas.planes - depth * np.float32(0.6), flaw)
        alpha = np.maximum(alpha, rim)
    return softened(alpha, rng.uniform(0.2, 1.0)), np.asarray(flaw, np.float32)


def _missing(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """Material that is gone: a bite from the edge that shows the background, or a hole."""
    centre, radius = _place(canvas, rng, at_edge=True), _size(canvas, rng, 0.04, 0.3)
    if rng.random() < 0.3:
        alpha = piece(canvas.shape, centre, (2 * radius, radius * rng.uniform(0.5, 2)), rng.uniform(0, 180))
    else:
        alpha = blob(canvas.shape, centre, radius, rng)
    if canvas.background is not None and rng.random() < 0.8:
        level = np.array(canvas.background, np.float32)[:, None, None]
    else:
        level = _levels(canvas, rng) * np.float32(rng.uniform(0.2, 0.8))
    grain = np.float32(rng.uniform(0, 0.03)) * rng.standard_normal(canvas.shape).astype(np.float32)
    return softened(alpha, rng.uniform(0.3, 1.2)), np.asarray(level + grain, np.float32)


def _extra(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """Material that should not be there: a burr, a crumb, a drop, with light on one side; at an edge or anywhere."""
    centre, radius = _place(canvas, rng, at_edge=True), _size(canvas, rng, 0.02, 0.12)
    alpha = softened(blob(canvas.shape, centre, radius, rng), rng.uniform(0.3, 1.2))
    relief = softened(alpha, max(1.0, radius * 0.4))
    angle = rng.uniform(0, 2 * np.pi)
    down, right = np.gradient(relief)
    light = (down * np.sin(angle) + right * np.cos(angle)) * radius
    levels = _levels(canvas, rng) + np.float32(rng.normal(0, 0.1))
    grain = np.float32(rng.uniform(0, 0.05)) * noise(canvas.shape, max(2.0, radius / 3), rng)
    return alpha, np.asarray(levels + np.float32(rng.uniform(0.1, 0.5)) * light + grain, np.float32)


def _dent(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """The surface pushed aside: what is there is drawn towards a point, with light and shadow."""
    height, width = canvas.shape
    (x0, y0), radius = _place(canvas, rng), _size(canvas, rng, 0.04, 0.18)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    bell = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * (radius / 2) ** 2))
    pull, angle = rng.uniform(-0.6, 0.6), rng.uniform(0, 2 * np.pi)
    to_x = np.asarray(x + bell * ((x - x0) * pull + radius * 0.3 * np.cos(angle)), np.float32)
    to_y = np.asarray(y + bell * ((y - y0) * pull + radius * 0.3 * np.sin(angle)), np.float32)
    drawn = [cv2.remap(plane, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) for plane in canvas.planes]
    down, right = np.gradient(bell)
    light = (down * np.sin(angle) + right * np.cos(angle)) * radius
    return np.asarray(bell > 0.25, np.float32), np.asarray(
        np.stack(drawn) + np.float32(rng.uniform(0.05, 0.35)) * light, np.float32
    )


def _smear(canvas: Canvas, rng: np.random.Generator) -> _Flaw:
    """Texture that is lost: wiped, polished or filled up."""
    radius = _size(canvas, rng, 0.05, 0.2)
    alpha = softened(blob(canvas.shape, _place(canvas, rng), radius, rng), rng.uniform(0.5, 2.0))
    if rng.random() < 0.5:
        sigma_px = radius * rng.uniform(0.15, 0.5)
        smooth = np.stack([softened(plane, sigma_px) for plane in canvas.planes])
    else:
        length = max(3, round(radius))
        wipe = np.full((1, length), 1 / length, np.float32)
        wipe = wipe.T if rng.random() < 0.5 else wipe
        smooth = np.stack(
            [
                np.asarray(cv2.filter2D(plane, cv2.CV_32F, wipe, borderType=cv2.BORDER_REPLICATE), np.float32)
                for plane in canvas.planes
            ]
        )
    return alpha, np.asarray(smooth + np.float32(rng.normal(0, 0.04)), np.float32)


KINDS: Final[Mapping[str, Callable[[Canvas, np.random.Generator], _Flaw]]] = {
    "moved piece": _moved_piece,
    "foreign texture": _foreign_texture,
    "scratch": _scratch,
    "stain": _stain,
    "pits": _pits,
    "missing material": _missing,
    "extra material": _extra,
    "dent": _dent,
    "smear": _smear,
}
"""Every kind by the name that people see on the contact sheet."""


# What the kinds have in common.


def _colourless(planes: Levels) -> bool:
    """A grey picture in three channels: flaws on it have no colour either."""
    return len(planes) > 1 and float(np.ptp(planes, axis=0).mean()) < _GREY


def _size(canvas: Canvas, rng: np.random.Generator, least: float, most: float) -> float:
    """A length in px between two shares of the picture's shorter side; each order of size is as likely."""
    return float(np.exp(rng.uniform(np.log(least), np.log(most)))) * canvas.scale_px


def _away(rng: np.random.Generator, least: float, most: float, dark: float = 0.6) -> float:
    """A difference in level, darker with the probability `dark`."""
    return float(rng.uniform(least, most)) * (-1 if rng.random() < dark else 1)


def _place(canvas: Canvas, rng: np.random.Generator, *, at_edge: bool = False) -> Point:
    """A point on the part; `at_edge`: most often one at its outline, where that is known."""
    height, width = canvas.shape
    if canvas.part is None:
        return float(rng.uniform(0, width)), float(rng.uniform(0, height))
    places = canvas.part
    if at_edge and rng.random() < 0.7:
        inner = cv2.erode(places.astype(np.uint8), np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE) > 0
        places = (places & ~inner) if (places & ~inner).any() else places
    rows, columns = np.nonzero(places)
    if not rows.size:
        return float(rng.uniform(0, width)), float(rng.uniform(0, height))
    index = int(rng.integers(rows.size))
    return float(columns[index]), float(rows[index])


def _levels(canvas: Canvas, rng: np.random.Generator) -> Planes:
    """(C, 1, 1): a colour near one of the picture's own, sometimes any colour."""
    if rng.random() < 0.25:
        return np.asarray(rng.uniform(0, 1, (len(canvas.planes), 1, 1)), np.float32)
    x, y = _place(canvas, rng)
    row, column = min(int(y), canvas.shape[0] - 1), min(int(x), canvas.shape[1] - 1)
    near = canvas.planes[:, row, column].astype(np.float32)[:, None, None]
    return np.asarray(near + rng.normal(0, 0.1) + rng.normal(0, 0.04, near.shape), np.float32)


def _foreign(canvas: Canvas, rng: np.random.Generator, zoom: float = 1.0) -> Planes:
    """(C, H, W): a donor or the picture itself, moved and mirrored, so that nothing is where it belongs."""
    donor = canvas.planes
    if canvas.donors and rng.random() < 0.7:
        donor = canvas.donors[int(rng.integers(len(canvas.donors)))]
    if rng.random() < 0.5:
        donor = donor[:, :, ::-1]
    if rng.random() < 0.5:
        donor = donor[:, ::-1]
    height, width = canvas.shape
    scale = zoom * rng.uniform(0.8, 1.25)
    shift = rng.uniform(0, 1, 2) * (donor.shape[2], donor.shape[1])
    turn = cv2.getRotationMatrix2D((float(shift[0]), float(shift[1])), rng.uniform(0, 360), scale)
    turn[:, 2] += (width / 2 - shift[0], height / 2 - shift[1])
    planes = [
        cv2.warpAffine(np.ascontiguousarray(plane, np.float32), turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        for plane in donor
    ]
    return np.asarray(np.stack(planes), np.float32)


def _tinted(planes: Planes, rng: np.random.Generator, spread: float) -> Planes:
    """With another brightness and colour."""
    tint = rng.normal(1, spread / 3, (len(planes), 1, 1)) * rng.normal(1, spread)
    return np.asarray(planes * tint + rng.normal(0, spread / 2), np.float32)
