"""One part in, one row per candidate out: the station's inspector over archived images."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from operator import methodcaller
from pathlib import Path
from typing import Protocol

import cv2

from lineside.cameras.fit import Fit, fitted
from lineside.cameras.pixels import check_conversion
from lineside.core.calibration import Calibration
from lineside.core.errors import ConfigError, FrameError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.core.recipe import Recipe
from lineside.inspector import Inspector
from lineside.reinspect.candidate import Candidate
from lineside.reinspect.comparison import identity_in_words
from lineside.reinspect.judged_row import JudgedBy, PartFacts
from lineside.reinspect.part import ONLY_VIEW, Part
from lineside.reinspect.reading import ReadImage, ReadLimits, stored_as
from lineside.reinspect.reading_ahead import Reader, Wanted
from lineside.reinspect.row import ImageRow, Row
from lineside.reinspect.storage import Unreached

__all__ = ["ArchiveJudge", "JudgeOrder", "OpenInspector"]

_IN_A_ROW = 8
_HELD_BYTES = 8 << 20
_SLOW_S = 0.05
"""When parts are judged one by one: see `_Held`."""

_SIZES_KEPT = 16
"""Sizes of picture for which an inspector is kept: a folder may mix a few."""


_Answer = Callable[[PartFacts], Row]
"""A row, once the part's facts are put together."""


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
    files_hold: PixelFormat | None = None
    """What picture files are declared to be, where that is not what the recipes want; None: what they want."""
    fit: Fit = "refuse"
    """What becomes of pictures of another size than a recipe wants."""

    def __post_init__(self) -> None:
        labels = [candidate.label for candidate in self.candidates]
        if not labels or len(set(labels)) != len(labels):
            raise ConfigError(f"candidates {labels}", expected="one or more, each with a label of its own")
        if self.files_hold is not None:
            for candidate in self.candidates:
                for view in candidate.recipe.views.values():
                    check_conversion(stored_as(self.files_hold), view.pixel_format)

    def __call__(self) -> ArchiveJudge:
        """Opens every candidate. Blocks. Raises: ConfigError kin; also for a package that is another one by now."""
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong with a file is in its row
        seats = []
        for candidate in self.candidates:
            inspector = self.open_inspector(
                candidate.recipe,
                candidate.calibration,
                candidate.packages,
                providers=self.providers,
                intra_op_threads=self.intra_op_threads,
            )
            _check_models(candidate, inspector)
            seats.append(_Seat(candidate, inspector, self.fit))
        return ArchiveJudge(seats, self.limits, self.files_hold)


class ArchiveJudge:
    """A `Judge` over real files. Used by one thread; threads of its own that read ahead within `chunk` end with it."""

    def __init__(self, seats: Sequence[_Seat], limits: ReadLimits, files_hold: PixelFormat | None) -> None:
        self._seats = seats
        self._limits = limits
        self._files_hold = files_hold
        computes_here = all(inspector.provider == "cpu" for inspector in self.inspectors.values())
        self._reader = Reader(limits, one_core=computes_here and len(os.sched_getaffinity(0)) == 1)

    @property
    def inspectors(self) -> Mapping[str, Inspector]:
        """By the candidate's label."""
        return {seat.by.label: seat.inspector for seat in self._seats}

    def chunk(self, parts: Sequence[Part], judged: Callable[[], None] = lambda: None) -> Sequence[Row]:
        """One row per part and candidate: by part in the order given, by candidate in the order's."""
        wanted = [self._wanted(part) for part in parts]
        rows: list[Row] = []
        with closing(self._reader.read([image for each in wanted for image in each.values()])) as images:
            held = _Held()
            for part, views in zip(parts, wanted, strict=True):
                held.add(part, {view: next(images) for view in views})
                if held.full:
                    rows += self._rows(held, judged)
            rows += self._rows(held, judged)
        return rows

    def given_up(self, part: Part, error: str) -> Sequence[Row]:
        """The UNREADABLE rows of a part that ends whatever process judges it: nothing is read."""
        facts = PartFacts(part, [ImageRow(view=view, url=ref.url, sha256="") for view, ref in part.images.items()])
        return [facts.unreadable(error, seat.by) for seat in self._seats]

    def look(self, part: Part) -> Mapping[str, Mapping[str, tuple[Frame, Detection]]]:
        """What each candidate's models see in the part, by label and the recipe's view: for heat maps and pictures.

        A view without an image is left out. Raises: FrameError for an image that cannot be read or is not as declared;
        ModelError.
        """
        images = {view: wanted.read(self._limits) for view, wanted in self._wanted(part).items()}
        return {seat.by.label: seat.look(part, images) for seat in self._seats}

    def _wanted(self, part: Part) -> dict[str, Wanted]:
        """The part's images that any candidate looks at, by the part's views, in its order."""
        formats: dict[str, set[PixelFormat]] = {}
        for seat in self._seats:
            for view, place in seat.places(part).items():
                if place in part.images:
                    formats.setdefault(place, set()).add(seat.candidate.recipe.views[view].pixel_format)
        return {
            place: Wanted(ref=ref, formats=sorted(formats[place]), files_hold=self._files_hold)
            for place, ref in part.images.items()
            if place in formats
        }

    def _rows(self, held: _Held, judged: Callable[[], None]) -> list[Row]:
        """Judges what is held by every candidate; nothing is held afterwards."""
        answers = [seat.answers(held.parts) for seat in self._seats]
        rows = [
            answer(facts)
            for (part, images), *of_part in zip(held.parts, *answers, strict=True)
            for facts in [_facts(part, images)]
            for answer in of_part
        ]
        for _ in held.parts:
            judged()
        held.empty()
        return rows


