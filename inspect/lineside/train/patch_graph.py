"""What the package's graph answers: the network, what good parts look like to it, and the score of the picture."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lineside.train.bank import MAP_ZOOM, CodeBook, map_blur, top_count
from lineside.train.bank_features import Planes
from lineside.train.places import Slack

__all__ = ["MAP", "GaussianDistance", "MemoryDistance", "PatchNetwork"]

MAP: Final = "anomaly_map"


class GaussianDistance(nn.Module):
    """At every place its own Gaussian: `whitening` (h, w, k, k), `offset` (h, w, k), in units of the threshold.

    With `slack` what is seen is compared with the places so far away as well (`places.Slack`).
    """

    def __init__(self, whitening: Planes, offset: Planes, slack: int) -> None:
        super().__init__()
        rows, columns, dimensions = offset.shape
        places = rows * columns
        by_number = Slack(rows, columns, slack)
        self.register_buffer("seen", torch.from_numpy(by_number.seen))
        self.register_buffer("fits", torch.from_numpy(by_number.fits))
        self.register_buffer("whitening", torch.from_numpy(whitening.reshape(places, dimensions, dimensions)))
        self.register_buffer("offset", torch.from_numpy(offset.reshape(places, 1, dimensions)))

    def forward(self, places: Tensor) -> Tensor:
        """(h * w,) of codes (h * w, k)."""
        away = places[self.seen] @ self.whitening - self.offset
        return torch.sqrt((away * away).sum(dim=2)).flatten()[self.fits].amin(dim=1)


class MemoryDistance(nn.Module):
    """To the nearest of the codes (n, k) that are remembered, wherever it was seen, in units of the threshold."""

    def __init__(self, codes: Planes, threshold: float) -> None:
        super().__init__()
        self.register_buffer("codes", torch.from_numpy(codes))
        self.register_buffer("squares", torch.from_numpy((codes * codes).sum(axis=1)))
        self.share = 1 / (math.sqrt(codes.shape[1]) * threshold)

    def forward(self, places: Tensor) -> Tensor:
        """(h * w,) of codes (h * w, k)."""
        nearest = (self.squares - 2 * places @ self.codes.T).argmin(dim=1)
        # The distance itself is taken from the difference: that of squares is inexact where it is small.
        away = places - self.codes[nearest]
        return torch.sqrt((away * away).sum(dim=1)) * self.share


class PatchNetwork(nn.Module):
    """From pixel values as they are to a map (1, 1, h, w) in units of the threshold, whose highest value is the
    picture's score: `bank.anomaly_map` with a network's features beside the filters.
    """

    def __init__(
        self, features: nn.Module, book: CodeBook, distance: nn.Module, max_value: int, top_share: float
    ) -> None:
        super().__init__()
        self.features, self.distance, self.top_share = features, distance, top_share
        self.per_level = 1 / max_value
        self.register_buffer("weights", torch.from_numpy(book.weights)[:, :, None, None])
        self.register_buffer("bias", torch.from_numpy(book.bias))
        self.register_buffer("blur", torch.from_numpy(map_blur())[None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        """(1, 1, h, w) of pixels (1, C, H, W)."""
        codes = functional.conv2d(self.features(pixels * self.per_level), self.weights, self.bias)
        rows, columns = int(codes.shape[2]), int(codes.shape[3])
        odd = self.distance(codes.flatten(2)[0].T).reshape(1, 1, rows, columns)
        reach = self.blur.shape[-1] // 2
        cells = functional.conv2d(functional.pad(odd, (reach,) * 4, mode="replicate"), self.blur)
        score = torch.topk(cells.flatten(), top_count(rows * columns, self.top_share)).values.mean()
        size = (rows * MAP_ZOOM, columns * MAP_ZOOM)
        fine = functional.interpolate(cells, size, mode="bilinear", align_corners=False)
        return fine * (score / torch.clamp(fine.max(), min=1e-6))
