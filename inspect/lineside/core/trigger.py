"""The line's request to look at one part."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAX_PART_ID_CHARS", "Trigger", "clean_part_id"]

MAX_PART_ID_CHARS = 256
"""Longest part id on the wire; enough for a Data Matrix serial and for most file paths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """The line's request to look at one part; numbered without gaps, never reused.

    `due_mono_ns` is the last moment at which the line can still use the answer. `encoder_count` is latched at the
    trigger, None where the line has no encoder.
    """

    number: int
    part_id: str
    received_utc_ns: int
    received_mono_ns: int
    due_mono_ns: int
    encoder_count: int | None = None
    simulated: bool = False


def clean_part_id(part_id: str) -> str:
    """A part id as journal and wire can hold it, whatever a camera's plug-in or a file's name gave."""
    return part_id.encode("utf-8", "backslashreplace").decode()[:MAX_PART_ID_CHARS]
