"""All frame pools of the station by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lineside.core.frame import MissedFrame
from lineside.supervise.frame_pool import FramePool, FrameReference, PoolKey
from lineside.supervise.messages import Captures, ImageReference

__all__ = ["Pools"]


class Pools:
    """Finds the slot behind a reference. Used on the event loop only."""

    def __init__(self, pools: Iterable[FramePool]) -> None:
        self._pools = {pool.name: pool for pool in pools}

    def hold(self, reference: FrameReference | ImageReference) -> None:
        """One more holder of the referenced slot."""
        self._pools[reference.pool].hold(reference.slot)

    def release_one(self, reference: FrameReference | ImageReference) -> None:
        """One holder less."""
        self._pools[reference.pool].release(reference.slot)

    def release(self, captures: Captures) -> None:
        """One holder less for every frame among the captures."""
        for look in captures.values():
            if not isinstance(look, MissedFrame):
                self.release_one(look)

    def keys(self) -> Mapping[str, PoolKey]:
        """What children need to map every pool."""
        return {name: pool.key for name, pool in self._pools.items()}

    def close(self) -> None:
        """Lets go of all memory."""
        for pool in self._pools.values():
            pool.close()
