"""An image that a client sends, with everything about it declared."""

from __future__ import annotations

from dataclasses import dataclass

from lineside.core.pixel_format import PixelFormat

__all__ = ["ImageIn"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageIn:
    """Raw pixels (`encoded` false: rows top-down, `stride_bytes` apart, 16-bit little-endian) or a whole image file.

    `pixel_format` is what raw pixels are, or what the file must decode to. `view` is empty for the recipe's only view.
    The bytes are not yet decoded: that happens in an inspector process, which answers FrameError for damaged ones.
    """

    data: bytes
    pixel_format: PixelFormat
    encoded: bool
    width_px: int = 0
    height_px: int = 0
    stride_bytes: int = 0
    view: str = ""
