"""Finds keys that come twice among any number, at 8 bytes each."""

from __future__ import annotations

import hashlib
from array import array

import numpy as np

__all__ = ["EachOnce", "key_hash"]


def key_hash(key: str, *, seed: int = 0) -> int:
    """64 evenly spread bits of a key: the same on every machine and in every version."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(16, "little"))
    return int.from_bytes(digest.digest(), "little")


class EachOnce:
    """Remembers a hash of each key. It may suspect two keys that are none the same (1 in a million, at six million
    keys), and never misses two that are.
    """

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._suspected: frozenset[int] | None = None

    def add(self, key: str) -> None:
        """Called with each key, before the others are asked for."""
        self._hashes.append(key_hash(key))

    @property
    def repeated(self) -> bool:
        """Whether some key may have come twice."""
        return bool(self._repeated())

    def may_repeat(self, key: str) -> bool:
        """Whether it is one of those."""
        return key_hash(key) in self._repeated()

    def _repeated(self) -> frozenset[int]:
        if self._suspected is None:
            values, counts = np.unique(np.asarray(self._hashes), return_counts=True)
            self._suspected = frozenset(values[counts > 1].tolist())
        return self._suspected
