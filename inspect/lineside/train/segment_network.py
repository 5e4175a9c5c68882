"""The small segmentation network: where a part has a defect, from nothing but pictures of its own kind.

Pixel-unshuffle by 2, four levels of 16, 32, 48 and 64 channels, additive skips, logits at half resolution: 0.23 M
parameters. Small enough for one CPU core beside a line.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["STRIDE", "WIDTHS", "SegmentNetwork", "parameters_of"]

STRIDE: Final = 2
"""Pixels of the picture for one of the logits, each way."""

WIDTHS: Final = (16, 32, 48, 64)

_POOL_PX: Final = 4
_BLUR_SIGMA: Final = 2.0
"""In pixels of the pooled picture, so 8 px: what is nearby, where brightness is divided by its spread nearby."""
_FLOOR: Final = 0.02
"""Spread below which nothing is amplified, of a range of 1."""
_CLIP: Final = 3.0
_USUAL_GAIN: Final = 4.0
"""A difference from the usual picture of a quarter of the range is 1."""
_LUMA: Final = (0.299, 0.587, 0.114)


class SegmentNetwork(nn.Module):
    """`channels` of the picture: 1, or 3 in the order of the frame, `red_first` or not. `usual`: a second picture is
    given, the median of good ones, aligned with the first; how the picture differs from it is looked at too.
    """

    def __init__(self, channels: int, *, usual: bool = False, red_first: bool = False) -> None:
        super().__init__()
        luma = (1.0,) if channels == 1 else _LUMA if red_first else _LUMA[::-1]
        self.register_buffer("luma", torch.tensor(luma).view(1, channels, 1, 1), persistent=False)
        self.register_buffer("blur", _bell(), persistent=False)
        self.usual = usual
        seen = (channels + 1 + (2 if usual else 0)) * STRIDE * STRIDE
        self.unshuffle = nn.PixelUnshuffle(STRIDE)
        self.first = _Block(seen, WIDTHS[0])
        self.down = nn.ModuleList(_Block(a, b, stride=2) for a, b in pairwise(WIDTHS))
        self.wide = nn.Conv2d(WIDTHS[-1], WIDTHS[-1], 3, padding=2, dilation=2)
        pairs = list(pairwise(WIDTHS))[::-1]
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.up = nn.ModuleList(_Block(a, a, short=True) for a, _ in pairs)
        self.answer = nn.Conv2d(WIDTHS[0], 1, 1)
        nn.init.constant_(self.answer.bias, -3.0)  # defects are rare: begin by saying that there is none

    def forward(self, picture: Tensor, usual: Tensor | None = None) -> Tensor:
        """Logits (N, 1, H / 2, W / 2) of pictures (N, C, H, W) from 0 to 1; both sides multiples of 2."""
        seen = [picture * 4 - 2, self._even(picture)]
        if self.usual:
            if usual is None:
                raise ValueError("this network compares with the usual picture: expected it")
            away = (picture - usual) * _USUAL_GAIN
            seen.append(torch.clamp((away * self.luma).sum(dim=1, keepdim=True), -2, 2))
            seen.append(torch.clamp(away.abs().amax(dim=1, keepdim=True), 0, 2))
        levels = [self.first(self.unshuffle(torch.cat(seen, dim=1)))]
        for down in self.down:
            levels.append(down(levels[-1]))
        deep = levels.pop()
        deep = deep + functional.relu(self.wide(deep))
        for narrow, up in zip(self.narrow, self.up, strict=True):
            skip = levels.pop()
            larger = functional.interpolate(narrow(deep), scale_factor=2.0, mode="nearest")
            deep = up(skip + larger[:, :, : skip.shape[2], : skip.shape[3]])
        return self.answer(deep)

    def _even(self, picture: Tensor) -> Tensor:
        """(N, 1, H, W): brightness, divided by its spread nearby; the cheap way, on a picture a quarter as large."""
        luma = (picture * self.luma).sum(dim=1, keepdim=True)
        small = functional.avg_pool2d(luma, _POOL_PX, ceil_mode=True, count_include_pad=False)
        square = functional.avg_pool2d(luma * luma, _POOL_PX, ceil_mode=True, count_include_pad=False)
        mean, variance = self._blurred(small), self._blurred(square)
        spread = torch.sqrt(torch.clamp(variance - mean * mean, min=0) + 1e-6) + _FLOOR
        both = functional.interpolate(torch.cat([mean, spread], dim=1), scale_factor=float(_POOL_PX), mode="nearest")
        both = both[:, :, : luma.shape[2], : luma.shape[3]]
        return torch.clamp((luma - both[:, :1]) / both[:, 1:], -_CLIP, _CLIP)

    def _blurred(self, planes: Tensor) -> Tensor:
        reach = self.blur.shape[-1] // 2
        across = functional.pad(planes, (reach, reach, 0, 0), mode="replicate")
        across = functional.conv2d(across, self.blur.view(1, 1, 1, -1))
        down = functional.pad(across, (0, 0, reach, reach), mode="replicate")
        return functional.conv2d(down, self.blur.view(1, 1, -1, 1))


class _Block(nn.Module):
    """Two 3x3 convolutions with batch norm; `short`: what comes in is added to what goes out."""

    def __init__(self, ins: int, outs: int, *, stride: int = 1, short: bool = False) -> None:
        super().__init__()
        self.short = short
        self.first = nn.Conv2d(ins, outs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outs)
        self.second = nn.Conv2d(outs, outs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outs)

    def forward(self, seen: Tensor) -> Tensor:
        inner = functional.relu(self.first_norm(self.first(seen)))
        inner = self.second_norm(self.second(inner))
        return functional.relu(seen + inner if self.short else inner)


def parameters_of(network: nn.Module) -> int:
    """How many numbers the network has learned."""
    return sum(values.numel() for values in network.parameters())


def _bell() -> Tensor:
    steps = torch.arange(-4, 5, dtype=torch.float32)
    bell = torch.exp(-0.5 * (steps / _BLUR_SIGMA) ** 2)
    return bell / bell.sum()
