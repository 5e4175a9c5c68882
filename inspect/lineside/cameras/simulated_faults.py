"""What goes wrong with a simulated camera, and which parts it strikes."""

from __future__ import annotations

import zlib
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Fault", "Share", "SwitchedFaults"]

Share = Annotated[float, Field(ge=0, le=1)]
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Fault(BaseModel):
    """Something that goes wrong with some parts. A part is struck when any of `at`, `every`, `first` or `rate` says so.

    `lost_frame`: exposed, never delivered; the frame counter jumps. `damaged_frame`: delivered, unusable. `old_frame`:
    the frame before is delivered once more instead. `overtrigger`: the camera ignores the trigger. `ignored_trigger`:
    the same, but only its counter of ignored triggers says so, afterwards and of no part. `miscount`: that counter goes
    on, though no trigger was ignored. `stall`: the frame comes `for_ms` late. `hang`: the call does not return for
    `for_ms` (0: never) whatever its timeout. `disconnect`: the camera is gone, and for `for_ms` it cannot be connected.
    """

    model_config = _STRICT

    kind: Literal[
        "lost_frame",
        "damaged_frame",
        "old_frame",
        "overtrigger",
        "ignored_trigger",
        "miscount",
        "stall",
        "hang",
        "disconnect",
    ]
    at: Annotated[tuple[int, ...], Field(strict=False)] = ()
    """Part indices, as in the part id."""
    every: Annotated[int, Field(ge=0)] = 0
    """Every so many parts: with 50, the indices 49, 99, 149."""
    first: Annotated[int, Field(ge=0)] = 0
    """The next so many parts from when the fault was switched on."""
    rate: Share = 0.0
    """A share of all parts, drawn by the camera's seed."""
    for_ms: Annotated[float, Field(ge=0)] = 0.0
    """How long it lasts, where it lasts."""

    @model_validator(mode="after")
    def _strikes_something(self) -> Self:
        if not (self.at or self.every or self.first or self.rate):
            raise ValueError(f"fault {self.kind} strikes no part; expected at, every, first or rate")
        return self

    def strikes(self, index: int, *, since: int, seed: int) -> bool:
        """Whether it strikes the part; `since` is the part index at which the fault was switched on."""
        if index in self.at or (self.every and (index + 1) % self.every == 0) or index - since < self.first:
            return True
        if not self.rate:
            return False
        draw = np.random.default_rng([zlib.crc32(self.kind.encode()), seed, index]).random()
        return bool(draw < self.rate)


class SwitchedFaults(BaseModel):
    """What the control file may say: JSON, replaced as a whole (write a new file and rename it over the old one)."""

    model_config = _STRICT

    faults: Annotated[tuple[Fault, ...], Field(strict=False)] = ()
    """Added to those of the configuration for as long as the file names them."""
    unplugged: bool = False
    """While true the camera is gone and cannot be connected."""
