"""The products that can be rendered: what each is made of, and where its features sit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.cameras.scenes.pen import FloatImage, Pen, blurred

__all__ = ["PRODUCTS", "Drawing", "Product", "Site"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A feature that may be missing: a disc of `radius` around (x, y) in nominal coordinates."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drawing:
    """A part before the light falls on it, at the pen's fine resolution.

    `albedo` (h, w, 3) RGB reflectance 0..1; `height` (h, w) in arbitrary units; `surface` (h, w) is 1 where the part's
    own material is, so that scratches, dents and stains can be.
    """

    albedo: NDArray[np.float32]
    height: FloatImage
    surface: FloatImage


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """A kind of part. `draw(pen, rng, sites)` draws one specimen with those of its `sites` that are not missing."""

    name: str
    draw: Callable[[Pen, np.random.Generator, bool], Drawing]
    sites: tuple[Site, ...]
    missing_class: str
    stain_tint: tuple[float, float, float]
    """What a stain leaves of red, green and blue; above 1 it is lighter than the material."""
    scratch_glint: float
    """How much brighter than the material the bottom of a scratch is: 0.75 for bare metal in brushed steel."""
    dent_relief: float
    """How steep dents are: dark materials show only steep ones."""

    @property
    def defect_classes(self) -> tuple[str, ...]:
        return ("scratch", "dent", "stain", self.missing_class)


# The plate: brushed steel, 4x3 punched holes, two slots, held by four screws. -----------------------------------------

_PLATE_HOLES = tuple(Site(x=x, y=y, radius=13.0) for y in (150.0, 240.0, 330.0) for x in (176.0, 272.0, 368.0, 464.0))
_PLATE_SCREWS = ((104.0, 96.0), (536.0, 96.0), (104.0, 384.0), (536.0, 384.0))


def _draw_plate(pen: Pen, rng: np.random.Generator, holes: bool) -> Drawing:
    mat = np.float32(0.10) * (1 + 0.07 * pen.noise(rng, 0.9, 0.9))
    body = pen.rectangle(320, 240, 520, 376, corner=26)
    for x in (248.0, 392.0):
        body = np.minimum(body, 1 - pen.rectangle(x, 391, 84, 15, corner=7.5))
    if holes:
        for hole in _PLATE_HOLES:
            body = np.minimum(body, 1 - pen.disc(hole.x, hole.y, hole.radius))
    brushed = 0.022 * pen.noise(rng, 60, 0.55) + 0.014 * pen.noise(rng, 9, 0.4) + 0.012 * pen.noise(rng, 160, 22)
    across = np.linspace(-1, 1, pen.shape[1], dtype=np.float32)
    sheen = 0.045 * np.cos(2.6 * across - 0.5)
    steel = 0.56 * (1 + brushed + sheen[None, :])
    albedo = mat + body * (steel - mat)
    height = 2.2 * pen.rise(body, 4.5)

    surface = body.copy()
    etched = pen.text("LINESIDE  P-40", 224, 108, 15, stroke=1.7)
    albedo = albedo * (1 - 0.42 * etched)
    surface = np.minimum(surface, 1 - pen.rectangle(320, 101, 220, 34))
    for x, y in _PLATE_SCREWS:
        head = pen.disc(x, y, 17)
        socket = pen.polygon(
            [(x + 7.6 * math.cos(k * math.pi / 3), y + 7.6 * math.sin(k * math.pi / 3)) for k in range(6)]
        )
        shadow = np.clip(blurred(pen.disc(x + 2.5, y + 3, 19), 2.4 * pen.scale), 0, 1)
        albedo = albedo * (1 - 0.45 * shadow * (1 - head))
        albedo = albedo + head * (0.47 - albedo)
        albedo = albedo + socket * (0.09 - albedo)
        height = height * (1 - head) + head * (4.0 * pen.rise(head, 6.0) - 2.0 * pen.rise(socket, 2.0))
        surface = np.minimum(surface, 1 - pen.disc(x, y, 23))
    return Drawing(albedo=_grey(albedo), height=height, surface=surface)


# The gasket: a black rubber ring with six bolt lugs on a light table. -------------------------------------------------

_GASKET_HOLES = tuple(
    Site(x=320 + 196 * math.cos(k * math.pi / 3), y=240 + 196 * math.sin(k * math.pi / 3) * 0.985, radius=10.0)
    for k in range(6)
)


def _draw_gasket(pen: Pen, rng: np.random.Generator, holes: bool) -> Drawing:
    table = 0.66 * (1 + 0.012 * pen.noise(rng, 1.2, 1.2) + 0.01 * pen.noise(rng, 40, 40))
    ring = pen.disc(320, 240, 182)
    for lug in _GASKET_HOLES:
        ring = np.maximum(ring, pen.disc(lug.x, lug.y, 25))
    solid = np.minimum(ring, 1 - pen.disc(320, 240, 112))
    body = solid
    if holes:
        for hole in _GASKET_HOLES:
            body = np.minimum(body, 1 - pen.disc(hole.x, hole.y, hole.radius))
    shadow = np.clip(blurred(np.roll(body, (round(5 * pen.scale), round(4 * pen.scale)), (0, 1)), 4 * pen.scale), 0, 1)
    rubber = 0.22 * (1 + 0.05 * pen.noise(rng, 0.8, 0.8) + 0.03 * pen.noise(rng, 12, 12))
    lit_table = table * (1 - 0.4 * shadow)
    albedo = lit_table + body * (rubber - lit_table)
    bead = pen.ring(320, 240, 138, 156)
    height = 3.0 * pen.rise(body, 7) + 3.2 * pen.rise(bead, 9)
    return Drawing(albedo=_grey(albedo), height=height, surface=body)


# The board: a green circuit board, the colour product. ----------------------------------------------------------------

_BOARD_PARTS = tuple(
    Site(x=x, y=y, radius=21.0)
    for x, y in ((150.0, 112.0), (210.0, 112.0), (430.0, 112.0), (490.0, 112.0), (440.0, 372.0))
)
_GREEN, _TRACE, _GOLD = (0.06, 0.27, 0.14), (0.09, 0.38, 0.20), (0.78, 0.62, 0.28)
_BLACK, _CERAMIC, _SILK, _TIN = (0.07, 0.07, 0.075), (0.58, 0.46, 0.34), (0.82, 0.84, 0.80), (0.62, 0.64, 0.66)


def _draw_board(pen: Pen, rng: np.random.Generator, parts: bool) -> Drawing:
    mat = 0.16 * (1 + 0.03 * pen.noise(rng, 1.0, 1.0))
    body = pen.rectangle(320, 240, 540, 390, corner=12)
    weave = 1 + 0.03 * pen.noise(rng, 1.4, 1.4) + 0.03 * pen.noise(rng, 30, 30)
    albedo = np.repeat(mat[..., None], 3, axis=2)
    albedo = _painted(albedo, body, _GREEN)
    height = 1.5 * pen.rise(body, 3)
    traces, legs = pen.blank(), pen.blank()
    for row in range(8):  # traces leave the large chip to the left and right and fan out
        y, spread = 191.0 + 14 * row, 20.0 * (row - 3.5)
        bend = 92 + 6 * abs(row - 3.5)
        for side in (-1, 1):
            path = [(60.0, y), (bend, y), (bend + abs(spread) * 0.45, 240 + spread), (244.0, 240 + spread)]
            traces = np.maximum(traces, pen.line([(320 + side * x, at_y) for x, at_y in path], 3.2))
            legs = np.maximum(legs, pen.rectangle(320 + side * 64, y, 22, 6.5, corner=1))
    albedo, height = _painted(albedo, traces, _TRACE), height + 0.35 * traces
    albedo, height = _painted(albedo, legs, _TIN), height + 1.6 * pen.rise(legs, 2.5)
    corners = [(x, y) for x in (84, 556) for y in (78, 402)]
    albedo = _painted(albedo, _union(pen.disc(x, y, 15) for x, y in corners), _GOLD)
    albedo = _painted(albedo, _union(pen.disc(x, y, 8) for x, y in corners), _BLACK)
    chip = pen.rectangle(320, 240, 110, 128, corner=3)
    albedo, height = _painted(albedo, chip, _BLACK), height + 4.0 * pen.rise(chip, 4)
    albedo = _painted(albedo, pen.text("LS-2040", 276, 246, 14, stroke=1.4), (0.4, 0.4, 0.4))
    sides = [(part, side) for part in _BOARD_PARTS for side in (-1, 1)]
    pads = _union(pen.rectangle(part.x + side * 13, part.y, 12, 18, corner=1.5) for part, side in sides)
    albedo = _painted(albedo, pads, _TIN)
    if parts:
        bodies = _union(pen.rectangle(part.x, part.y, 30, 15, corner=1.5) for part in _BOARD_PARTS)
        caps = _union(pen.rectangle(part.x + side * 12.5, part.y, 7, 15, corner=1) for part, side in sides)
        albedo, height = _painted(albedo, bodies, _CERAMIC), height + 2.4 * pen.rise(bodies, 3)
        albedo = _painted(albedo, caps, _TIN)
    surface = np.minimum(body, 1 - _union(pen.disc(part.x, part.y, part.radius) for part in _BOARD_PARTS))
    surface = np.minimum(surface, 1 - chip)
    albedo = _painted(albedo, pen.text("LINESIDE", 122, 372, 24, stroke=2.6), _SILK)
    albedo = _painted(albedo, pen.text("REV 3", 124, 398, 13, stroke=1.8), _SILK)
    return Drawing(albedo=albedo * weave[..., None], height=height, surface=surface)


def _union(masks: Iterable[FloatImage]) -> FloatImage:
    return functools.reduce(np.maximum, masks)


def _painted(albedo: NDArray[np.float32], mask: FloatImage, colour: tuple[float, float, float]) -> NDArray[np.float32]:
    return np.asarray(albedo + mask[..., None] * (np.array(colour, np.float32) - albedo), np.float32)


def _grey(albedo: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.repeat(np.asarray(albedo, np.float32)[..., None], 3, axis=2)


PRODUCTS: Mapping[str, Product] = {
    product.name: product
    for product in (
        Product(
            name="plate",
            draw=_draw_plate,
            sites=_PLATE_HOLES,
            missing_class="missing_hole",
            stain_tint=(0.60, 0.52, 0.42),
            scratch_glint=0.75,
            dent_relief=0.42,
        ),
        Product(
            name="gasket",
            draw=_draw_gasket,
            sites=_GASKET_HOLES,
            missing_class="missing_hole",
            stain_tint=(2.3, 2.3, 2.2),
            scratch_glint=2.8,
            dent_relief=0.7,
        ),
        Product(
            name="board",
            draw=_draw_board,
            sites=_BOARD_PARTS,
            missing_class="missing_part",
            stain_tint=(4.2, 1.75, 1.3),
            scratch_glint=1.9,
            dent_relief=0.8,
        ),
    )
}
