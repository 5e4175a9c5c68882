"""How well a pattern finds the good parts that it was not made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from lineside.core.errors import NotLocated
from lineside.core.frame import Pixels
from lineside.imaging.locate import EdgesPattern, OutlinePattern, RoundPattern, locate

__all__ = ["LEAST_CORRELATION", "Trial", "tried"]

LEAST_CORRELATION: Final = 0.3
"""Anything may be laid onto anything else with less."""

_CORRELATION_SHARE: Final = 0.6
"""Of the worst good part's correlation: a damaged part still fits, another one does not."""
_MOST_TRIED: Final = 16
_MOST_LOST: Final = 0.1

Pattern = TypeVar("Pattern", OutlinePattern, RoundPattern, EdgesPattern)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trial(Generic[Pattern]):
    """`correlations` are those of the parts that were found among `count`; `why` says why others were not."""

    pattern: Pattern
    correlations: tuple[float, ...]
    count: int
    why: str

    @property
    def finds(self) -> bool:
        """At most one good part in ten is lost."""
        return len(self.correlations) >= (1 - _MOST_LOST) * self.count

    @property
    def worst(self) -> float:
        """The lowest correlation of a part that was found; 0 where none was."""
        return min(self.correlations, default=0.0)

    @property
    def least(self) -> float:
        """The correlation below which nothing is taken for the part."""
        return round(max(LEAST_CORRELATION, _CORRELATION_SHARE * self.worst), 3)


def tried(pattern: Pattern, pictures: Sequence[Pixels], most: int = _MOST_TRIED) -> Trial[Pattern]:
    """Looks for the part in some of the pictures."""
    chosen = pictures[:: -(-len(pictures) // most)]
    correlations, why = [], ""
    for pixels in chosen:
        try:
            correlations.append(locate(pixels, pattern).correlation)
        except NotLocated as error:
            why = why or error.what
    return Trial(pattern=pattern, correlations=tuple(correlations), count=len(chosen), why=why)
