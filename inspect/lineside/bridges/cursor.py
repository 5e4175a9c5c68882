"""How far a reader has come that finishes verdicts in another order than they come."""

from __future__ import annotations

__all__ = ["Cursor"]


class Cursor:
    """The highest sequence number up to which everything is finished."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._newest = 0

    def came(self, sequence: int) -> None:
        """A verdict has come and is not finished."""
        self._open.add(sequence)
        self._newest = max(self._newest, sequence)

    def finished(self, sequence: int) -> None:
        """It needs no more care."""
        self._open.discard(sequence)

    @property
    def position(self) -> int:
        """0 before anything came."""
        return min(self._open) - 1 if self._open else self._newest
