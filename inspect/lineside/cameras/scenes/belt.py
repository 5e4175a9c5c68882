"""A belt with parts on it that runs at a constant speed: the one truth about which part is where, and when."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Belt"]

_Positive = Annotated[float, Field(gt=0)]


class Belt(BaseModel):
    """Part `i` is at `travelled - i * pitch` mm. Places are in mm from where part 0 is at the start.

    Times are of CLOCK_MONOTONIC, which all processes of a machine share: whoever has read the belt's file knows at
    every moment what is where, and nobody needs to be told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    started_mono_ns: int
    speed_mm_s: _Positive
    pitch_mm: _Positive
    parts: Annotated[int, Field(ge=0)]
    camera_mm: float
    """Where the middle of the camera's view is."""
    reach_mm: _Positive
    """A part is in view while its middle is no farther than this from the middle of the view."""

    def travelled_mm(self, mono_ns: int) -> float:
        """How far the belt has run; negative before the start."""
        return (mono_ns - self.started_mono_ns) * self.speed_mm_s / 1e9

    def place_mm(self, index: int, mono_ns: int) -> float:
        """Where the middle of a part is."""
        return self.travelled_mm(mono_ns) - index * self.pitch_mm

    def passes_mono_ns(self, index: int, place_mm: float) -> int:
        """When the middle of a part is at a place."""
        return self.started_mono_ns + math.ceil((place_mm + index * self.pitch_mm) * 1e9 / self.speed_mm_s)

    def passing(self, place_mm: float, after_mono_ns: int, until_mono_ns: int) -> range:
        """The parts that pass a place after the first moment and not after the second, in order."""
        first = math.floor((self.travelled_mm(after_mono_ns) - place_mm) / self.pitch_mm)
        last = math.ceil((self.travelled_mm(until_mono_ns) - place_mm) / self.pitch_mm)
        passing = [
            index
            for index in range(max(first, 0), min(last + 1, self.parts))
            if after_mono_ns < self.passes_mono_ns(index, place_mm) <= until_mono_ns
        ]
        return range(passing[0], passing[-1] + 1) if passing else range(0)

    def in_view(self, mono_ns: int) -> int | None:
        """The part that the camera sees; None where there is none."""
        index = round((self.travelled_mm(mono_ns) - self.camera_mm) / self.pitch_mm)
        if not 0 <= index < self.parts or abs(self.place_mm(index, mono_ns) - self.camera_mm) > self.reach_mm:
            return None
        return index
