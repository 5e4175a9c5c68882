"""What a package of `patch` is to be made of, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineside.core.pixel_format import PixelFormat
from lineside.train.locate_fit import LocateOrder
from lineside.train.patch_model import PatchSettings

__all__ = ["WORK_AREA_PX", "PatchOrder", "candidates"]

WORK_AREA_PX: Final = 65_536
"""Pixels that a network looks at by default: it costs several times as much for each as fixed filters do."""


_USUAL: Final = (
    PatchSettings(model="gaussian", filters=True),
    PatchSettings(model="gaussian", filters=False),
    PatchSettings(model="memory", filters=False),
)


def candidates(model: str = "auto", *, filters: bool | None = None) -> tuple[PatchSettings, ...]:
    """What is tried, the usual one first: what `model` (`gaussian`, `memory` or `auto`) and `filters` leave open."""
    models = ("gaussian", "memory") if model == "auto" else (model,)
    if filters is None:
        return tuple(each for each in _USUAL if each.model in models)
    return tuple(PatchSettings(model=name, filters=filters) for name in models)


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchOrder:
    """What is to be made. The first of the candidates is taken, unless there are bad pictures and another tells them
    better. The other words are those of `BankOrder`.
    """

    id: str
    revision: int = 1
    licence: str
    pixel_format: PixelFormat
    size_px: tuple[int, int]
    long_side_px: int = 0
    locate: LocateOrder | None = None
    candidates: tuple[PatchSettings, ...] = field(default_factory=candidates)
    slack: int | None = None
    overkill_rate: float = 0.05
    seed: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    in_time: Callable[[], bool] = lambda: True
    replace: bool = False
