"""What a backbone learns from good parts alone: to see a place alike under any lamp, and places unlike one another.

VICReg (Bardes et al., ICLR 2022) at every place: two pictures of one crop under other lamps are to give the same code,
while over all places of a batch each number of a code varies, and no two of them vary together.
"""

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

from lineside.train.bank_features import Planes
from lineside.train.defects import Levels
from lineside.train.patch_features import FeatureNetwork, seen_by

__all__ = ["BackboneLesson", "BackboneLessonOrder", "Pupil"]

_INVARIANCE, _VARIANCE, _COVARIANCE = 25.0, 25.0, 1.0
"""Weights of the three terms, as in the paper."""

_HIDDEN, _CODE = 256, 96
_CHECKED_CROPS: Final = 32
_CHECKED_AT_ONCE: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneLessonOrder:
    """How many crops a step looks at, each under two lamps."""

    seed: int
    crop_px: int = 96
    batch: int = 16


class Pupil(nn.Module):
    """Features of a backbone, and the codes by which they are taught; the codes are not kept."""

    def __init__(self, features: FeatureNetwork) -> None:
        super().__init__()
        self.features = features
        count = len(seen_by(features.eval(), np.zeros((features.rgb.channels, 64, 64), np.float32)))
        self.norm = nn.BatchNorm2d(count)
        self.codes = nn.Sequential(
            nn.Conv2d(count, _HIDDEN, 1, bias=False), nn.BatchNorm2d(_HIDDEN), nn.ReLU(), nn.Conv2d(_HIDDEN, _CODE, 1)
        )

    def forward(self, levels: Tensor) -> Tensor:
        """(N * h * w, code) of pictures (N, C, H, W) from 0 to 1."""
        codes = self.codes(self.norm(self.features(levels))).float()
        return codes.permute(0, 2, 3, 1).reshape(-1, _CODE)


class BackboneLesson:
    """Crops of `learned`; the score is the loss on crops of `checked`, which are not learned from, below nought."""

    def __init__(
        self,
        order: BackboneLessonOrder,
        *,
        learned: Sequence[Levels],
        checked: Sequence[Levels],
        device: torch.device,
    ) -> None:
        self._order, self._learned, self._device = order, learned, device
        rng = np.random.default_rng([order.seed, 1])
        crops = [self._crop(checked, rng) for _ in range(_CHECKED_CROPS)] if checked else []
        self._checked = [(_lit(crop, rng), _lit(crop, rng)) for crop in crops]

    def batch(self, step: int) -> Sequence[NDArray[Any]]:
        """The same crops (N, C, s, s) under one lamp and under another."""
        rng = np.random.default_rng([self._order.seed, 2, step])
        crops = [self._crop(self._learned, rng) for _ in range(self._order.batch)]
        one, other = ([_lit(crop, rng) for crop in crops] for _ in range(2))
        return np.stack(one), np.stack(other)

    def loss(self, network: nn.Module, *arrays: Tensor) -> Tensor:
        """VICReg's, over all places of the batch."""
        one, other = network(torch.cat(arrays).to(memory_format=torch.channels_last)).chunk(2)
        alike = _INVARIANCE * functional.mse_loss(one, other)
        return alike + (_unlike(one) + _unlike(other)) / 2

    def score(self, network: nn.Module) -> float:
        """NaN where nothing was kept back."""
        losses = []
        for first in range(0, len(self._checked), _CHECKED_AT_ONCE):
            some = self._checked[first : first + _CHECKED_AT_ONCE]
            pair = (torch.from_numpy(np.stack([each[side] for each in some])).to(self._device) for side in (0, 1))
            losses.append(float(self.loss(network, *pair)))
        return -float(np.mean(losses)) if losses else float("nan")

    def _crop(self, good: Sequence[Levels], rng: np.random.Generator) -> Planes:
        """(C, s, s); a picture smaller than that is continued by its mirror."""
        side = self._order.crop_px
        planes = good[int(rng.integers(len(good)))]
        top, left = (int(rng.integers(max(0, length - side) + 1)) for length in planes.shape[1:])
        cut = np.asarray(planes[:, top : top + side, left : left + side], np.float32)
        cut = np.pad(cut, [(0, 0), *((0, side - length) for length in cut.shape[1:])], mode="symmetric")
        for axis in (1, 2):
            if rng.random() < 0.5:
                cut = np.flip(cut, axis)
        return np.asarray(cut, np.float32)


def _unlike(codes: Tensor) -> Tensor:
    """Nought where each number of (places, code) has a spread of 1 or more, and none varies with another."""
    away = codes - codes.mean(dim=0)
    spread = torch.sqrt(away.var(dim=0) + 1e-4)
    together = away.T @ away / (len(away) - 1)
    apart = together - torch.diag(torch.diag(together))
    return _VARIANCE * functional.relu(1 - spread).mean() + _COVARIANCE * (apart * apart).sum() / codes.shape[1]


def _lit(planes: Planes, rng: np.random.Generator) -> Planes:
    """Under another lamp, a little out of focus, and with noise: what a backbone is not to see."""
    lamp = rng.normal(1, 0.12) * rng.normal(1, 0.03, (len(planes), 1, 1))
    seen = planes ** np.float32(np.exp(rng.normal(0, 0.12))) * np.float32(lamp) + np.float32(rng.normal(0, 0.03))
    if rng.random() < 0.3:
        sigma_px = rng.uniform(0.3, 1.0)
        seen = np.stack([cv2.GaussianBlur(np.ascontiguousarray(plane, np.float32), (0, 0), sigma_px) for plane in seen])
    seen = seen + np.float32(rng.uniform(0, 0.025)) * rng.standard_normal(seen.shape, np.float32)
    return np.ascontiguousarray(np.clip(seen, 0, 1), np.float32)
