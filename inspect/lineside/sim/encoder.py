"""The encoder on the belt: an unsigned count that wraps, and slips on demand."""

from __future__ import annotations

__all__ = ["Encoder"]


class Encoder:
    """Counts the belt's way. It starts near the end of its range, so that every run of some length wraps."""

    def __init__(self, *, counts_per_mm: float, bits: int = 32, wraps_after_mm: float = 1000.0) -> None:
        self.counts_per_mm = counts_per_mm
        self._range = 1 << bits
        self._offset = self._range - self.counts(wraps_after_mm)

    def counts(self, way_mm: float) -> int:
        """A way in counts, without any slip."""
        return round(way_mm * self.counts_per_mm)

    def count_at(self, travelled_mm: float) -> int:
        """What it shows when the belt has run so far."""
        return (self.counts(travelled_mm) + self._offset) % self._range

    def slip(self, way_mm: float) -> None:
        """From now on it is so far ahead of the belt; behind where negative."""
        self._offset += self.counts(way_mm)
