"""Defects as small patches: what they cover and how they change the light that comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.cameras.scenes.pen import FloatImage, blurred

__all__ = ["Blemish", "dent", "missing", "scratch", "stain"]

_FINE = 4
"""Scratches are drawn at this multiple of the frame's resolution."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Blemish:
    """A defect on the part, as a patch whose upper left pixel is (left_px, top_px) in the part's own frame.

    `coverage` (h, w) 0..1 is where it is. `gain` (h, w, 3) multiplies the light; None takes the picture of the part
    that lacks this feature instead.
    """

    class_name: str
    left_px: int
    top_px: int
    coverage: FloatImage
    gain: NDArray[np.float32] | None


def scratch(
    rng: np.random.Generator, x_px: float, y_px: float, scale: float, *, severity: float, glint: float
) -> Blemish:
    """A bent line of 60 to 150 nominal pixels, `glint` brighter than the material, dark along its lower edge."""
    length = rng.uniform(60, 150) * scale
    angle = rng.uniform(0.25, math.pi - 0.25)  # never quite along the brushing
    bend = rng.uniform(-0.22, 0.22) * length
    width = rng.uniform(2.0, 3.4) * scale
    along = np.linspace(-0.5, 0.5, 25)
    arc = bend * (0.25 - along**2) * 4
    xs = x_px + along * length * math.cos(angle) - arc * math.sin(angle)
    ys = y_px + along * length * math.sin(angle) + arc * math.cos(angle)
    margin = math.ceil(width * 2 + 2)
    left, top = math.floor(xs.min()) - margin, math.floor(ys.min()) - margin
    size = (math.ceil(ys.max()) + margin - top, math.ceil(xs.max()) + margin - left)

    fine = np.zeros((size[0] * _FINE, size[1] * _FINE), np.uint8)
    for step in range(len(along) - 1):  # thinner towards its ends
        taper = 0.45 + 0.55 * math.cos(math.pi * (along[step] + 0.02)) ** 0.5
        ends = [(round((xs[k] - left) * _FINE * 16), round((ys[k] - top) * _FINE * 16)) for k in (step, step + 1)]
        cv2.line(fine, ends[0], ends[1], 255, max(1, round(width * taper * _FINE)), cv2.LINE_AA, 4)
    core = np.asarray(cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
    edge = np.roll(core, (round(1.2 * scale) or 1, 1), (0, 1)) * (1 - core)
    gain = 1 + severity * (glint * core - 0.42 * edge)
    return Blemish(class_name="scratch", left_px=left, top_px=top, coverage=core, gain=_on_all_channels(gain))


def dent(
    rng: np.random.Generator, x_px: float, y_px: float, scale: float, *, severity: float, relief: float
) -> Blemish:
    """A bowl of 15 to 24 nominal pixels radius: dark on the side of the light, bright on the other."""
    radius = rng.uniform(15, 24) * scale
    squash, turn = rng.uniform(0.75, 1.0), rng.uniform(0, math.pi)
    reach = math.ceil(radius * 1.7)
    left, top = round(x_px) - reach, round(y_px) - reach
    rows, columns = np.mgrid[0 : 2 * reach + 1, 0 : 2 * reach + 1].astype(np.float32)
    dx, dy = columns + left - x_px, rows + top - y_px
    u = (dx * math.cos(turn) + dy * math.sin(turn)) / radius
    v = (-dx * math.sin(turn) + dy * math.cos(turn)) / (radius * squash)
    distance = np.sqrt(u * u + v * v)
    bowl = np.exp(-((distance / 0.66) ** 2.3))
    slope_y, slope_x = np.gradient(bowl)
    shade = -(0.62 * slope_x + 0.78 * slope_y) * radius  # the light comes from the upper left, and the bowl goes down
    gain = np.clip(1 + severity * (relief * shade - 0.10 * bowl), 0.25, 2.2)
    coverage = np.clip((1.0 - distance) * radius + 0.5, 0, 1).astype(np.float32)
    return Blemish(class_name="dent", left_px=left, top_px=top, coverage=coverage, gain=_on_all_channels(gain))


def stain(
    rng: np.random.Generator,
    x_px: float,
    y_px: float,
    scale: float,
    *,
    severity: float,
    tint: tuple[float, float, float],
) -> Blemish:
    """A dried drop of 16 to 32 nominal pixels radius with a ragged outline and a stronger rim."""
    radius = rng.uniform(16, 32) * scale
    reach = math.ceil(radius * 1.5)
    left, top = round(x_px) - reach, round(y_px) - reach
    rows, columns = np.mgrid[0 : 2 * reach + 1, 0 : 2 * reach + 1].astype(np.float32)
    dx, dy = columns + left - x_px, rows + top - y_px
    angle = np.arctan2(dy, dx)
    outline = np.full(angle.shape, radius, np.float32)
    for wave in range(2, 7):
        outline += radius * rng.normal(0, 0.30 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * math.pi))
    inside = outline - np.hypot(dx, dy)
    coverage = np.clip(inside / (1.6 * scale) + 0.5, 0, 1).astype(np.float32)
    rim = np.exp(-((inside - 2.2 * scale) ** 2) / (2 * (1.8 * scale) ** 2))
    mottle = blurred(rng.standard_normal(angle.shape, np.float32), 3 * scale) * 3 * scale
    strength = severity * coverage * np.clip(0.72 + 0.28 * rim + 0.10 * mottle, 0.3, 1.2)
    gain = 1 + strength[..., None] * (np.array(tint, np.float32) - 1)
    return Blemish(class_name="stain", left_px=left, top_px=top, coverage=coverage, gain=gain.astype(np.float32))


def missing(class_name: str, x_px: float, y_px: float, radius_px: float) -> Blemish:
    """A feature that is not there: within the disc the part looks as if it had never been made."""
    reach = math.ceil(radius_px * 1.6)
    left, top = round(x_px) - reach, round(y_px) - reach
    rows, columns = np.mgrid[0 : 2 * reach + 1, 0 : 2 * reach + 1].astype(np.float32)
    distance = np.hypot(columns + left - x_px, rows + top - y_px)
    coverage = np.clip(radius_px - distance + 0.5, 0, 1).astype(np.float32)
    return Blemish(class_name=class_name, left_px=left, top_px=top, coverage=coverage, gain=None)


def _on_all_channels(gain: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.repeat(gain.astype(np.float32)[..., None], 3, axis=2)
