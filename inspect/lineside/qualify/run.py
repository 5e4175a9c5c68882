"""A qualification from beginning to end: every picture judged, every figure found, in one call."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from lineside import __version__
from lineside.core.errors import ConfigError, FrameError
from lineside.core.frame import Frame
from lineside.core.verdict import Outcome
from lineside.qualify.data_identity import data_sha256
from lineside.qualify.defects import MaskedDefect, defects_of
from lineside.qualify.document import (
    By,
    Data,
    DetectionProbability,
    Made,
    NotJudged,
    PictureResult,
    PixelFigures,
    PodPoint,
    Qualification,
    Repeatability,
)
from lineside.qualify.figures import histogram, latency, ranking
from lineside.qualify.judging import Judge
from lineside.qualify.picture import Judged, LabelledPicture, Unread, judged_of
from lineside.qualify.pixels import PixelTally
from lineside.qualify.rates import by_class, escapes_of, is_grouped, overkill_of, parts_of, torn_parts
from lineside.qualify.repeatability import RepeatOrder, chosen, show_again
from lineside.qualify.telling import answer, more
from lineside.qualify.traps import Clues, clues_of, traps_of
from lineside.statistics.detection_probability import fit_pod

__all__ = ["WORST", "QualifyOrder", "check_truth", "qualify"]

WORST: Final = 12
"""Escapes, and overkills, of which the report shows pictures."""

_LIBRARIES: Final = (
    *("numpy", "scipy", "opencv-python-headless"),
    *("onnxruntime", "onnxruntime-gpu", "openvino"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class QualifyOrder:
    """What is said of the data and the judge beyond the pictures themselves.

    `by` and `data` are as the document has them, with what only judging tells (provider, hash, counts) still empty.
    `mm_per_px` is the scale, where it is known. Without `repeat` nothing is shown again.
    """

    by: By
    data: Data
    command: str
    confidence: float = 0.95
    mm_per_px: float | None = None
    repeat: RepeatOrder | None = field(default_factory=RepeatOrder)


def qualify(
    judge: Judge,
    pictures: Sequence[LabelledPicture],
    order: QualifyOrder,
    *,
    tick: Callable[[], None] = lambda: None,
) -> Qualification:
    """Judges every picture and says what came of it. `tick` is called after each, and after each that is shown again.

    Raises: ConfigError when none of the good or none of the bad ones could be judged.
    """
    begun = time.monotonic()
    tour = _Tour(judge, order, masks=any(each.mask for each in pictures))
    for each in pictures:
        tour.visit(each)
        tick()
    tour.check()
    judged = tour.judged
    rank = ranking(judged, order.confidence)
    pixels, pixels_why_not = tour.pixels()
    sizes, sizes_why_not = tour.sizes()
    again, again_why_not = _shown_again(judge, pictures, judged, order, tick)
    escaped = sorted((e for e in judged if not e.good and not e.rejected), key=lambda each: each.score)
    overkilled = sorted((e for e in judged if e.good and e.rejected), key=lambda each: -each.score)
    document = Qualification(
        answer="",
        more=(),
        confidence=order.confidence,
        by=order.by.model_copy(update={"provider": judge.provider}),
        data=tour.data(),
        not_judged=tuple(NotJudged(name=each.name, good=each.good, why=each.why) for each in tour.unread),
        escapes=escapes_of(judged, order.confidence),
        overkill=overkill_of(judged, order.confidence),
        escapes_by_class=by_class(judged, order.confidence),
        torn_parts=torn_parts(judged),
        auroc=rank.auroc if rank else None,
        average_precision=rank.average_precision if rank else None,
        operating_points=rank.operating_points if rank else (),
        roc=rank.points if rank else (),
        histogram=histogram(judged, judge.threshold),
        pixels=pixels,
        pixels_why_not=pixels_why_not,
        detection_probability=sizes,
        detection_why_not=sizes_why_not,
        repeatability=again,
        repeatability_why_not=again_why_not,
        latency=latency(judged),
        traps=traps_of(judged, tour.clues, order.confidence),
        worst_escapes=tuple(each.name for each in escaped[:WORST]),
        worst_overkill=tuple(each.name for each in overkilled[:WORST]),
        pictures=tuple(map(_result, judged)),
        made=Made(
            command=order.command,
            utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            lineside=__version__,
            versions=_versions(),
            machine=platform.platform(),
            wall_s=round(time.monotonic() - begun, 3),
        ),
    )
    return document.model_copy(update={"answer": answer(document), "more": more(document)}).sealed()


class _Tour:
    """Takes one picture after the other, and keeps of each what the figures need."""

    def __init__(self, judge: Judge, order: QualifyOrder, *, masks: bool) -> None:
        self._judge, self._order, self._masks = judge, order, masks
        self._tally = PixelTally()
        self._hashed: list[tuple[LabelledPicture, str]] = []
        self._defects: list[MaskedDefect] = []
        self._with_mask = self._without_map = self._mapped = 0
        self.judged: list[Judged] = []
        self.unread: list[Unread] = []
        self.clues: dict[str, Clues] = {}

    def visit(self, picture: LabelledPicture) -> None:
        try:
            read = self._judge.read(picture.path)
            mask = None if picture.mask is None else self._judge.mask(picture.mask, read.stored_px)
        except FrameError as error:
            self.unread.append(Unread(name=picture.name, good=picture.good, why=str(error)))
            return
        digest = picture.sha256()
        looked = self._judge.look(read.frame)
        self._hashed.append((picture, digest))
        self.clues[picture.name] = clues_of(read.frame, read.file_bytes, picture.name)
        self.judged.append(judged_of(picture, digest, looked, read.decode_ns))
        if not self._masks or (mask is None and not picture.good):
            return
        if looked.detection is None:
            self._without_map += 1
            return
        if looked.detection.maps:
            self._mapped += 1
            self._with_mask += mask is not None
            self._tally.add(looked.detection.maps, mask, (read.frame.width_px, read.frame.height_px))
        if mask is not None:
            self._defects += defects_of(looked, mask, picture.group)

    def check(self) -> None:
        """Raises: ConfigError where no good or no bad picture is left to speak of."""
        for kind, word in ((True, "good"), (False, "bad")):
            lost = [each for each in self.unread if each.good is kind]
            if lost and not any(each.good is kind for each in self.judged):
                raise ConfigError(
                    f"none of the {len(lost)} {word} pictures could be judged; {lost[0].name}: {lost[0].why}",
                    expected="pictures as the camera takes them",
                    remedy="declare --fit or --file-pixel-format, or give other pictures",
                )

    def data(self) -> Data:
        parts = parts_of(self.judged)
        return self._order.data.model_copy(
            update={
                "pictures": len(self.judged),
                "good_parts": sum(good for _, good in parts),
                "bad_parts": sum(not good for _, good in parts),
                "grouped": is_grouped(self.judged),
                "sha256": data_sha256(self._hashed),
            }
        )

    def pixels(self) -> tuple[PixelFigures | None, str]:
        if not self._masks:
            return None, "no picture has a mask that says where the defect is"
        told = self._tally.told(self._judge.threshold) if self._mapped else None
        if told is None:
            why = "no part with a mask was inspected" if self._mapped else "the package answers without a score map"
            return None, why
        return PixelFigures(
            pictures=self._mapped,
            with_mask=self._with_mask,
            without_map=self._without_map,
            regions=told.regions,
            auroc=told.auroc,
            aupro=told.aupro,
            best_f1=told.best_f1,
            best_f1_threshold=told.best_f1_threshold,
            f1_at_threshold=told.f1_at_threshold,
        ), ""

    def sizes(self) -> tuple[DetectionProbability | None, str]:
        if not self._masks:
            return None, "no picture has a mask that says how large the defect is"
        scale = self._order.mm_per_px or 1.0
        sizes = [each.length_px * scale for each in self._defects]
        found = [each.found for each in self._defects]
        pod = fit_pod(sizes, found)
        return DetectionProbability(
            unit="mm" if self._order.mm_per_px else "px",
            found=pod.found,
            of=pod.of,
            parts=len({each.group for each in self._defects}),
            a50=pod.a50,
            a90=pod.a90,
            a90_95=pod.a90_95,
            slope=pod.slope,
            separated=pod.separated,
            why_not=pod.why_not,
            curve=tuple(PodPoint(size=size, probability=level, sure_from=sure) for size, level, sure in pod.curve),
            sizes_found=tuple(size for size, hit in zip(sizes, found, strict=True) if hit),
            sizes_missed=tuple(size for size, hit in zip(sizes, found, strict=True) if not hit),
        ), ""


def check_truth(pictures: Sequence[LabelledPicture], data: Data) -> None:
    """Called before anything is opened. Raises: ConfigError for pictures that are not of good and bad parts."""
    for good, word, lost in ((False, "bad", "escapes"), (True, "good", "overkill")):
        if not any(each.good is good for each in pictures):
            raise ConfigError(
                f"{data.name} has no picture of a {word} part in the split {data.split}",
                expected="good and bad parts",
                remedy=f"without {word} ones nothing is known of {lost}: add some, or take another split",
            )


def _versions() -> dict[str, str]:
    """Of what is installed of the libraries that figures depend on."""
    found = {}
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _shown_again(
    judge: Judge,
    pictures: Sequence[LabelledPicture],
    judged: Sequence[Judged],
    order: QualifyOrder,
    tick: Callable[[], None],
) -> tuple[Repeatability | None, str]:
    if order.repeat is None:
        return None, "it was not asked for"
    again = chosen(judged, order.repeat.parts, judge.threshold)
    if len(again) < 2:
        return None, f"{len(again)} parts were inspected, and it takes two"
    paths = {each.name: each.path for each in pictures}

    def frame_of(each: Judged) -> Frame:
        return judge.read(paths[each.name]).frame

    return show_again(judge, again, frame_of, order.repeat, order.confidence, tick), ""


def _result(each: Judged) -> PictureResult:
    return PictureResult(
        name=each.name,
        group=each.group,
        good=each.good,
        class_name=each.class_name,
        outcome=Outcome(each.outcome).name,
        score=each.score if each.inspected else None,
        sha256=each.sha256,
        why=each.detail,
    )
