"""Puts a part under the camera: light, lens, defects, and what differs from one good part to the next."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.cameras.scenes.blemishes import Blemish, dent, missing, scratch, stain
from lineside.cameras.scenes.pen import Pen, blurred
from lineside.cameras.scenes.products import PRODUCTS, Drawing, Product
from lineside.cameras.scenes.truth import NOMINAL_EXPOSURE_US, PartTruth, Rendering, SceneOptions, TrueDefect
from lineside.core.errors import ConfigError
from lineside.core.finding import Box
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat

__all__ = ["prepare", "render", "truth_of"]

_VARIANTS = 6
"""Specimens with their own surface texture that are drawn once; each part is one of them, moved, relit, made noisy."""

_SENSOR_MAX = 4095.0
"""Light is computed as a 12-bit sensor would count it."""

_NOISE_COUNTS = 20.0
_NOISE_MARGIN_PX = 64
_MAX_SHIFT_PX = 1.5
_BRIGHTNESS_SPREAD = 0.06
_TWO_DEFECTS = 0.25
_PLACES_TRIED = 60

_Sensor = NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Specimen:
    """One specimen under the light, as sensor counts (H, W) or (H, W, 3) RGB; `blank` is without removable features."""

    whole: _Sensor
    blank: _Sensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Ground:
    """Where defects can be: `surface` bool (H, W), and the (row, column) of every pixel well inside it."""

    surface: NDArray[np.bool_]
    places: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pose:
    """What differs between good parts: specimen, shift, brightness, and which piece of the noise."""

    variant: int
    dx_px: float
    dy_px: float
    gain: float
    noise_row: int
    noise_column: int


def render(product: str, seed: int, index: int, options: SceneOptions = SceneOptions()) -> Rendering:  # noqa: B008
    """Renders part number `index` of the endless series that `product` and `seed` name.

    The first call for a product and size draws its specimens (about a second); later ones take a few milliseconds.
    Raises: ConfigError for an unknown product or a pixel format that only cameras speak.
    """
    kind, pose = _kind(product), _pose_of(product, seed, index)
    if options.pixel_format.device_only:
        raise ConfigError(f"cannot render {options.pixel_format}", expected="Mono8/10/12/16, RGB8 or BGR8")
    blemishes = _blemishes_of(kind, seed, index, options)
    size = (options.width_px, options.height_px)
    colour = options.pixel_format.channels == 3
    specimen = _specimen(kind.name, pose.variant, *size, colour)
    surface = _ground(kind.name, *size).surface

    light, mask = specimen.whole, np.zeros(surface.shape, np.bool_)
    if blemishes:
        light = light.copy()
    for blemish in blemishes:
        _apply(blemish, light, specimen.blank, surface, mask)
    move = np.array([[1, 0, pose.dx_px], [0, 1, pose.dy_px]], np.float64)
    moved = cv2.warpAffine(light, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if blemishes:
        mask = np.asarray(cv2.warpAffine(mask.view(np.uint8) * np.uint8(255), move, size)) > 127
    noise = _noise(*size, colour)[
        pose.noise_row : pose.noise_row + size[1], pose.noise_column : pose.noise_column + size[0]
    ]
    exposed = pose.gain * options.exposure_us / NOMINAL_EXPOSURE_US
    exposure = np.asarray(cv2.addWeighted(moved, exposed, noise, 1.0, 0.0, dtype=cv2.CV_16U), np.uint16)
    return Rendering(
        pixels=_developed(exposure, options.pixel_format),
        truth=_truth(kind, index, blemishes, surface, pose),
        mask=mask,
    )


def prepare(product: str, options: SceneOptions = SceneOptions()) -> None:  # noqa: B008
    """Draws what `render` needs for this product and size, so that no part later waits for it (about a second)."""
    kind, size = _kind(product), (options.width_px, options.height_px)
    colour = options.pixel_format.channels == 3
    for variant in range(_VARIANTS):
        _specimen(kind.name, variant, *size, colour)
    _ground(kind.name, *size)
    _noise(*size, colour)


def truth_of(product: str, seed: int, index: int, options: SceneOptions = SceneOptions()) -> PartTruth:  # noqa: B008
    """The truth about a part without rendering it: the same as `render(...).truth`, in well under a millisecond.

    Raises: ConfigError for an unknown product.
    """
    kind = _kind(product)
    blemishes = _blemishes_of(kind, seed, index, options)
    surface = _ground(kind.name, options.width_px, options.height_px).surface
    return _truth(kind, index, blemishes, surface, _pose_of(product, seed, index))


def _kind(product: str) -> Product:
    if product not in PRODUCTS:
        raise ConfigError(f"no rendered product is called {product!r}", expected=" or ".join(sorted(PRODUCTS)))
    return PRODUCTS[product]


def _rng(product: str, *numbers: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(product.encode()), *numbers])


def _pose_of(product: str, seed: int, index: int) -> _Pose:
    rng = _rng(product, seed, index, 0)
    return _Pose(
        variant=int(rng.integers(_VARIANTS)),
        dx_px=float(rng.uniform(-_MAX_SHIFT_PX, _MAX_SHIFT_PX)),
        dy_px=float(rng.uniform(-_MAX_SHIFT_PX, _MAX_SHIFT_PX)),
        gain=float(1 + rng.uniform(-_BRIGHTNESS_SPREAD, _BRIGHTNESS_SPREAD)),
        noise_row=int(rng.integers(_NOISE_MARGIN_PX)),
        noise_column=int(rng.integers(_NOISE_MARGIN_PX)),
    )


def _blemishes_of(kind: Product, seed: int, index: int, options: SceneOptions) -> list[Blemish]:
    rng = _rng(kind.name, seed, index, 1)
    if rng.random() >= options.defect_rate:
        return []
    count = 2 if rng.random() < _TWO_DEFECTS else 1
    classes = rng.permutation(len(kind.defect_classes))[:count]
    # Missing features come first, so that a stain on the bare spot stays visible.
    return [_blemish(kind, kind.defect_classes[number], rng, options) for number in sorted(classes, reverse=True)]


def _blemish(kind: Product, class_name: str, rng: np.random.Generator, options: SceneOptions) -> Blemish:
    size = (options.width_px, options.height_px)
    severity = float(rng.uniform(*options.severity))
    if class_name == kind.missing_class:
        pen = Pen(*size)
        site = kind.sites[int(rng.integers(len(kind.sites)))]
        return missing(class_name, *pen.place(site.x, site.y), site.radius * pen.frame_scale)
    ground, scale = _ground(kind.name, *size), Pen(*size).frame_scale
    for _ in range(_PLACES_TRIED):
        row, column = ground.places[int(rng.integers(len(ground.places)))]
        where = (rng, float(column), float(row), scale)
        if class_name == "scratch":
            blemish = scratch(*where, severity=severity, glint=kind.scratch_glint)
        elif class_name == "dent":
            blemish = dent(*where, severity=severity, relief=kind.dent_relief)
        else:
            blemish = stain(*where, severity=severity, tint=kind.stain_tint)
        window, patch = _overlap(blemish, ground.surface.shape)
        visible = float(blemish.coverage[patch][ground.surface[window]].sum())
        if visible >= 0.85 * float(blemish.coverage.sum()):
            return blemish
    return blemish  # a cramped product: partly hidden, and its truth says how much is seen


def _truth(kind: Product, index: int, blemishes: list[Blemish], surface: NDArray[np.bool_], pose: _Pose) -> PartTruth:
    defects = []
    for blemish in blemishes:
        window, patch = _overlap(blemish, surface.shape)
        seen = (blemish.coverage[patch] > 0.5) & (surface[window] | (blemish.gain is None))
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        if not len(rows):
            continue
        box = Box(
            x_px=float(window[1].start + columns[0]) + pose.dx_px,
            y_px=float(window[0].start + rows[0]) + pose.dy_px,
            width_px=float(columns[-1] - columns[0] + 1),
            height_px=float(rows[-1] - rows[0] + 1),
        )
        defects.append(TrueDefect(class_name=blemish.class_name, box=box, area_px=float(seen.sum())))
    return PartTruth(part_id=f"{kind.name}-{index:06d}", defects=tuple(defects))


def _overlap(blemish: Blemish, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The part of the frame that the blemish's patch covers, and that part of the patch."""
    height, width = blemish.coverage.shape
    top, left = max(0, blemish.top_px), max(0, blemish.left_px)
    bottom, right = min(shape[0], blemish.top_px + height), min(shape[1], blemish.left_px + width)
    return (slice(top, bottom), slice(left, right)), (
        slice(top - blemish.top_px, bottom - blemish.top_px),
        slice(left - blemish.left_px, right - blemish.left_px),
    )


