"""How many frames a device's own counter says were lost."""

from __future__ import annotations

from typing import Final

__all__ = ["frames_lost"]

_MOST_LOST: Final = 1000
"""A larger jump of the frame counter is a counter that was set anew, not so many frames lost."""
_BLOCK_IDS: Final = 65535
"""GigE Vision 1.x numbers frames 1 to 65535 and around again (GVSP block id)."""


def frames_lost(last_id: int, this_id: int) -> int:
    """How many frames the device counted between two that arrived; 0 when its counter was set anew."""
    lost = this_id - last_id - 1
    if lost < 0 and 0 < this_id <= last_id <= _BLOCK_IDS:
        lost = this_id - last_id + _BLOCK_IDS - 1
    return lost if 0 <= lost <= _MOST_LOST else 0
