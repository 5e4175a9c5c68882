"""From several good pictures to what good light is: brightness, colour and sharpness, and how much they vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.calibrate.detection import grey_of
from lineside.calibrate.frames import Shot
from lineside.calibrate.selection import LeftOut
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.light_grid import Placement, light_of, placement_of, reference_picture

__all__ = ["MIN_GOOD", "PLACEMENT_FIGURES", "LightFit", "fit_light"]

Floats = NDArray[np.float64]

MIN_GOOD = 5
"""The scatter of five is known to a third; ten are better."""

UNLIKE = 0.25
"""Brightness beyond this share of the usual one's: another exposure, or the light off."""

BLURRED = 0.6
"""Sharpness below this share of the usual one's."""

CLIPPED = 0.02
"""Share of values at the largest, above the usual picture's."""

DARKEST = 0.02
"""Mean brightness, as a share of the largest value, below which there is nothing to compare."""

PLACEMENT_FIGURES = ("shift_x_px", "shift_y_px", "rotation_deg", "scale")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LightFit:
    """What good pictures have in common.

    `mean` and `scatter` are float64 (figures, rows, columns), as `imaging.light_grid.LightGrid.values` has them;
    `scatter` is the standard deviation from picture to picture. `whole_scatter` is (figures,): that of the mean over
    the frame. `reference` is a small picture, uint8; `placed` (pictures, 4) how each lies over it, in the order of
    PLACEMENT_FIGURES, not a number where that cannot be told. `sample` is one picture in full.
    """

    pixel_format: PixelFormat
    names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    mean: Floats
    scatter: Floats
    whole_scatter: Floats
    reference: NDArray[np.uint8]
    placed: Floats
    sample: NDArray[np.uint8]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should look at before the reference is used, a sentence each."""
        told = []
        relative = float(self.whole_scatter[0] / self.mean[0].mean())
        if relative > 0.05:
            told.append(f"brightness varies by {relative:.0%} between good pictures: only larger changes will be seen")
        if np.isnan(self.placed).any():
            told.append("the pictures do not show the same thing in the same place: a shift will not be seen")
        return tuple(told)


def fit_light(shots: Sequence[Shot], pixel_format: PixelFormat) -> LightFit:
    """The reference. Raises: ConfigError, with every picture's reason, when too few are good and alike."""
    if not shots:
        raise ConfigError("no pictures", expected=f"at least {MIN_GOOD} of good parts")
    grids = np.array([light_of(shot.pixels, pixel_format).values for shot in shots])
    bright, sharp = grids[:, 0].mean(axis=(1, 2)), grids[:, 1].mean(axis=(1, 2))
    clipped = np.array([float((shot.pixels == pixel_format.max_value).mean()) for shot in shots])
    usual = {"bright": float(np.median(bright)), "sharp": float(np.median(sharp)), "clipped": float(np.median(clipped))}

    def trouble(number: int) -> str:
        if bright[number] < DARKEST:
            return f"dark: mean brightness {bright[number]:.1%} of the largest value"
        if abs(change := bright[number] / usual["bright"] - 1) > UNLIKE:
            return f"{abs(change):.0%} {'brighter' if change > 0 else 'darker'} than the others"
        if clipped[number] > usual["clipped"] + CLIPPED:
            return f"clipped: {clipped[number]:.0%} of it is at the largest value, {usual['clipped']:.0%} in the others"
        if sharp[number] < BLURRED * usual["sharp"]:
            return f"blurred: {sharp[number] / usual['sharp']:.0%} as sharp as the others"
        return ""

    reasons = [trouble(number) for number in range(len(shots))]
    used = [number for number, reason in enumerate(reasons) if not reason]
    left_out = [LeftOut(name=shot.name, reason=reason) for shot, reason in zip(shots, reasons, strict=True) if reason]
    if len(used) < MIN_GOOD:
        told = "".join(f"\n{each.name}: {each.reason}" for each in left_out)
        raise ConfigError(
            f"{len(used)} of {len(shots)} pictures are of use{told}",
            expected=f"at least {MIN_GOOD} of good parts, taken as the station takes them",
            remedy="take more with the light, focus and exposure of the inspection, of different good parts",
        )
    kept = grids[used]
    greys = [grey_of(shots[number].pixels, pixel_format) for number in used]
    reference = reference_picture(greys[0])
    return LightFit(
        pixel_format=pixel_format,
        names=tuple(shots[number].name for number in used),
        left_out=tuple(left_out),
        mean=kept.mean(axis=0),
        scatter=kept.std(axis=0, ddof=1),
        whole_scatter=kept.mean(axis=(2, 3)).std(axis=0, ddof=1),
        reference=reference,
        placed=np.array([_figures(placement_of(grey, reference)) for grey in greys]),
        sample=greys[0],
    )


def _figures(placement: Placement | None) -> list[float]:
    return [float("nan") if placement is None else getattr(placement, name) for name in PLACEMENT_FIGURES]
