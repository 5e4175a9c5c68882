"""One part in, one row per candidate out: the station's inspector over archived images, overlapped with reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lineside.core.calibration import Calibration
from lineside.core.errors import ConfigError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.recipe import Recipe
from lineside.inspector import Inspector
from lineside.reinspect.candidate import Candidate
from lineside.reinspect.part import Part
from lineside.reinspect.reading import ReadLimits
from lineside.reinspect.row import Row

__all__ = ["ArchiveJudge", "JudgeOrder", "OpenInspector"]


class OpenInspector(Protocol):
    """Loads, verifies and warms the packages of one candidate: `lineside.assemble.open_inspector`, which lies above.

    Raises: ConfigError kin.
    """

    def __call__(
        self,
        recipe: Recipe,
        calibration: Calibration,
        packages: Mapping[str, Path],
        *,
        providers: tuple[str, ...],
        intra_op_threads: int,
    ) -> Inspector: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeOrder:
    """What a process needs to open a judge: an `OpenJudge`, picklable where `open_inspector` is a module's function."""

    candidates: tuple[Candidate, ...]
    open_inspector: OpenInspector
    providers: tuple[str, ...] = ("cpu",)
    intra_op_threads: int = 1
    limits: ReadLimits = field(default_factory=ReadLimits)

    def __post_init__(self) -> None:
        labels = [candidate.label for candidate in self.candidates]
        if not labels or len(set(labels)) != len(labels):
            raise ConfigError(f"candidates {labels}", expected="one or more, each with a label of its own")

    def __call__(self) -> ArchiveJudge:
        """Opens every candidate. Blocks. Raises: ConfigError kin; also for a package that is another one by now."""
        raise NotImplementedError


class ArchiveJudge:
    """A `Judge` over real files. Used by one thread; threads of its own read ahead within `chunk` and end with it."""

    def chunk(self, parts: Sequence[Part]) -> Sequence[Row]:
        """One row per part and candidate: by part in the order given, by candidate in the order's."""
        raise NotImplementedError

    def look(self, part: Part) -> Mapping[str, Mapping[str, tuple[Frame, Detection]]]:
        """What each candidate's models see in the part, by label and view: for heat maps and drawn pictures.

        Raises: FrameError for an image that cannot be read or is not as declared; ModelError.
        """
        raise NotImplementedError
