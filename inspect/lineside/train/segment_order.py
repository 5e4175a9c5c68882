"""What a segmentation network is to be made of, and how."""

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
from lineside.train.locate_fit import LocateOrder
from lineside.train.segment_lesson import LessonOrder

__all__ = ["SegmentOrder"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentOrder:
    """What is to be made: with `masks` from good and bad pictures, without from good ones alone.

    `device` and `threads` are words for `chosen_device`. `steps`, `minutes`, `patience` (in checks) and `resume` are
    those of the fit. The other words are those of `BankOrder`.
    """

    id: str
    revision: int = 1
    licence: str
    pixel_format: PixelFormat
    size_px: tuple[int, int]
    masks: bool
    long_side_px: int = 0
    locate: LocateOrder | None = None
    device: str = "auto"
    threads: int = 1
    steps: int = 800
    checks: int = 10
    patience: int = 5
    minutes: float = 0.0
    resume: bool = False
    overkill_rate: float = 0.05
    seed: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    replace: bool = False

    @property
    def method(self) -> str:
        """The command that makes it."""
        return "segment" if self.masks else "synthetic"

    @property
    def lesson(self) -> LessonOrder:
        """What the network learns from: without real defects more of the good crops get a painted one."""
        return LessonOrder(seed=self.seed, painted_share=0.5 if self.masks else 0.75)

    def identity(self, listing: bytes, device_kind: str) -> str:
        """Of all that the fit follows from; how long it may take may change when it goes on."""
        left_out = ("resume", "replace", "minutes", "threads", "source", "id", "revision", "licence")
        told = {key: value for key, value in asdict(self).items() if key not in left_out}
        versions = (__version__, torch.__version__, np.__version__)
        text = json.dumps([told, asdict(self.lesson), versions, device_kind], sort_keys=True, default=str)
        return hashlib.sha256(text.encode() + listing).hexdigest()
