"""What is seen at each place of a picture: a network's features of three depths, and beside them the bank's filters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.feature_extraction import create_feature_extractor

from lineside.core.pixel_format import PixelFormat
from lineside.train.bank_features import CELL_PX, Planes
from lineside.train.filter_features import FilterFeatures
from lineside.train.networks import NetworkKind, RgbNetwork

__all__ = ["FeatureNetwork", "PatchFeatures", "seen_by", "stages_of"]


def stages_of(kind: NetworkKind, weights: Mapping[str, Tensor] | None = None) -> nn.Module:
    """The network up to its third stage, which answers with the features of all three.

    Without `weights` they are drawn from torch's generator. Their names are those of the whole network, of which more
    may be given.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of what it does with the parts that are left away
        stages = create_feature_extractor(kind.make(1), {name: name for name in kind.stages})
    if weights is not None:
        stages.load_state_dict({name: weights[name] for name in stages.state_dict()})
    return stages


class FeatureNetwork(nn.Module):
    """Features of all three stages at places of 8 px, averaged over 3x3 of them as PatchCore does (Roth et al., CVPR
    2022), so that each place knows of its neighbours.
    """

    def __init__(self, stages: nn.Module, pixel_format: PixelFormat) -> None:
        super().__init__()
        self.rgb = RgbNetwork(stages, pixel_format)

    def forward(self, levels: Tensor) -> Tensor:
        """(N, D, H / 8, W / 8) of pictures (N, C, H, W) from 0 to 1, whose sides are multiples of 8."""
        rows, columns = int(levels.shape[2]) // CELL_PX, int(levels.shape[3]) // CELL_PX
        near, middle, far = self.rgb(levels).values()
        parts = [
            functional.avg_pool2d(near, 2),
            middle,
            functional.interpolate(far, (rows, columns), mode="bilinear", align_corners=False),
        ]
        return functional.avg_pool2d(torch.cat(parts, dim=1), 3, stride=1, padding=1, count_include_pad=False)


class PatchFeatures(nn.Module):
    """A network's features and the fixed filters of the bank, side by side: the first know kinds of things, the second
    miss no small flaw.
    """

    def __init__(self, network: nn.Module, filters: FilterFeatures) -> None:
        super().__init__()
        self.network, self.filters = network, filters

    def forward(self, levels: Tensor) -> Tensor:
        """(N, D, H / 8, W / 8) of pictures (N, C, H, W) from 0 to 1, whose sides are multiples of 8."""
        return torch.cat([self.network(levels), self.filters(levels)], dim=1)


def seen_by(features: nn.Module, planes: NDArray[np.floating]) -> Planes:
    """(D, h, w): what one of these networks sees in a picture (C, H, W) from 0 to 1."""
    with torch.no_grad():
        levels = torch.from_numpy(np.asarray(planes, np.float32))[None]
        return np.asarray(features(levels)[0].numpy(), np.float32)
