"""How alike good pictures are, and what the usual one looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lineside.train.bank_features import Planes
from lineside.train.defects import Levels

__all__ = ["ALIKE", "alike", "usual_picture"]

ALIKE: Final = 0.6
"""Good pictures are alike where their median explains this share of what is in one."""

_PICTURES: Final = 32


def alike(good: Sequence[Levels]) -> float:
    """The share of what is in good pictures (C, H, W) that the median of others explains: 1 where all are the same,
    about 0 where nothing has a place; 1 for a single one.
    """
    some = _some(good)
    others = some[1::2]
    if not len(others):
        return 1.0
    # Half of them against the median of the other half: a picture must not explain itself.
    rest = float(np.square(others - np.median(some[::2], axis=0)).mean())
    whole = float(np.square(others - others.mean(axis=(0, 2, 3))[:, None, None]).mean())
    return 1.0 - rest / max(whole, 1e-12)


def usual_picture(good: Sequence[Levels]) -> Planes | None:
    """(C, H, W): the median good picture, where good pictures are so alike that it tells what belongs where."""
    if len(good) < 2 or alike(good) <= ALIKE:
        return None
    return np.asarray(np.median(_some(good), axis=0), np.float32)


def _some(good: Sequence[Levels]) -> Planes:
    return np.stack(good[:: max(1, len(good) // _PICTURES)]).astype(np.float32)
