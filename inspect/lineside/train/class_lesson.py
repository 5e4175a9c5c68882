"""What a network learns classes from: pictures mirrored, moved, turned and under other lamps, in shuffled rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ClassLesson", "ClassLessonOrder", "Labelled", "varied"]

_SMOOTHING: Final = 0.1
"""Of the labels: people who sort pictures by class are not always of one mind."""
_MOST_TURNED_DEGREES: Final = 10.0
_ZOOM: Final = 0.15
_CHECKED_AT_ONCE: Final = 16

Levels = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Labelled:
    """A picture (C, H, W) from 0 to 1, and the number of its class."""

    planes: Levels
    label: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassLessonOrder:
    """`move` is how far pictures are moved at most, as a share of their sides. `mixed` is the share of batches in which
    pictures are laid over one another in pairs (mixup; Zhang et al., ICLR 2018).
    """

    seed: int
    batch: int = 32
    move: float = 0.1
    mixed: float = 0.5


class ClassLesson:
    """Batches of `learned`; the score is how many of `checked`, which are not learned from, are told rightly."""

    def __init__(
        self,
        order: ClassLessonOrder,
        *,
        learned: Sequence[Labelled],
        checked: Sequence[Labelled],
        classes: int,
        device: torch.device,
    ) -> None:
        self._order, self._learned, self._checked, self._device = order, learned, checked, device
        self._classes = classes

    def batch(self, step: int) -> Sequence[NDArray[Any]]:
        """Pictures (N, C, H, W) and targets (N, classes)."""
        order = self._order
        rng = np.random.default_rng([order.seed, step])
        chosen = [self._learned[index] for index in self._dealt(step)]
        pictures = np.stack([varied(each.planes, rng, order.move) for each in chosen])
        targets = np.full((len(chosen), self._classes), _SMOOTHING / self._classes, np.float32)
        targets[np.arange(len(chosen)), [each.label for each in chosen]] += 1 - _SMOOTHING
        if rng.random() < order.mixed:
            share = np.float32(rng.beta(0.4, 0.4))
            pictures = share * pictures + (1 - share) * pictures[::-1]
            targets = share * targets + (1 - share) * targets[::-1]
        return pictures, targets

    def loss(self, network: nn.Module, *arrays: Tensor) -> Tensor:
        """Cross-entropy against targets that are shares."""
        pictures, targets = arrays
        return functional.cross_entropy(network(pictures.to(memory_format=torch.channels_last)).float(), targets)

    def score(self, network: nn.Module) -> float:
        """The share that is told rightly; NaN where there is nothing to be checked."""
        if not self._checked:
            return float("nan")
        told = self.chances(network, [each.planes for each in self._checked]).argmax(axis=1)
        return float(np.mean(told == [each.label for each in self._checked]))

    def chances(self, network: nn.Module, pictures: Sequence[Levels]) -> NDArray[np.float32]:
        """(n, classes): the probabilities that the network gives to each class."""
        parts = []
        with torch.no_grad():
            for first in range(0, len(pictures), _CHECKED_AT_ONCE):
                some = np.stack(pictures[first : first + _CHECKED_AT_ONCE]).astype(np.float32)
                answer = network(torch.from_numpy(some).to(self._device)).float()
                parts.append(torch.softmax(answer, dim=1).cpu().numpy())
        return np.concatenate(parts)

    def _dealt(self, step: int) -> list[int]:
        """Indices of the pictures of a step: each picture once in each round."""
        count, batch = len(self._learned), self._order.batch
        places = np.arange(step * batch, (step + 1) * batch)
        rounds = {int(each): self._shuffled(int(each)) for each in np.unique(places // count)}
        return [int(rounds[int(place // count)][place % count]) for place in places]

    def _shuffled(self, number: int) -> NDArray[np.intp]:
        return np.random.default_rng([self._order.seed, 1, number]).permutation(len(self._learned))


def varied(planes: Levels, rng: np.random.Generator, move: float) -> NDArray[np.float32]:
    """Mirrored, turned a little, moved, nearer or farther, and under another lamp; (C, H, W) from 0 to 1."""
    height, width = planes.shape[1:]
    turn = cv2.getRotationMatrix2D(
        (width / 2 - 0.5, height / 2 - 0.5),
        rng.uniform(-_MOST_TURNED_DEGREES, _MOST_TURNED_DEGREES),
        np.exp(rng.uniform(-_ZOOM, _ZOOM)),
    )
    turn[:, 2] += (rng.uniform(-move, move) * width, rng.uniform(-move, move) * height)
    moved = [
        cv2.warpAffine(
            np.ascontiguousarray(plane, np.float32), turn, (width, height), borderMode=cv2.BORDER_REFLECT_101
        )
        for plane in planes
    ]
    seen = np.stack(moved)
    for axis in (1, 2):
        if rng.random() < 0.5:
            seen = np.flip(seen, axis)
    middle = seen.mean(axis=(1, 2), keepdims=True)
    contrast = np.exp(rng.normal(0, 0.2))
    lamp = rng.normal(0, 0.08) + rng.normal(0, 0.02, (len(seen), 1, 1))
    return np.ascontiguousarray(np.clip((seen - middle) * contrast + middle + lamp, 0, 1), np.float32)
