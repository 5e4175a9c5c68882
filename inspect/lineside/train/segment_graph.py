"""What the package's graph answers: the network, and the one number by which a picture is judged."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lineside.train.segment_network import SegmentNetwork
from lineside.train.segment_scores import top_count

__all__ = ["LIMIT_OF_CHANCE", "MAP", "JudgingNetwork"]

MAP: Final = "map"

LIMIT_OF_CHANCE: Final = 0.5
"""Where `chance` answers are asked for, the limit lies here."""


class JudgingNetwork(nn.Module):
    """From pixel values as they are to a map (1, 1, h, w) whose highest place is the picture's score.

    The score is the mean strength, log(1 + e^logit), of the highest places; the map is scaled so that its highest
    place is that score: a limit in a recipe, which looks at the map, decides as the score does. In units of `limit`,
    so that 1 is the limit; as a chance, 1 - 2^-x of these, so that 0.5 is.
    """

    def __init__(
        self,
        network: SegmentNetwork,
        *,
        usual: Tensor | None,
        max_value: int,
        share: float,
        limit: float,
        as_chance: bool,
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("usual", usual)
        self.share, self.as_chance = share, as_chance
        self.per_level, self.per_limit = 1 / max_value, 1 / limit

    def forward(self, pixels: Tensor) -> Tensor:
        """(1, 1, h, w) of pixels (1, C, H, W)."""
        logits = self.network(pixels * self.per_level, self.usual)
        strength = functional.softplus(logits) * self.per_limit
        places = int(strength.shape[2]) * int(strength.shape[3])
        top = torch.topk(strength.flatten(1), top_count(places, self.share), dim=1).values
        score, highest = top.mean(dim=1), top[:, 0]
        scaled = strength * (score / torch.clamp(highest, min=1e-6))[:, None, None, None]
        return 1 - torch.exp(-math.log(2) * scaled) if self.as_chance else scaled
