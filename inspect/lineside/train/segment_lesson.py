"""What the segmentation network learns from: crops of good and bad parts, painted and grafted defects among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lineside.train.bank_features import Planes
from lineside.train.defect_canvas import cropped
from lineside.train.defect_shapes import softened
from lineside.train.defects import Canvas, Levels, Painted, paint
from lineside.train.segment_network import STRIDE
from lineside.train.segment_scores import Seen, auroc_of, best_f1, picture_scores

__all__ = ["LessonOrder", "SegmentLesson", "Specimen", "answers"]

_PIXEL_COVERED: Final = 0.25
"""A logit stands for a defect where this share of its pixels is one: thin scratches count."""
_AS_TELLING: Final = 20
"""So many bad parts tell as much of what defects look like as all painted ones; with more, more flaws are theirs."""
_SECOND_FLAW: Final = 0.3
_ON_PART: Final = 0.85
_TURNED: Final = 0.5
_EPSILON: Final = 1e-6

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Specimen:
    """A bad part with its mask: `planes` (C, H, W) from 0 to 1, `mask` (H, W)."""

    planes: Levels
    mask: Mask


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonOrder:
    """`bad_share` of the crops are of bad parts, where there are any. Of the others `painted_share` get a defect: a
    painted one, or a real one of another part, the more often the more bad parts there are.
    """

    seed: int
    crop_px: int = 128
    batch: int = 16
    bad_share: float = 0.5
    painted_share: float = 0.5


class SegmentLesson:
    """Crops to learn from, and whole pictures to be scored on."""

    def __init__(
        self,
        order: LessonOrder,
        *,
        good: Sequence[Canvas],
        bad: Sequence[Specimen],
        usual: Planes | None,
        checked: Sequence[Seen],
        device: torch.device,
    ) -> None:
        """`usual` (C, H, W) is the median good picture, where the network compares with it. `checked` are pictures
        that are not learned from.
        """
        self._order, self._good, self._bad, self._usual = order, good, bad, usual
        self._checked, self._device = checked, device
        self._places = [np.argwhere(specimen.mask) for specimen in bad]

    def batch(self, step: int) -> Sequence[NDArray[Any]]:
        """Pictures (N, C, s, s), targets (N, 1, s / 2, s / 2) and, with a usual picture, its crops like the first."""
        rng = np.random.default_rng([self._order.seed, step])
        crops = [self._crop(rng, place) for place in range(self._order.batch)]
        pictures, masks, usual = ([each[part] for each in crops] for part in range(3))
        covered = np.stack(masks)[:, None].astype(np.float32)
        count, _, side, _ = covered.shape
        halved = covered.reshape(count, 1, side // STRIDE, STRIDE, side // STRIDE, STRIDE).mean(axis=(3, 5))
        targets = (halved >= _PIXEL_COVERED).astype(np.float32)
        return (np.stack(pictures), targets, *([np.stack(usual)] if self._usual is not None else []))

    def loss(self, network: nn.Module, *arrays: Tensor) -> Tensor:
        """2 binary cross-entropy + focal + 0.5 Dice, over the batch."""
        pictures, targets, *usual = arrays
        logits = network(pictures.to(memory_format=torch.channels_last), *usual).float()
        entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        chance = torch.sigmoid(logits)
        missed = chance + targets - 2 * chance * targets  # 1 - the chance given to what is true
        shared = 2 * (chance * targets).sum() + 1
        dice = 1 - shared / (chance.sum() + targets.sum() + 1)
        return 2 * entropy.mean() + (missed**2 * entropy).mean() + 0.5 * dice

    def score(self, network: nn.Module) -> float:
        """The mean of the AUROC of pictures and the best F1 of pixels, each where it can be told."""
        maps = answers(network, [seen.planes for seen in self._checked], self._usual, self._device)
        bad = [not seen.good for seen in self._checked]
        parts = [auroc_of(picture_scores(maps), bad), best_f1(maps, [seen.mask for seen in self._checked])]
        known = [part for part in parts if not np.isnan(part)]
        return float(np.mean(known)) if known else float("nan")

    def _crop(self, rng: np.random.Generator, place: int) -> tuple[Planes, Mask, Planes]:
        order = self._order
        if self._bad and place < round(order.batch * order.bad_share):
            index = int(rng.integers(len(self._bad)))
            specimen = self._bad[index]
            at = self._places[index][int(rng.integers(len(self._places[index])))]
            top, left = self._corner(specimen.planes, at + rng.normal(0, order.crop_px / 5, 2))
            planes, mask = self._cut(specimen.planes, top, left), self._cut(specimen.mask[None], top, left)[0]
        else:
            canvas = self._good[int(rng.integers(len(self._good)))]
            top, left = self._corner(canvas.planes, self._somewhere(canvas, rng))
            side = cropped(canvas, top, left, order.crop_px)
            painted = self._flawed(side, rng) if rng.random() < order.painted_share else None
            planes = self._cut(side.planes if painted is None else painted.planes, 0, 0)
            mask = np.zeros(planes.shape[1:], np.bool_)
            if painted is not None:
                mask = self._cut(painted.mask[None], 0, 0)[0]
        usual = planes if self._usual is None else self._cut(self._usual, top, left)
        return _augmented(planes, mask, usual, rng)

    def _somewhere(self, canvas: Canvas, rng: np.random.Generator) -> NDArray[np.float64]:
        """Row and column of the middle of a crop; most often on the part, where it is known."""
        if canvas.part is not None and rng.random() < _ON_PART:
            box = cv2.boundingRect(canvas.part.astype(np.uint8))
            return np.array([box[1], box[0]]) + rng.random(2) * (box[3], box[2])
        return rng.random(2) * canvas.shape

    def _corner(self, planes: Levels, middle: NDArray[np.float64]) -> tuple[int, int]:
        """Top left of a crop about this middle, moved into the picture."""
        spare = np.maximum(np.array(planes.shape[1:]) - self._order.crop_px, 0)
        top, left = np.clip(np.rint(middle - self._order.crop_px / 2), 0, spare).astype(int)
        return int(top), int(left)

    def _cut(self, planes: NDArray[Any], top: int, left: int) -> NDArray[Any]:
        """A crop as float32 or bool; a picture smaller than one is continued by its mirror."""
        side = self._order.crop_px
        cut = planes[:, top : top + side, left : left + side]
        missing = [(0, 0), *((0, side - length) for length in cut.shape[1:])]
        kind = np.bool_ if planes.dtype == np.bool_ else np.float32
        return np.pad(cut, missing, mode="symmetric").astype(kind) if any(map(sum, missing)) else cut.astype(kind)

    def _flawed(self, canvas: Canvas, rng: np.random.Generator) -> Painted:
        if rng.random() < len(self._bad) / (len(self._bad) + _AS_TELLING):
            return self._grafted(canvas, rng)
        painted = paint(canvas, rng)
        if rng.random() < _SECOND_FLAW:
            second = paint(replace(canvas, planes=painted.planes), rng)
            painted = Painted(planes=second.planes, mask=painted.mask | second.mask, kind=painted.kind)
        return painted

    def _grafted(self, canvas: Canvas, rng: np.random.Generator) -> Painted:
        """A real defect of another part, with its own brightness against its surroundings, turned or mirrored."""
        index = int(rng.integers(len(self._bad)))
        specimen = self._bad[index]
        at = self._places[index][int(rng.integers(len(self._places[index])))]
        top, left = self._corner(specimen.planes, at.astype(np.float64))
        planes, mask = self._cut(specimen.planes, top, left), self._cut(specimen.mask[None], top, left)[0]
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
        planes, mask = np.rot90(planes, turns, (1, 2)), np.rot90(mask, turns)
        if mirrored:
            planes, mask = planes[:, :, ::-1], mask[:, ::-1]
        height, width = canvas.shape
        planes, mask = planes[:, :height, :width], mask[:height, :width]
        if planes.shape[1:] != canvas.shape or not mask.any() or mask.all():
            return Painted(planes=canvas.planes, mask=np.zeros(canvas.shape, np.bool_), kind="graft")
        alpha = softened(np.asarray(cv2.dilate(mask.astype(np.float32), np.ones((3, 3))), np.float32), 1.0)
        around = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))).astype(np.bool_) & ~mask
        around = around if around.any() else ~mask
        host = np.asarray(canvas.planes, np.float32)
        level = np.stack([host[:, around].mean(axis=1), planes[:, around].mean(axis=1)])[:, :, None, None]
        grafted = host + alpha * (planes - level[1] + level[0] - host)
        return Painted(planes=np.asarray(np.clip(grafted, 0, 1), np.float32), mask=mask, kind="graft")


def answers(network: nn.Module, pictures: Sequence[Levels], usual: Planes | None, device: torch.device) -> list[Planes]:
    """The logits (h, w) for whole pictures (C, H, W), one at a time."""
    beside = [] if usual is None else [torch.from_numpy(np.asarray(usual, np.float32))[None].to(device)]
    maps = []
    with torch.no_grad():
        for planes in pictures:
            picture = torch.from_numpy(np.asarray(planes, np.float32))[None].to(device)
            logits = network(picture.contiguous(memory_format=torch.channels_last), *beside)
            maps.append(np.asarray(logits[0, 0].float().cpu().numpy(), np.float32))
    return maps


def _augmented(planes: Planes, mask: Mask, usual: Planes, rng: np.random.Generator) -> tuple[Planes, Mask, Planes]:
    """Mirrored, turned, and under another lamp; the usual picture goes along, but keeps its lamp."""
    for axis in (1, 2):
        if rng.random() < 0.5:
            planes, usual, mask = np.flip(planes, axis), np.flip(usual, axis), np.flip(mask, axis - 1)
    if rng.random() < 0.5:
        planes, usual, mask = planes.transpose(0, 2, 1), usual.transpose(0, 2, 1), mask.T
    if rng.random() < _TURNED:
        planes, mask, usual = _turned(planes, mask, usual, rng)
    lamp = rng.normal(1, 0.12) * rng.normal(1, 0.04, (len(planes), 1, 1))
    lit = planes ** np.float32(np.exp(rng.normal(0, 0.12))) * np.float32(lamp) + np.float32(rng.normal(0, 0.03))
    if rng.random() < 0.2:
        sigma_px = rng.uniform(0.3, 1.0)
        lit = np.stack([softened(np.asarray(plane, np.float32, order="C"), sigma_px) for plane in lit])
    lit = lit + np.float32(rng.uniform(0, 0.02)) * rng.standard_normal(lit.shape, np.float32)
    return (
        np.ascontiguousarray(np.clip(lit, 0, 1), np.float32),
        np.ascontiguousarray(mask),
        np.ascontiguousarray(usual, np.float32),
    )


def _turned(planes: Planes, mask: Mask, usual: Planes, rng: np.random.Generator) -> tuple[Planes, Mask, Planes]:
    side = planes.shape[1]
    middle = (side / 2 - 0.5, side / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(middle, rng.uniform(-15, 15), rng.uniform(0.8, 1.25))

    def turned(plane: NDArray[Any]) -> NDArray[np.float32]:
        plane = np.ascontiguousarray(plane, np.float32)
        return np.asarray(cv2.warpAffine(plane, turn, (side, side), borderMode=cv2.BORDER_REFLECT), np.float32)

    return (
        np.stack([turned(plane) for plane in planes]),
        np.asarray(turned(mask) > 0.5, np.bool_),
        np.stack([turned(plane) for plane in usual]),
    )
