"""Pictures and masks as the segmentation network is to see them, and which of them it is scored on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import ConfigError, NotLocated
from lineside.core.frame import Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.placement import LocatedPlacement
from lineside.train.bank_choice import dealt
from lineside.train.dataset import LabelledPicture, TrainingSet
from lineside.train.defects import Levels
from lineside.train.locate_fit import LocateOrder
from lineside.train.looking import Look, look_at
from lineside.train.segment_lesson import Specimen
from lineside.train.segment_scores import Seen
from lineside.train.training_images import size_of

__all__ = ["MIN_BAD_MASKED", "MIN_GOOD", "Gathered", "gather"]

MIN_GOOD: Final = 8
MIN_BAD_MASKED: Final = 5
"""Fewer bad parts with masks teach nothing that painted defects do not."""

_LEAST_CHECKED: Final = 3
"""With fewer good pictures in val, some of train are kept for checks."""
_FOLDS: Final = 5

Read = Callable[[Path], Pixels]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gathered:
    """`good` (C, H, W) and `bad` are learned from; `checked` are not.

    `held_out` says where the pictures that are checked come from. `lost` names the pictures in which no part was
    found, `without_mask` the bad ones of train that nothing can be learned from.
    """

    look: Look
    good: Sequence[Levels]
    bad: Sequence[Specimen]
    checked: Sequence[Seen]
    held_out: str
    lost: Sequence[str]
    without_mask: Sequence[str]


def gather(
    pictures: TrainingSet,
    *,
    pixel_format: PixelFormat,
    long_side_px: int,
    locate: LocateOrder | None,
    masks: bool,
    seed: int,
    read: Read,
    read_mask: Read,
    tick: Callable[[], None] = lambda: None,
) -> Gathered:
    """Reads every picture of train and val once. With `masks` bad ones of train are learned from, else left alone.

    `read_mask` gives (H, W) at the frame's size, 255 where a defect is. Raises: ConfigError.
    """
    wanted = [each for each in pictures.train if each.good or masks]
    _check_counts(wanted, masks=masks)
    _check_masks([*wanted, *pictures.val])
    frames = {each.name: read(each.path) for each in wanted if each.good}
    look = look_at(list(frames.values()), pixel_format, long_side_px, locate=locate or False)
    learned, kept, how = _held_out(wanted, pictures.val, seed)
    lost: list[str] = []
    good: list[Levels] = []
    bad: list[Specimen] = []
    checked: list[Seen] = []
    for each in (*learned, *kept):
        frame = frames.pop(each.name, None)
        try:
            planes, mask = _looked_at(look, each, read(each.path) if frame is None else frame, read_mask)
        except NotLocated:
            lost.append(each.name)
            continue
        finally:
            tick()
        if each in kept:
            checked.append(Seen(planes=planes, good=each.good, mask=mask))
        elif each.good:
            good.append(planes)
        elif mask is not None and mask.any():
            bad.append(Specimen(planes=planes, mask=mask))
    if not good or not any(seen.good for seen in checked):
        raise ConfigError(
            f"{len(good)} good pictures are left to learn from and {sum(seen.good for seen in checked)} to check on; "
            f"{len(lost)} show no part",
            expected="some of either: of other parts, so in groups of their own",
            remedy="photograph more good parts, or put some of them into val",
        )
    without = [each.name for each in learned if not each.good and each.mask is None]
    return Gathered(look=look, good=good, bad=bad, checked=checked, held_out=how, lost=lost, without_mask=without)


def _check_counts(pictures: Sequence[LabelledPicture], *, masks: bool) -> None:
    good, bad = sum(each.good for each in pictures), [each for each in pictures if not each.good]
    if good < MIN_GOOD:
        raise ConfigError(
            f"{good} good pictures to train on",
            expected=f"at least {MIN_GOOD}; 30 and more make a good model",
            remedy="photograph more good parts",
        )
    masked = sum(each.mask is not None for each in bad)
    if masks and masked < MIN_BAD_MASKED:
        raise ConfigError(
            f"{len(bad)} bad pictures in train, {masked} of them with a mask",
            expected=f"at least {MIN_BAD_MASKED} with a mask, an 8-bit picture that is above 127 where the defect is, "
            "below masks/ or named in split.csv",
            remedy="draw masks, or train from good pictures only with `lineside train synthetic` or `bank`",
        )


def _check_masks(pictures: Sequence[LabelledPicture]) -> None:
    """A mask lies over its picture pixel by pixel, before either is made another size."""
    for picture in pictures:
        if picture.mask is not None and (sizes := (size_of(picture.mask), size_of(picture.path)))[0] != sizes[1]:
            raise ConfigError(
                f"{picture.mask} has {sizes[0][0]}x{sizes[0][1]} px",
                expected=f"{sizes[1][0]}x{sizes[1][1]} px, as {picture.name} has",
                remedy="draw the mask on the picture as it is",
            )


def _held_out(
    train: Sequence[LabelledPicture], val: Sequence[LabelledPicture], seed: int
) -> tuple[list[LabelledPicture], list[LabelledPicture], str]:
    """What is learned from, what is checked on, and how that came about."""
    if sum(each.good for each in val) >= _LEAST_CHECKED:
        return list(train), list(val), f"{len(val)} pictures of val"
    kept: list[LabelledPicture] = []
    for good in (True, False):
        kind = [each for each in train if each.good == good]
        if kind:
            kept += [kind[index] for index in dealt([each.group for each in kind], _FOLDS, seed)[0]]
    learned = [each for each in train if each not in kept]
    both = {each.group for each in learned} & {each.group for each in kept}
    kept += [each for each in learned if each.group in both]  # a group with good and bad ones is not torn apart
    learned = [each for each in learned if each.group not in both]
    return learned, [*kept, *val], f"{len(kept)} pictures of train that were kept back, and {len(val)} of val"


def _looked_at(
    look: Look, picture: LabelledPicture, frame: Pixels, read_mask: Read
) -> tuple[Levels, NDArray[np.bool_] | None]:
    """The picture as the graph sees it, and where its defects are; None where that is not known."""
    tensor, place = look.preparation.prepare(frame)
    planes: Levels = np.asarray(np.asarray(tensor[0], np.float32) / look.spec.pixel_format.max_value, np.float16)
    height, width = planes.shape[1:]
    if picture.good:
        return planes, np.zeros((height, width), np.bool_)
    if picture.mask is None:
        return planes, None
    mask = read_mask(picture.mask)
    if isinstance(place, LocatedPlacement):
        mask = place.pose.seen(mask, (place.frame_width_px, place.frame_height_px), (0.0,))
    return planes, np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) > 127, np.bool_)
