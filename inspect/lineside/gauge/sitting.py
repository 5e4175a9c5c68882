"""Goes through a study: each measurement is on disk before the next is asked for, so nothing is lost and it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from lineside.core.errors import ConfigError
from lineside.gauge.measurand import Reading
from lineside.gauge.measurement import Measurement
from lineside.gauge.study_file import write_study

__all__ = ["Gauge", "Sitting", "Step"]


class Step(Enum):
    """What the person at the gauge wants next."""

    MEASURE = auto()
    SKIP = auto()
    STOP = auto()


class Gauge(Protocol):
    """What measures. Raises: LinesideError kin where no part can be measured at all."""

    def measure(self, wanted: Measurement) -> Reading:
        """One measurement now. Blocks."""
        ...


class Sitting:
    """One study that is being measured. `asked` is called before each measurement, and again after a missing value."""

    def __init__(self, path: Path, rows: Sequence[Measurement], gauge: Gauge) -> None:
        self.rows = list(rows)
        self._path = path
        self._gauge = gauge

    @property
    def done(self) -> int:
        return sum(row.is_there for row in self.rows)

    @property
    def missing(self) -> list[Measurement]:
        """Tried without a value: each with its reason."""
        return [row for row in self.rows if not row.is_there and row.note]

    def run(
        self, asked: Callable[[Measurement], Step], told: Callable[[Measurement], None] = lambda row: None
    ) -> bool:  # fmt: skip
        """Measures what is not yet measured, in the plan's order; True when all was gone through.

        Raises: ConfigError where another recipe, calibration or model judges than before in this study.
        """
        for place, row in enumerate(self.rows):
            while not self.rows[place].is_there:
                match asked(self.rows[place]):
                    case Step.STOP:
                        return False
                    case Step.SKIP:
                        break
                self._keep(place, self._taken(row, self._gauge.measure(row)))
                told(self.rows[place])
        return True

    def _taken(self, row: Measurement, reading: Reading) -> Measurement:
        before = next((each for each in self.rows if each.is_there and each.judged_by), None)
        if before is not None and reading.judged_by and reading.judged_by != before.judged_by:
            raise ConfigError(
                f"{row.who} was judged by {reading.judged_by}",
                expected=f"{before.judged_by}, as before in this study",
                remedy="bring back the recipe, calibration and models of before, or begin the study anew",
            )
        return replace(
            row,
            value=reading.value or "",
            note=reading.note,
            judged_by=reading.judged_by,
            taken_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )

    def _keep(self, place: int, row: Measurement) -> None:
        self.rows[place] = row
        write_study(self._path, self.rows)