class _Held:
    """Parts that are judged in a row, their images read: between two runs of a model all else takes several times
    as long, for want of warm caches. Few, so that their pixels still lie in the cache; one alone where images are
    large, or where a model or a storage takes so long that the rest does not matter and somebody waits for a sign of
    life.
    """

    def __init__(self) -> None:
        self.parts: list[tuple[Part, Mapping[str, ReadImage]]] = []
        self._nbytes = 0
        self._most = 1
        self._begun_mono_s = time.monotonic()

    def add(self, part: Part, images: Mapping[str, ReadImage]) -> None:
        self.parts.append((part, images))
        self._nbytes += sum(image.nbytes for image in images.values())

    @property
    def full(self) -> bool:
        return len(self.parts) >= self._most or self._nbytes >= _HELD_BYTES or self._slow

    @property
    def _slow(self) -> bool:
        """Reading them took longer already, or reading and judging them, than parts do that are worth holding."""
        return time.monotonic() - self._begun_mono_s >= _SLOW_S * max(1, len(self.parts))

    def empty(self) -> None:
        """They are judged."""
        self._most = 1 if self._slow else _IN_A_ROW
        self.parts.clear()
        self._nbytes = 0
        self._begun_mono_s = time.monotonic()


def _facts(part: Part, images: Mapping[str, ReadImage]) -> PartFacts:
    said = next((said for image in images.values() for said in image.frames.values() if isinstance(said, Frame)), None)
    return PartFacts(
        part,
        [
            ImageRow(view=view, url=ref.url, sha256=images[view].sha256 if view in images else "")
            for view, ref in part.images.items()
        ],
        part_id=said.part_id if said else "",
        captured_utc_ns=said.captured_utc_ns if said else 0,
        read_ns=sum(image.read_ns for image in images.values()),
        decode_ns=sum(image.decode_ns for image in images.values()),
    )


