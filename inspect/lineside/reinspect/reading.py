"""From where an image lies to its pixels, as declared: read, checked, decoded; or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass

from lineside.imaging.picture_file import MAX_PIXELS

__all__ = ["ReadLimits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadLimits:
    """How much an image may take, and how far ahead of the judge images are read.

    An image that claims more than `max_pixels` is not decoded, and a file of more than 4 bytes for each of them not
    read. At most `window_images` images and `window_bytes` of pixels wait for the judge at any time, whatever
    their size; one that is larger than the window waits alone. `readers` is the number of reading threads.
    """

    max_pixels: int = MAX_PIXELS
    window_images: int = 8
    window_bytes: int = 256 << 20
    readers: int = 2
