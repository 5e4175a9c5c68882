"""One line of a study."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Measurement", "number_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One part measured once by one operator (a person or a placement), or still to be.

    `value` is as it stands in the file: a number, or a word in an attribute study; empty where there is none, and
    `note` says why. A missing value is never a zero. `measured` says what was measured, `judged_by` which recipe,
    calibration and models did; both are empty in a study from elsewhere.
    """

    part: str
    operator: str
    trial: int
    value: str = ""
    reference: str = ""
    order: int = 0
    measured: str = ""
    note: str = ""
    taken_utc: str = ""
    judged_by: str = ""

    @property
    def is_there(self) -> bool:
        return bool(self.value)

    @property
    def who(self) -> str:
        """For people: "part 7 by Ann, trial 2"."""
        return f"part {self.part} by {self.operator}, trial {self.trial}"


def number_of(text: str) -> float | None:
    """The text as a finite number, or None where it is something else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
