"""The same parts shown again: a little moved, under a little other light, with noise. Is the answer the same?

An attribute agreement analysis, as quality engineers know it (AIAG, "Measurement Systems Analysis", 4th edition 2010,
chapter III.C), with ways of presenting the part in the place of operators. The presentations are made from the picture,
so they are kinder than a second photograph: what differs here will differ on the line, not the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Frame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.qualify.document import Agreement, Presentation, Repeatability, ShownAgain
from lineside.qualify.judging import Judge
from lineside.qualify.picture import Judged
from lineside.statistics.agreement import Kappa, cohen, fleiss

__all__ = ["WAYS", "RepeatOrder", "chosen", "presented", "show_again"]

WAYS: Final = ("as taken", "moved", "other light", "noise", "all three")
"""In this order; the first is the same picture again, which must give the same answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatOrder:
    """How parts are shown again.

    They are moved by up to `shift_px` each way, the light is up to the share `light` brighter or darker, the noise has
    a standard deviation of `noise` grey levels of 255. `parts` are shown `trials` times in each way.
    """

    parts: int = 20
    trials: int = 3
    shift_px: float = 2.0
    light: float = 0.05
    noise: float = 2.0
    seed: int = 0

    @property
    def presentations(self) -> int:
        """Of each part."""
        return self.trials * len(WAYS)


def chosen(judged: Sequence[Judged], count: int, threshold: float) -> tuple[Judged, ...]:
    """One picture each of up to `count` parts, half of them good where there are enough.

    Of a part with several pictures it is the closest call. The parts are spread evenly over the ranks of their
    scores, the extremes included, so that close calls are among them. A picture that was NOT_INSPECTED has no rank.
    """
    closest: dict[tuple[str, bool], Judged] = {}
    for each in sorted(judged, key=lambda each: (abs(each.score - threshold), each.name)):
        if each.inspected:
            closest.setdefault(each.part, each)
    good = sorted((each for each in closest.values() if each.good), key=lambda each: (each.score, each.name))
    bad = sorted((each for each in closest.values() if not each.good), key=lambda each: (each.score, each.name))
    of_good = min(len(good), max(count // 2, count - len(bad)))
    return (*_spread(good, of_good), *_spread(bad, min(len(bad), count - of_good)))


def show_again(
    judge: Judge,
    judged: Sequence[Judged],
    frame_of: Callable[[Judged], Frame],
    order: RepeatOrder,
    confidence: float,
    tick: Callable[[], None] = lambda: None,
) -> Repeatability:
    """Judges every presentation of these parts, two or more. `tick` is called after each. Blocks."""
    parts = [_shown(judge, each, frame_of(each), order, tick) for each in judged]

    def rated(ways: Sequence[str]) -> list[list[bool]]:
        return [[word for way in part.presentations if way.name in ways for word in way.rejected] for part in parts]

    everything = rated(WAYS)
    truth = [[not part.good] * len(row) for part, row in zip(parts, everything, strict=True)]
    as_it_is = [[each.rejected] * len(row) for each, row in zip(judged, everything, strict=True)]
    bad = [word for part, row in zip(parts, everything, strict=True) if not part.good for word in row]
    good = [word for part, row in zip(parts, everything, strict=True) if part.good for word in row]
    within = (
        tuple(_told(fleiss(rated([way]), what=f"{way}, trial to trial", confidence=confidence)) for way in WAYS)
        if order.trials > 1
        else ()
    )
    return Repeatability(
        trials=order.trials,
        shift_px=order.shift_px,
        light=order.light,
        noise=order.noise,
        within=within,
        between=_told(fleiss(everything, what="all presentations among each other", confidence=confidence)),
        against_truth=_told(
            cohen(everything, truth, what="all presentations against the truth", confidence=confidence)
        ),
        as_taken=_told(
            cohen(everything, as_it_is, what="all presentations against the picture as it is", confidence=confidence)
        ),
        missed=len(bad) - sum(bad),
        of_bad=len(bad),
        false_alarms=sum(good),
        of_good=len(good),
        parts=tuple(parts),
    )


def presented(pixels: Pixels, pixel_format: PixelFormat, way: str, order: RepeatOrder, rng: np.random.Generator) -> Any:
    """The same part shown in that way; a new array of the same shape, dtype and range."""
    top = float(pixel_format.max_value)
    values: NDArray[np.float32] = pixels.astype(np.float32)
    if way in ("moved", "all three"):
        shift = rng.uniform(-order.shift_px, order.shift_px, 2)
        matrix = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
        size = (pixels.shape[1], pixels.shape[0])
        moved = cv2.warpAffine(values, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        values = np.asarray(moved, np.float32)
    if way in ("other light", "all three"):
        values = values * np.float32(rng.uniform(1 - order.light, 1 + order.light))
    if way in ("noise", "all three"):
        values = values + rng.normal(0, order.noise * top / 255, values.shape).astype(np.float32)
    return np.clip(np.round(values), 0, top).astype(pixels.dtype)


def _shown(judge: Judge, judged: Judged, frame: Frame, order: RepeatOrder, tick: Callable[[], None]) -> ShownAgain:
    # The same part is shown in the same ways whoever else is in the study.
    rng = np.random.default_rng([order.seed, *judged.name.encode()])
    presentations = []
    for way in WAYS:
        rejected, scores = [], []
        for _ in range(order.trials):
            looked = judge.look(judge.frame_of(presented(frame.pixels, frame.pixel_format, way, order, rng)))
            rejected.append(looked.rejected)
            scores.append(looked.score if math.isfinite(looked.score) else None)
            tick()
        presentations.append(Presentation(name=way, rejected=tuple(rejected), scores=tuple(scores)))
    return ShownAgain(
        name=judged.name,
        good=judged.good,
        score=judged.score,
        rejected=judged.rejected,
        flips=sum(word is not judged.rejected for way in presentations for word in way.rejected),
        presentations=tuple(presentations),
    )


def _spread(ordered: Sequence[Judged], count: int) -> tuple[Judged, ...]:
    """So many of them, evenly, first and last included."""
    places = np.unique(np.round(np.linspace(0, len(ordered) - 1, count)).astype(int)) if count else ()
    return tuple(ordered[place] for place in places)


def _told(kappa: Kappa) -> Agreement:
    return Agreement(
        what=kappa.what,
        kappa=kappa.value,
        low=kappa.low,
        high=kappa.high,
        agreed=kappa.parts.count,
        of=kappa.parts.of,
        words=kappa.words,
    )
