"""The networks that `patch` and `classify` know: torchvision's by their names, and a small one for one CPU core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.resnet import BasicBlock

from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat

__all__ = ["NETWORKS", "NetworkKind", "RgbNetwork", "SmallNetwork", "known_network", "parameters_of"]

_WIDTHS: Final = (32, 64, 128, 192)

# What torchvision's weights were trained with: levels from 0 to 1, red first.
_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)


class SmallNetwork(nn.Module):
    """One residual block at each of the strides 4, 8, 16 and 32, with 32 to 192 channels: 0.9 M parameters.

    The parts are named as in torchvision's ResNet.
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = BasicBlock(_WIDTHS[0], _WIDTHS[0])
        self.layer2, self.layer3, self.layer4 = (_narrower(ins, outs) for ins, outs in pairwise(_WIDTHS))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(_WIDTHS[-1], num_classes)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, picture: Tensor) -> Tensor:
        """(N, num_classes) of (N, 3, H, W)."""
        seen = self.maxpool(self.relu(self.bn1(self.conv1(picture))))
        seen = self.layer4(self.layer3(self.layer2(self.layer1(seen))))
        return self.fc(torch.flatten(self.avgpool(seen), 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkKind:
    """`stages` are the parts of the network after which its features have the strides 4, 8 and 16, by torch's names.
    `head` is how the names of its last part, the classes, begin.
    """

    name: str
    make: Callable[[int], nn.Module]
    stages: tuple[str, str, str]
    head: str
    from_torchvision: bool = True

    def trunk_of(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights without those of the classes."""
        return {name: values for name, values in state.items() if not name.startswith(self.head)}


class RgbNetwork(nn.Module):
    """A network of this kind, made to take a frame's levels from 0 to 1, in grey or in the frame's order of colours."""

    def __init__(self, network: nn.Module, pixel_format: PixelFormat) -> None:
        super().__init__()
        self.network = network
        self.channels, self._blue_first = pixel_format.channels, pixel_format is PixelFormat.BGR8
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, levels: Tensor) -> Tensor:
        """What the network answers to (N, C, H, W)."""
        if self.channels == 1:
            levels = levels.expand(-1, 3, -1, -1)
        elif self._blue_first:
            levels = levels.flip(1)
        return self.network((levels - self.mean) / self.std)


def known_network(name: str) -> NetworkKind:
    """The network of this name. Raises: ConfigError that lists the known ones."""
    if name not in NETWORKS:
        raise ConfigError(f"there is no network '{name}'", expected=", ".join(NETWORKS))
    return NETWORKS[name]


def parameters_of(network: nn.Module) -> int:
    """How many numbers the network has learned."""
    return sum(values.numel() for values in network.parameters())


def _narrower(ins: int, outs: int) -> BasicBlock:
    shortcut = nn.Sequential(nn.Conv2d(ins, outs, 1, stride=2, bias=False), nn.BatchNorm2d(outs))
    return BasicBlock(ins, outs, stride=2, downsample=shortcut)


def _of_torchvision(name: str, stages: tuple[str, str, str], head: str) -> NetworkKind:
    return NetworkKind(
        name=name,
        make=lambda classes: get_model(name, weights=None, num_classes=classes),
        stages=stages,
        head=head,
    )


_LAYERS: Final = ("layer1", "layer2", "layer3")

NETWORKS: Final[Mapping[str, NetworkKind]] = {
    kind.name: kind
    for kind in (
        NetworkKind(name="small", make=SmallNetwork, stages=_LAYERS, head="fc.", from_torchvision=False),
        _of_torchvision("resnet18", _LAYERS, "fc."),
        _of_torchvision("resnet50", _LAYERS, "fc."),
        _of_torchvision("wide_resnet50_2", _LAYERS, "fc."),
        _of_torchvision("mobilenet_v3_small", ("features.1", "features.3", "features.8"), "classifier."),
        _of_torchvision("mobilenet_v3_large", ("features.3", "features.6", "features.12"), "classifier."),
        _of_torchvision("efficientnet_b0", ("features.2", "features.3", "features.5"), "classifier."),
    )
}
