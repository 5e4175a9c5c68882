"""What tells good from bad in these pictures without looking at the part: then a good figure proves nothing.

A set of pictures can give the label away: bad parts were photographed on another day, under another lamp, or saved
by another program. Each suspect is held against the labels by its AUROC. It is told when it separates beyond chance
as if every picture were a part of its own, also considering how many suspects there are: a warning may come too
often, and the bounds by part say how sure it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.frame import Frame
from lineside.imaging.draw import as_bgr8
from lineside.qualify.document import AreaFigure, Trap
from lineside.qualify.picture import Judged
from lineside.statistics.ranking import Area, area, area_bounds
from lineside.statistics.wording import percent

__all__ = ["Clues", "clues_of", "in_words", "traps_of"]

BORDER_SHARE: Final = 0.05
"""So much of each side is border, as a share of the shorter side."""
TOLD_FROM: Final = 0.7
"""A weaker clue is beyond chance in a large set, and explains little."""
_FOLDS: Final = 10
_RIDGE: Final = 0.1
_LEAST: Final = 3
"""Fewer parts of either kind say nothing about a suspect."""
_SIDE_PX: Final = 256

Values = NDArray[np.float64]
Name = Literal["border", "border brightness", "brightness", "file size", "order"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Clues:
    """What one picture gives away. `border` (8,): mean and spread of blue, green, red and brightness at the border."""

    border: Values
    border_brightness: float
    brightness: float
    file_bytes: float
    order: float | None


def clues_of(frame: Frame, file_bytes: int, name: str) -> Clues:
    """Of one picture; `order` is the last long number in its file's name, such as a time, where there is one."""
    height, width = frame.pixels.shape[:2]
    picture = as_bgr8(frame.pixels, frame.pixel_format)
    share = min(1.0, _SIDE_PX / max(height, width))
    size = max(16, round(width * share)), max(16, round(height * share))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    planes = np.dstack([small, small.mean(axis=2)])
    wide = max(1, round(BORDER_SHARE * min(planes.shape[:2])))
    ring = np.ones(planes.shape[:2], np.bool_)
    ring[wide:-wide, wide:-wide] = False
    border = planes[ring]
    return Clues(
        border=np.concatenate([border.mean(axis=0), border.std(axis=0)]),
        border_brightness=float(border[:, 3].mean()),
        brightness=float(planes[..., 3].mean()),
        file_bytes=float(file_bytes),
        order=_number_in(name),
    )


def traps_of(judged: Sequence[Judged], clues: Mapping[str, Clues], confidence: float) -> tuple[Trap, ...]:
    """Every suspect, the strongest first. `clues` are by the picture's name."""
    good = np.array([each.good for each in judged], np.bool_)
    parts = [len({each.group for each in judged if each.good is kind}) for kind in (True, False)]
    if min(parts, default=0) < _LEAST:
        return ()
    seen = [clues[each.name] for each in judged]
    suspects: list[tuple[Name, Values | None]] = [
        ("border", _held_out(np.stack([each.border for each in seen]), good, [each.group for each in judged])),
        ("border brightness", np.array([each.border_brightness for each in seen])),
        ("brightness", np.array([each.brightness for each in seen])),
        ("file size", np.array([each.file_bytes for each in seen])),
        ("order", _orders(seen)),
    ]
    # The bounds of all of them together hold with the confidence (Bonferroni).
    each_confidence = 1 - (1 - confidence) / len(suspects)
    traps = [_trap(name, values, good, parts, each_confidence) for name, values in suspects]
    return tuple(sorted(traps, key=lambda trap: -(trap.auroc.value if trap.auroc else 0)))


def _trap(name: Name, values: Values | None, good: NDArray[np.bool_], parts: Sequence[int], confidence: float) -> Trap:
    if values is None:
        return Trap(
            name=name,
            auroc=None,
            auroc_by_part=None,
            told=False,
            words="The number in the file's name: not every name has one.",
        )
    value = area(values[good], values[~good])
    # The discriminant knows which way bad is; where it is wrong on pictures that it has not seen, it knows nothing.
    separates = value if name == "border" else max(value, 1 - value)
    counted = area_bounds(separates, int(good.sum()), int((~good).sum()), confidence=confidence)
    by_part = area_bounds(separates, *parts, confidence=confidence)
    told = counted.low > 0.5 and separates >= TOLD_FROM
    figure = f"AUROC {separates:.2f} ({_between(counted)} with {percent(confidence)} confidence"
    if sum(parts) < len(good):
        figure += f" if each picture were a part, {_between(by_part)} by the {sum(parts)} parts"
    subject = in_words(name)[0].upper() + in_words(name)[1:]
    words = f"{subject} alone tells good from bad: {figure})." if told else f"{subject}: {figure})."
    return Trap(name=name, auroc=_figure(counted), auroc_by_part=_figure(by_part), told=told, words=words)


def _between(bounds: Area) -> str:
    return f"{bounds.low:.2f} to {bounds.high:.2f}"


def _figure(bounds: Area) -> AreaFigure:
    return AreaFigure(value=bounds.value, low=bounds.low, high=bounds.high)


def in_words(name: Name) -> str:
    """The suspect in words, as within a sentence."""
    return {
        "border": f"the colour of the outer {percent(BORDER_SHARE)} of the picture",
        "border brightness": f"the brightness of the outer {percent(BORDER_SHARE)} of the picture",
        "brightness": "the brightness of the whole picture",
        "file size": "the size of the file",
        "order": "the order of the numbers in the files' names",
    }[name]


def _held_out(features: Values, good: NDArray[np.bool_], groups: Sequence[str]) -> Values:
    """A score for each picture, by a linear discriminant of the others; pictures of one group are left out together."""
    spread = features.std(axis=0)
    z = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    names = sorted(set(groups))
    order = np.random.default_rng(0).permutation(len(names))
    fold_of = {names[index]: place % _FOLDS for place, index in enumerate(order)}
    folds = np.array([fold_of[group] for group in groups])
    scores = np.zeros(len(z))
    for fold in np.unique(folds):
        left = folds == fold
        known_good, known_bad = z[~left & good], z[~left & ~good]
        if not len(known_good) or not len(known_bad):
            continue
        within = np.cov(known_good.T, bias=True) * len(known_good) + np.cov(known_bad.T, bias=True) * len(known_bad)
        within = within / (len(known_good) + len(known_bad)) + _RIDGE * np.eye(z.shape[1])
        direction = np.linalg.solve(within, known_bad.mean(axis=0) - known_good.mean(axis=0))
        middle = (known_bad.mean(axis=0) + known_good.mean(axis=0)) / 2
        scores[left] = (z[left] - middle) @ direction
    return scores


def _number_in(name: str) -> float | None:
    """The longest run of digits in the file's own name: a time or a running number; folders may be the label itself."""
    runs = re.findall(r"\d+", name.rpartition("/")[2])
    return float(max(runs, key=len)) if runs else None


def _orders(seen: Sequence[Clues]) -> Values | None:
    orders = [each.order for each in seen if each.order is not None]
    return np.array(orders) if len(orders) == len(seen) else None
