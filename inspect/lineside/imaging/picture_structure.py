"""What a picture file holds beside one plain picture: more pictures, or inks instead of colours. Nothing is decoded.

A decoder would show the first picture of an animation, and make colours of inks as it likes: both are guesses.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import imagesize

from lineside.core.errors import FrameError

__all__ = ["check_plain"]

_CMYK_CHANNELS = 4


def check_plain(data: bytes) -> None:
    """Refuses an animation, a file of several pages, and a JPEG in CMYK. A damaged file is left to its decoder.

    Raises: FrameError.
    """
    try:
        several = _several(data)
        channels = _jpeg_channels(data)
    except (struct.error, ValueError, IndexError):
        return
    if several:
        raise FrameError(
            f"file holds {several}", expected="one picture", remedy="save the one that shows the part as a file"
        )
    if channels == _CMYK_CHANNELS:
        raise FrameError(
            "file is a JPEG in CMYK",
            expected="grey or three colours",
            remedy="convert it where its ink profile is known",
        )


def _several(data: bytes) -> str:
    """What the file is when it holds more than one picture; empty when it holds one."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "an animation (APNG)" if _png_frames(data) > 1 else ""
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "an animation (GIF)" if _more_than_one(_gif_pictures(data)) else ""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "an animation (WebP)" if _more_than_one(_webp_frames(data)) else ""
    if data[4:12] == b"ftypavis":
        return "a sequence of pictures (AVIF)"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "several pages (TIFF)" if _second_tiff_page(data) else ""
    return ""


def _more_than_one(pictures: Iterator[None]) -> bool:
    next(pictures, None)
    return any(True for _ in pictures)


def _png_frames(data: bytes) -> int:
    """What the animation chunk claims; it must come before the pixels. (PNG specification, third edition, 11.3.6)"""
    at = 8
    while data[at + 4 : at + 8] not in (b"IDAT", b""):
        if data[at + 4 : at + 8] == b"acTL":
            return int.from_bytes(data[at + 8 : at + 12])
        at += 12 + int.from_bytes(data[at : at + 4])
    return 1


def _gif_pictures(data: bytes) -> Iterator[None]:
    """One for each image descriptor. (GIF89a specification, 20)"""
    at = 13 + _gif_colours_bytes(data[10])
    while True:
        match data[at]:
            case 0x21:  # an extension: its label, then sub-blocks
                at = _behind_gif_blocks(data, at + 2)
            case 0x2C:
                yield
                at = _behind_gif_blocks(data, at + 11 + _gif_colours_bytes(data[at + 9]))
            case _:
                return


def _gif_colours_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind_gif_blocks(data: bytes, at: int) -> int:
    while length := data[at]:
        at += 1 + length
    return at + 1


def _webp_frames(data: bytes) -> Iterator[None]:
    """One for each ANMF chunk. (WebP container specification)"""
    at = 12
    while kind := data[at : at + 4]:
        if kind == b"ANMF":
            yield
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2


def _second_tiff_page(data: bytes) -> bool:
    """Whether the first directory names a next one. (TIFF 6.0, section 2; BigTIFF has numbers of 8 bytes)"""
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    behind = at + (8 + 20 * entries if big else 2 + 12 * entries)
    return bool(struct.unpack_from(order + ("Q" if big else "I"), data, behind)[0])


def _jpeg_channels(data: bytes) -> int:
    if not data.startswith(b"\xff\xd8"):
        return 0
    header = imagesize.get_info(io.BytesIO(data), size=False, dpi=False, colors=False, exif_rotation=False)
    return int(header.channels)
