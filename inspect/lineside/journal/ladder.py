"""The disk-pressure ladder: what the archive gives up when the disk fills, in which order, and when it comes back."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lineside.core.errors import ConfigError
from lineside.core.verdict import Outcome

__all__ = ["ArchiveLimits", "Step", "next_step", "room_bytes"]


class Step(enum.IntEnum):
    """What is given up; each step includes the ones before. Verdict records are on no step."""

    NORMAL = 0
    NO_PASS_SAMPLES = 1
    REMOVING_PASS_SAMPLES = 2
    REMOVING_REJECT_IMAGES = 3
    NO_IMAGES = 4

    @property
    def words(self) -> str:
        """For people: "normal", "no pass samples", …"""
        return self.name.lower().replace("_", " ")

    def stores(self, outcome: Outcome) -> bool:
        """Whether an image of a part with that outcome is still stored."""
        return self is Step.NORMAL if outcome is Outcome.PASS else self is not Step.NO_IMAGES


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveLimits:
    """`max_bytes` for all images together, and `min_free_bytes` on their disk, which the journal needs as well."""

    max_bytes: int
    min_free_bytes: int

    def __post_init__(self) -> None:
        if self.max_bytes <= 0 or self.min_free_bytes < 0:
            raise ConfigError(
                f"archive limits: max_bytes {self.max_bytes}, min_free_bytes {self.min_free_bytes}",
                expected="max_bytes above 0, min_free_bytes at least 0",
                remedy="correct [archive] in the station file",
            )

    @property
    def margin_bytes(self) -> int:
        """The height of one step: 5 % of `max_bytes`."""
        return max(1, self.max_bytes // 20)


def room_bytes(limits: ArchiveLimits, *, free_bytes: int, used_bytes: int) -> int:
    """How much may still be written; negative when a limit is passed already."""
    return min(limits.max_bytes - used_bytes, free_bytes - limits.min_free_bytes)


def next_step(present: Step, limits: ArchiveLimits, *, free_bytes: int, used_bytes: int, has_passes: bool) -> Step:
    """The step to be on, given the one until now, the disk, and whether pass samples are left to be removed.

    Going up needs less room than going down, by one step's height (half of one for NO_IMAGES): no flutter.
    """
    room, margin = room_bytes(limits, free_bytes=free_bytes, used_bytes=used_bytes), limits.margin_bytes
    removing = Step.REMOVING_PASS_SAMPLES if has_passes else Step.REMOVING_REJECT_IMAGES
    if room <= 0 or (present is Step.NO_IMAGES and room < margin // 2):
        return Step.NO_IMAGES
    if room < margin or (present >= Step.REMOVING_PASS_SAMPLES and room < 2 * margin):
        return removing
    if room < 2 * margin or (present >= Step.NO_PASS_SAMPLES and room < 3 * margin):
        return Step.NO_PASS_SAMPLES
    return Step.NORMAL
