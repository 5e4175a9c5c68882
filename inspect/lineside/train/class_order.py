"""What a network of classes is to be made of, and how."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from lineside import __version__
from lineside.core.pixel_format import PixelFormat
from lineside.train.class_lesson import ClassLessonOrder
from lineside.train.locate_fit import LocateOrder

__all__ = ["ClassOrder"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassOrder:
    """What is to be made. `no_defects` are classes beside good that are no finding. The other words are
    those of `SegmentOrder`.
    """

    id: str
    revision: int = 1
    licence: str
    pixel_format: PixelFormat
    size_px: tuple[int, int]
    network: str = "small"
    no_defects: tuple[str, ...] = ()
    long_side_px: int = 0
    locate: LocateOrder | None = None
    device: str = "auto"
    steps: int = 1500
    checks: int = 15
    patience: int = 0
    minutes: float = 0.0
    resume: bool = False
    overkill_rate: float = 0.05
    seed: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    replace: bool = False

    @property
    def lesson(self) -> ClassLessonOrder:
        """What the network learns from."""
        return ClassLessonOrder(seed=self.seed)

    def identity(self, listing: bytes, device_kind: str, weights_sha256: str) -> str:
        """Of all that the fit follows from; how long it may take may change when it goes on."""
        left_out = ("resume", "replace", "minutes", "source", "id", "revision", "licence", "overkill_rate")
        told = {key: value for key, value in asdict(self).items() if key not in left_out}
        versions = (__version__, torch.__version__, np.__version__)
        text = json.dumps([told, asdict(self.lesson), versions, device_kind, weights_sha256], default=str)
        return hashlib.sha256(text.encode() + listing).hexdigest()
