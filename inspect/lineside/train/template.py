"""The template: what a good, fixtured part looks like at every place, and how much good parts differ there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ConfigError
from lineside.core.frame import Pixels

__all__ = ["MIN_IMAGES", "Template", "TemplateSettings", "anomaly_map", "fit_template", "reduced", "reduction_for"]

MIN_IMAGES = 5
"""Fewer good parts say nothing about how much good parts differ."""

GAIN_RANGE = (0.25, 4.0)
"""Lighting is evened out within this range; a part much darker or brighter than the template is an anomaly."""

_LONG_SIDE_PX = 320
"""The long side at which the template works unless it is told otherwise."""

_MAD_TO_DEVIATION = 1.4826
_STEP = 1 / 16
"""Centre and spread are rounded to this, in grey levels of 255: finer digits are noise, and differ between machines."""

_QUARTILES_OF_GUMBEL = 1.5725
_MEDIAN_OF_GUMBEL = 0.3665

Planes = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateSettings:
    """How a template is made.

    `reduce` averages so many pixels each way into one. Parts may sit `shift_px` off in the frame. `overkill_rate` is
    the share of good parts that the threshold is meant to reject. Scores for it come from `folds` templates, each
    made without the images that it scores.
    """

    reduce: int
    shift_px: float = 1.5
    overkill_rate: float = 0.001
    folds: int = 8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Template:
    """`centre` and `spread` are (C, h, w) in grey levels; scores are in units of `threshold`, so 1 is the limit.

    `held_out_scores` are those of the good images under templates that had not seen them, in the same unit.
    """

    reduce: int
    centre: Planes
    spread: Planes
    threshold: float
    held_out_scores: tuple[float, ...]


def reduction_for(width_px: int, height_px: int) -> int:
    """The common divisor of both sides that brings the long side nearest to 320 px."""
    common = math.gcd(width_px, height_px)
    divisors = [divisor for divisor in range(1, common + 1) if common % divisor == 0]
    return min(divisors, key=lambda divisor: abs(math.log(max(width_px, height_px) / divisor / _LONG_SIDE_PX)))


def reduced(pixels: Pixels, reduce: int) -> Planes:
    """(H, W) or (H, W, C) pixels to float32 (C, H / reduce, W / reduce): averages of whole blocks."""
    planes = np.atleast_3d(pixels).transpose(2, 0, 1)
    count, height, width = planes.shape
    blocks = planes.reshape(count, height // reduce, reduce, width // reduce, reduce)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float32), np.float32)


def anomaly_map(template: Template, planes: Planes) -> Planes:
    """What the package's graph answers for one image, (h, w); `planes` (C, h, w) as `reduced` makes them."""
    return _distance(planes, template.centre, template.spread) / np.float32(template.threshold)


def fit_template(
    images: Sequence[Planes], settings: TemplateSettings, *, tick: Callable[[], None] = lambda: None
) -> Template:
    """Makes a template of good parts. `tick` is called `folds` + 1 times. Raises: ConfigError for too few images."""
    if len(images) < MIN_IMAGES:
        raise ConfigError(
            f"{len(images)} images of good parts",
            expected=f"at least {MIN_IMAGES}; 30 and more make a good template",
            remedy="photograph more good parts",
        )
    stack = np.stack(images)
    folds = min(settings.folds, len(images))
    scores = np.zeros(len(images))
    for fold in range(folds):
        held_out = np.arange(len(images)) % folds == fold
        centre, spread = _centre_and_spread(stack[~held_out], settings)
        for index in np.flatnonzero(held_out):
            scores[index] = float(_distance(stack[index], centre, spread).max())
        tick()
    centre, spread = _centre_and_spread(stack, settings)
    tick()
    threshold = float(np.ceil(_limit_of_good(scores, settings.overkill_rate) * 100) / 100)
    return Template(
        reduce=settings.reduce,
        centre=centre,
        spread=spread,
        threshold=threshold,
        held_out_scores=tuple(float(score) for score in scores / threshold),
    )


def gain_weights(centre: Planes, spread: Planes) -> Planes:
    """(C, h, w): their products with an image, summed by channel, are how much brighter it is than the template."""
    weight = centre / np.square(spread)
    total = np.maximum((weight * centre).sum(axis=(1, 2), keepdims=True), np.float32(1e-6))
    return np.asarray(weight / total, np.float32)


def _distance(planes: Planes, centre: Planes, spread: Planes) -> Planes:
    """How many spreads an image is away from the centre, averaged over 3x3 places, the worst of its channels."""
    gain = np.clip((planes * gain_weights(centre, spread)).sum(axis=(1, 2), keepdims=True), *GAIN_RANGE)
    away = (np.abs(planes / gain - centre) / spread).max(axis=0)
    return np.asarray(cv2.blur(away, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32)


def _centre_and_spread(stack: Planes, settings: TemplateSettings) -> tuple[Planes, Planes]:
    """Medians over the images, evened out in brightness, so that one bad picture among the good does no harm."""
    levels = stack.mean(axis=(2, 3), keepdims=True)
    common = np.median(levels, axis=0, keepdims=True)
    even = stack * (common / np.maximum(levels, np.float32(1e-3)))
    centre = np.median(even, axis=0)
    deviation = np.median(np.abs(even - centre), axis=0) * np.float32(_MAD_TO_DEVIATION)
    reach = math.ceil(settings.shift_px / settings.reduce)
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    spread = np.stack([np.asarray(cv2.dilate(plane, window), np.float32) for plane in deviation])
    floor = max(1.0, float(np.median(spread)))
    # Places that hardly differ among a few images are not to be trusted to be that steady.
    spread = np.hypot(spread, np.float32(0.5 * floor))
    return _rounded(centre), np.maximum(_rounded(spread), np.float32(_STEP))


def _rounded(values: NDArray[np.floating]) -> Planes:
    return np.asarray(np.rint(values / _STEP) * _STEP, np.float32)


def _limit_of_good(scores: NDArray[np.float64], overkill_rate: float) -> float:
    """The score that a share of `overkill_rate` of good parts exceeds.

    An image's score is the largest of many, so good images' scores follow a Gumbel distribution; it is fitted by its
    quartiles, which a few odd images do not move.
    """
    lower, median, upper = np.quantile(scores, (0.25, 0.5, 0.75))
    scale = max((upper - lower) / _QUARTILES_OF_GUMBEL, 0.02 * median)
    location = median - _MEDIAN_OF_GUMBEL * scale
    return float(location - scale * math.log(-math.log1p(-overkill_rate)))
