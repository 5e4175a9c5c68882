"""Pictures by class, as the network is to see them, and which of them it is checked on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lineside.core.errors import ConfigError, NotLocated
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.train.bank_choice import dealt
from lineside.train.class_lesson import Labelled
from lineside.train.dataset import LabelledPicture, TrainingSet
from lineside.train.locate_fit import LocateOrder
from lineside.train.looking import Look, look_at

__all__ = ["GOOD_CLASS", "MIN_OF_CLASS", "ByClass", "class_of", "gather_classes"]

GOOD_CLASS: Final = "good"
"""The class of pictures of good parts."""

MIN_OF_CLASS: Final = 5
"""Fewer pictures of a class teach nothing of it that holds for others."""

_FOLDS: Final = 7
_AREA_PX: Final = 65_536


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ByClass:
    """`learned` and `checked` are apart; `checked_names` are of the pictures of `checked`, in their order.

    `no_defects` are the classes that are no finding. `held_out` says where the checked pictures come from, `lost` names
    the pictures in which no part was found.
    """

    look: Look
    classes: tuple[str, ...]
    no_defects: tuple[str, ...]
    learned: Sequence[Labelled]
    checked: Sequence[Labelled]
    checked_names: Sequence[str]
    held_out: str
    lost: Sequence[str]

    def count_of(self, name: str, of: Sequence[Labelled]) -> int:
        """How many of these pictures are of a class."""
        return sum(each.label == self.classes.index(name) for each in of)


def gather_classes(
    pictures: TrainingSet,
    *,
    pixel_format: PixelFormat,
    long_side_px: int,
    locate: LocateOrder | None,
    no_defects: Collection[str],
    seed: int,
    read: Callable[[Path], Pixels],
    tick: Callable[[], None] = lambda: None,
) -> ByClass:
    """Reads every picture of train and val once. `no_defects` are classes beside `good` that are no finding.

    Raises: ConfigError.
    """
    classes = _classes(pictures)
    fine = _no_defects(classes, no_defects)
    learned, kept, how = _held_out(pictures, seed)
    frames = {each.name: read(each.path) for each in learned}
    good = [frames[each.name] for each in learned if each.good] or list(frames.values())
    look = look_at(good, pixel_format, long_side_px, locate=locate or False, area_px=_AREA_PX)
    lost: list[str] = []
    kept_names = {each.name for each in kept}
    parts: dict[bool, list[tuple[str, Labelled]]] = {False: [], True: []}
    for each in (*learned, *kept):
        frame = frames.pop(each.name, None)
        try:
            planes = look.planes_of(read(each.path) if frame is None else frame)
        except NotLocated:
            lost.append(each.name)
            continue
        finally:
            tick()
        label = Labelled(planes=np.asarray(planes, np.float16), label=classes.index(class_of(each)))
        parts[each.name in kept_names].append((each.name, label))
    if not (parts[False] and parts[True]):
        raise ConfigError(
            "no part was found in the pictures to learn from, or in those to check on",
            expected="pictures of both",
            remedy="train without --locate",
        )
    return ByClass(
        look=look,
        classes=classes,
        no_defects=fine,
        learned=[label for _, label in parts[False]],
        checked=[label for _, label in parts[True]],
        checked_names=[name for name, _ in parts[True]],
        held_out=how,
        lost=lost,
    )


def class_of(picture: LabelledPicture) -> str:
    """The class as the package names it."""
    return GOOD_CLASS if picture.good else picture.class_name


def _classes(pictures: TrainingSet) -> tuple[str, ...]:
    """Of train, the good one first. Raises: ConfigError for what cannot be learned."""
    if any(not each.good and each.class_name == GOOD_CLASS for each in (*pictures.train, *pictures.val)):
        raise ConfigError(
            f"a class of defects is called '{GOOD_CLASS}'",
            expected="that name for good parts alone: in the folder good/, or with the label good",
        )
    names = [class_of(each) for each in pictures.train]
    classes = tuple(sorted(set(names), key=lambda name: (name != GOOD_CLASS, name)))
    if len(classes) < 2:
        raise ConfigError(
            f"pictures of {len(classes)} class in train: {', '.join(classes) or 'none'}",
            expected="at least two, as good/ and defect/<class>/",
            remedy="sort the pictures into folders by class, or train from good pictures only with `lineside train`",
        )
    if few := [f"{names.count(name)} of {name}" for name in classes if names.count(name) < MIN_OF_CLASS]:
        raise ConfigError(
            f"pictures in train: {', '.join(few)}",
            expected=f"at least {MIN_OF_CLASS} of each class; 50 and more make a good model",
            remedy="photograph more of these, or leave the class out",
        )
    if strange := sorted({class_of(each) for each in pictures.val} - set(classes)):
        raise ConfigError(
            f"val has pictures of {', '.join(strange)}, train has none", expected=f"classes of {', '.join(classes)}"
        )
    return classes


def _no_defects(classes: Sequence[str], declared: Collection[str]) -> tuple[str, ...]:
    if strange := sorted(set(declared) - set(classes)):
        raise ConfigError(
            f"--no-defect {', '.join(strange)}", expected=f"some of the classes of train: {', '.join(classes)}"
        )
    fine = tuple(name for name in classes if name == GOOD_CLASS or name in declared)
    if len(fine) == len(classes):
        raise ConfigError("no class is a defect", expected=f"one that is a finding among {', '.join(classes)}")
    return fine


def _held_out(pictures: TrainingSet, seed: int) -> tuple[Sequence[LabelledPicture], Sequence[LabelledPicture], str]:
    """What is learned from, what is checked on, and how that came about."""
    if pictures.val:
        return pictures.train, pictures.val, f"{len(pictures.val)} pictures of val"
    groups: set[str] = set()
    for name in sorted({class_of(each) for each in pictures.train}):
        kind = [each for each in pictures.train if class_of(each) == name]
        folds = dealt([each.group for each in kind], _FOLDS, seed)
        if len(folds) > 1:  # a class of one group alone is learned, and not checked
            groups |= {kind[index].group for index in folds[0]}
    learned = [each for each in pictures.train if each.group not in groups]
    kept = [each for each in pictures.train if each.group in groups]
    return learned, kept, f"{len(kept)} pictures of train that were kept back, since there is no val"