class _Seat:
    """One candidate at work."""

    def __init__(self, candidate: Candidate, inspector: Inspector, fit: Fit) -> None:
        self.candidate = candidate
        self._fit = fit
        self.by = JudgedBy(
            label=candidate.label,
            recipe=candidate.recipe.identity,
            calibration=candidate.calibration.identity,
            models=inspector.models,
            provider=inspector.provider,
        )
        self.inspector = inspector
        self._inspectors: dict[tuple[int, int], Inspector] = {}
        views = candidate.recipe.views
        self._only = next(iter(views)) if len(views) == 1 else None

    def places(self, part: Part) -> Mapping[str, str]:
        """Which of the part's views each view of the recipe looks at: itself, but for pictures without a named view."""
        if self._only is None:
            return {view: view for view in self.candidate.recipe.views}
        known = [*part.images, *part.missing]
        if (self.candidate.any_view and len(known) == 1) or (self._only not in known and ONLY_VIEW in known):
            return {self._only: known[0] if len(known) == 1 else ONLY_VIEW}
        return {self._only: self._only}

    def answers(self, parts: Sequence[tuple[Part, Mapping[str, ReadImage]]]) -> list[_Answer]:
        """What the candidate makes of each part."""
        told: dict[int, _Answer] = {}
        shown: dict[Inspector, list[tuple[int, Mapping[str, Frame]]]] = {}
        for number, (part, images) in enumerate(parts):
            captures = self._captures(part, images)
            if isinstance(captures, Mapping):
                shown.setdefault(self._inspector_for(captures), []).append((number, captures))
            else:
                told[number] = captures
        for inspector, together in shown.items():
            for (number, _), seen in zip(together, inspector.see_each([each for _, each in together]), strict=True):
                told[number] = methodcaller("judged", inspector.decide(seen), self.by)
        return [told[number] for number in range(len(parts))]

    def _captures(self, part: Part, images: Mapping[str, ReadImage]) -> Mapping[str, Frame] | _Answer:
        """The part's frames by the recipe's views, or its row where there is nothing to judge."""
        captures: dict[str, Frame] = {}
        errors, missing, unreached = [], {}, False
        for view, place in self.places(part).items():
            if place in part.missing:
                missing[place] = part.missing[place]
                continue
            if place not in images:
                errors.append(f"{view}: the part has no image of this view, only of {', '.join(part.images) or 'none'}")
                continue
            try:
                captures[view] = self._frame(view, images[place])
            except FrameError as error:
                errors.append(f"{view}: {error}")
                unreached = unreached or isinstance(error, Unreached)
        if errors:
            return methodcaller("unreadable", "; ".join(errors), self.by, unreached=unreached)
        return methodcaller("not_kept", missing, self.by) if missing else captures

    def look(self, part: Part, images: Mapping[str, ReadImage]) -> Mapping[str, tuple[Frame, Detection]]:
        """The frames of its views and what the models see in them. Raises: FrameError, ModelError."""
        seen = {}
        for view, place in self.places(part).items():
            if place in images:
                frame = self._frame(view, images[place])
                seen[view] = (frame, self._inspector_for({view: frame}).look(view, frame))
        return seen

    def _frame(self, view: str, image: ReadImage) -> Frame:
        """The image in the view's format and, where that is asked for, fitted to its size. Raises: FrameError."""
        wanted = self.candidate.recipe.views[view]
        frame = image.frames[wanted.pixel_format]
        if isinstance(frame, FrameError):
            raise frame
        if self._fit == "refuse" or self.candidate.any_size:
            return frame  # the inspector refuses another size than its own
        return replace(frame, pixels=fitted(frame.pixels, (wanted.width_px, wanted.height_px), self._fit))

    def _inspector_for(self, captures: Mapping[str, Frame]) -> Inspector:
        """The inspector for frames of this size: over the same models, where the candidate takes any size."""
        if not self.candidate.any_size:
            return self.inspector
        (frame,) = captures.values()
        size_px = (frame.width_px, frame.height_px)
        if size_px not in self._inspectors:
            if len(self._inspectors) >= _SIZES_KEPT:
                self._inspectors.pop(next(iter(self._inspectors)))
            self._inspectors[size_px] = Inspector(
                _of_size(self.candidate.recipe, size_px), self.candidate.calibration, self.inspector.detectors
            )
        return self._inspectors[size_px]


def _of_size(recipe: Recipe, size_px: tuple[int, int]) -> Recipe:
    width_px, height_px = size_px
    views = {name: replace(view, width_px=width_px, height_px=height_px) for name, view in recipe.views.items()}
    return replace(recipe, views=views)


def _check_models(candidate: Candidate, inspector: Inspector) -> None:
    for view, detector in inspector.detectors.items():
        if detector.identity != candidate.models[view]:
            raise ConfigError(
                f"{candidate.packages[view]} holds {identity_in_words(detector.identity)} for {candidate.label}",
                expected=f"{identity_in_words(candidate.models[view])}, as when the run was begun",
                remedy="let every machine of the run have the same packages, and change none while it lasts",
            )
