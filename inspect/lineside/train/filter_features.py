"""The bank's filters in torch: the sums of `bank_features.features`, to stand in a graph beside a network's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lineside.core.pixel_format import PixelFormat
from lineside.train.bank_features import (
    CELL_PX,
    CHROMA_SCALES,
    CONTRAST_FLOOR,
    CONTRAST_POOL_PX,
    FILTERS,
    GRADIENTS,
    SCALES,
    colour_weights,
    contrast_blur,
    softening,
)

__all__ = ["FilterFeatures"]


class FilterFeatures(nn.Module):
    """`even_contrast` divides brightness by its spread nearby. Nothing in it is learned."""

    def __init__(self, pixel_format: PixelFormat, *, even_contrast: bool) -> None:
        super().__init__()
        self.even_contrast = even_contrast
        weights = colour_weights(pixel_format)
        for name, kernels in {
            "colours": weights[:, :, None, None],
            "filters": FILTERS[:, None],
            "gradients": GRADIENTS[:, None],
            "across": contrast_blur()[None, None, None],
            "down": contrast_blur()[None, None, :, None],
            "softening": softening()[None, None],
        }.items():
            self.register_buffer(name, torch.from_numpy(kernels.copy()), persistent=False)

    def forward(self, levels: Tensor) -> Tensor:
        """(N, D, H / 8, W / 8) of pictures (N, C, H, W) from 0 to 1, whose sides are multiples of 8."""
        seen = functional.conv2d(levels, self.colours)
        luma, chroma = seen[:, :1], seen[:, 1:]
        even = self._even(luma) if self.even_contrast else luma
        parts = [_pooled(luma, CELL_PX)]
        for scale in SCALES:
            responses = _filtered(_pooled(even, scale), self.filters)
            parts += [_pooled(responses, CELL_PX // scale), _pooled(responses.abs(), CELL_PX // scale)]
        if int(chroma.shape[1]):
            parts.append(_pooled(chroma, CELL_PX))
            for scale in CHROMA_SCALES:
                for channel in range(int(chroma.shape[1])):
                    responses = _filtered(_pooled(chroma[:, channel : channel + 1], scale), self.gradients)
                    parts.append(_pooled(responses.abs(), CELL_PX // scale))
        every = torch.cat(parts, dim=1)
        count = int(every.shape[1])
        return _filtered(every, self.softening.expand(count, -1, -1, -1), groups=count)

    def _even(self, luma: Tensor) -> Tensor:
        mean, of_squares = (
            _filtered(_filtered(_pooled(each, CONTRAST_POOL_PX), self.across), self.down)
            for each in (luma, luma * luma)
        )
        spread = torch.sqrt(torch.relu(of_squares - mean * mean) + CONTRAST_FLOOR**2)
        mean, spread = (
            functional.interpolate(each, scale_factor=float(CONTRAST_POOL_PX), mode="bilinear", align_corners=False)
            for each in (mean, spread)
        )
        return (luma - mean) / spread


def _filtered(planes: Tensor, kernels: Tensor, groups: int = 1) -> Tensor:
    """Pictures are continued by their outermost pixels."""
    down, across = (side // 2 for side in kernels.shape[2:])
    framed = functional.pad(planes, (across, across, down, down), mode="replicate")
    return functional.conv2d(framed, kernels, groups=groups)


def _pooled(planes: Tensor, size: int) -> Tensor:
    return planes if size == 1 else functional.avg_pool2d(planes, size)
