"""What is to be looked at again: one part, where its images lie, and what is known of it already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lineside.core.pixel_format import PixelFormat

__all__ = ["ONLY_VIEW", "ImageRef", "OriginalVerdict", "Part", "RawFormat", "Truth"]

ONLY_VIEW = ""
"""The view of an image whose source does not name views: it is whichever view the recipe has, if it has just one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawFormat:
    """Declared for files that hold pixels and nothing else: row-major, no padding, 16 bit as little-endian."""

    pixel_format: PixelFormat
    width_px: int
    height_px: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRef:
    """Where the bytes of one image lie: a whole file, or a stretch of one (a member of a tar shard).

    `url` is an absolute path or an fsspec URL; names that are not UTF-8 are kept as Python's surrogate escapes.
    `sha256` is what the bytes must have, where the source knows it. `raw` is set for files of pixels alone.
    """

    url: str
    offset_bytes: int = 0
    length_bytes: int | None = None
    sha256: str = ""
    raw: RawFormat | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """What the part really is, as somebody has established it. `mask` is white (above 127) where the defect is."""

    bad: bool
    class_name: str = ""
    mask: ImageRef | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OriginalVerdict:
    """What the station said then: the journalled message, byte for byte."""

    sequence: int
    trigger_number: int
    payload: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of an archive.

    `key` is its name in this run: unique, and the same at every listing of the same archive. `images` are by view.
    `missing` tells by view why there is no image (not kept, shed, expired, never taken). `captured_utc_ns` is 0 where
    unknown.
    """

    key: str
    part_id: str = ""
    captured_utc_ns: int = 0
    images: Mapping[str, ImageRef]
    missing: Mapping[str, str] = field(default_factory=dict)
    truth: Truth | None = None
    original: OriginalVerdict | None = None