def _apply(
    blemish: Blemish, light: _Sensor, blank: _Sensor, surface: NDArray[np.bool_], mask: NDArray[np.bool_]
) -> None:
    window, patch = _overlap(blemish, surface.shape)
    if blemish.gain is None:
        light[window] = blank[window]
        mask[window] |= blemish.coverage[patch] > 0.5
        return
    on_part = surface[window]
    gain = blemish.gain[patch]
    factor = gain if light.ndim == 3 else gain.mean(axis=2)
    factor = np.where(on_part[..., None] if light.ndim == 3 else on_part, factor, np.float32(1))
    light[window] = np.clip(light[window] * factor, 0, 65535).astype(np.uint16)
    mask[window] |= (blemish.coverage[patch] > 0.5) & on_part


def _developed(light: _Sensor, pixel_format: PixelFormat) -> Pixels:
    """Sensor counts to the declared format."""
    if pixel_format.dtype == np.uint16:
        counts = light if pixel_format is PixelFormat.MONO12 else light * (pixel_format.max_value / _SENSOR_MAX)
        return np.minimum(counts, pixel_format.max_value).astype(np.uint16)
    picture = cv2.convertScaleAbs(light, alpha=255.0 / _SENSOR_MAX)
    if pixel_format is PixelFormat.BGR8:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return np.asarray(picture, np.uint8)


