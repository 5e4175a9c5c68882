"""The parts most worth a look: out of millions the few first in a ranking, at a fixed cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lineside.reinspect.summary.document import PartList, PartNote

__all__ = ["Telling"]


class Telling:
    """Keeps the `limit` parts with the lowest rank and counts all; among equals the first ones stay."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._kept: list[tuple[float, int, PartNote]] = []

    def offer(self, chosen: NDArray[np.bool_], ranks: NDArray[np.float64], note: Callable[[int], PartNote]) -> None:
        """The chosen parts of one batch. `note` is asked only for those that are kept; a NaN ranks last."""
        places = np.flatnonzero(chosen)
        if not places.size:
            return
        ranked = np.where(np.isnan(ranks[places]), np.inf, ranks[places])
        first = np.argsort(ranked, kind="stable")[: self._limit]
        worst = self._kept[-1][0] if len(self._kept) == self._limit else np.inf
        fresh = [
            (float(ranked[at]), self._total + int(at), note(int(places[at])))
            for at in first
            if len(self._kept) < self._limit or ranked[at] < worst
        ]
        self._total += places.size
        self._kept = sorted([*self._kept, *fresh], key=lambda each: each[:2])[: self._limit]

    def parts(self) -> PartList:
        """What was kept, lowest rank first."""
        return PartList(total=self._total, parts=tuple(note for _, _, note in self._kept))
