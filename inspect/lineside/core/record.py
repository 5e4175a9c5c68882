"""What the journal keeps, and how it is asked for."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from urllib.parse import quote

from lineside.core.pixel_format import PixelFormat
from lineside.core.verdict import Outcome

__all__ = ["ImageRecord", "ImageState", "StationEvent", "VerdictQuery", "VerdictRecord", "image_id"]


def image_id(trigger_number: int, view: str) -> str:
    """The name of one archived image: known before it is stored, never reused, safe in a path."""
    return f"{trigger_number:012d}-{quote(view, safe='')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRecord:
    """One verdict as journalled. `payload` is the serialised wire message: made once, journalled, streamed, re-served.

    The other fields repeat what the journal must be able to search by. `due_mono_ns` is not journalled: 0, long over,
    where the verdict was read from the file.
    """

    sequence: int
    trigger_number: int
    part_id: str
    outcome: Outcome
    reason: int
    decided_utc_ns: int
    payload: bytes
    due_mono_ns: int = field(default=0, compare=False)

    def is_late(self, now_mono_ns: int) -> bool:
        """Whether the line can no longer use it: told after its due time even a PASS means reject."""
        return now_mono_ns > self.due_mono_ns


class ImageState(enum.StrEnum):
    """What became of an image that the recipe asked to keep."""

    PENDING = "pending"
    KEPT = "kept"
    SHED = "shed"
    """Given up by the disk-pressure ladder or a full queue, by name."""
    FAILED = "failed"
    EXPIRED = "expired"
    """Removed later by retention."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRecord:
    """One archived image. `path` is relative to the archive; `sha256` is of the file's bytes."""

    image_id: str
    trigger_number: int
    view: str
    state: ImageState
    outcome: Outcome
    pixel_format: PixelFormat
    width_px: int
    height_px: int
    path: str = ""
    sha256: str = ""
    size_bytes: int = 0
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StationEvent:
    """Something that happened to the station, for people: camera lost, ladder step, recipe changed, paused."""

    utc_ns: int
    kind: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictQuery:
    """Which verdicts to list. `after_sequence` means before when `newest_first`; 0 is no bound everywhere.

    The list ends with the first record whose payload passes `max_bytes`, all payloads counted: it shows that there are
    more, and no more than that one is ever read beyond the bound.
    """

    after_sequence: int = 0
    limit: int = 100
    max_bytes: int = 0
    outcomes: tuple[Outcome, ...] = ()
    part_id: str = ""
    from_utc_ns: int = 0
    to_utc_ns: int = 0
    newest_first: bool = False