# What is drawn once for each product and size. ------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _specimen(product: str, variant: int, width_px: int, height_px: int, colour: bool) -> _Specimen:
    kind, pen = PRODUCTS[product], Pen(width_px, height_px)
    whole, blank = (
        _under_light(pen, kind.draw(pen, _rng(product, 7, variant), features), colour) for features in (True, False)
    )
    return _Specimen(whole=whole, blank=blank)


@functools.lru_cache(maxsize=16)
def _ground(product: str, width_px: int, height_px: int) -> _Ground:
    kind, pen = PRODUCTS[product], Pen(width_px, height_px)
    surface = pen.to_frame(kind.draw(pen, _rng(product, 7, 0), True).surface) > 0.5
    inside = cv2.distanceTransform(surface.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return _Ground(surface=surface, places=np.argwhere(inside >= 9 * pen.frame_scale))


@functools.lru_cache(maxsize=8)
def _noise(width_px: int, height_px: int, colour: bool) -> NDArray[np.int16]:
    shape = (height_px + _NOISE_MARGIN_PX, width_px + _NOISE_MARGIN_PX, *((3,) if colour else ()))
    noise = _rng("noise").standard_normal(shape, np.float32) * np.float32(_NOISE_COUNTS)
    return np.asarray(np.rint(noise), np.int16)


def _under_light(pen: Pen, drawing: Drawing, colour: bool) -> _Sensor:
    """Lambert shading by a lamp at the upper left, a little gloss on edges, a lens that is darker in its corners."""
    height = blurred(drawing.height, 0.45 * pen.scale) * np.float32(pen.scale)
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    facing = np.clip(1 + (0.62 * slope_x + 0.78 * slope_y), 0.25, 1.85) / np.sqrt(1 + slope_x**2 + slope_y**2) ** 0.5
    gloss = 0.10 * np.clip(0.62 * slope_x + 0.78 * slope_y - 0.35, 0, 1)
    rows, columns = (np.linspace(-1, 1, count, dtype=np.float32) for count in pen.shape)
    lamp = 1.06 - 0.07 * columns[None, :] - 0.08 * rows[:, None]
    lens = 1 - 0.13 * (columns[None, :] ** 2 + rows[:, None] ** 2)
    albedo = drawing.albedo if colour else drawing.albedo @ np.array([0.299, 0.587, 0.114], np.float32)
    light = (facing * lamp * lens, gloss * lamp * lens)
    if colour:
        picture = np.dstack([pen.to_frame(albedo[..., k] * light[0] + light[1]) for k in range(3)])
    else:
        picture = pen.to_frame(albedo * light[0] + light[1])
    return np.asarray(np.rint(np.clip(picture * _SENSOR_MAX, 0, 65535)), np.uint16)
