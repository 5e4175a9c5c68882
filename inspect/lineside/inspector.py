"""Frames of one part in, one judgement out. The live station and re-inspection run this same page.

It is pure: no clock decides, nothing is remembered from part to part, nothing is written. In order: every view must
have come, the models look, the limits are held against what they saw, the verdict is put into words.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lineside.core.calibration import Calibration
from lineside.core.errors import FrameError, InspectionError, ModelError
from lineside.core.finding import Defect, Detection
from lineside.core.fit import misfits, views_of
from lineside.core.frame import Frame, MissedFrame
from lineside.core.ports import Detector
from lineside.core.reason import Reason
from lineside.core.recipe import Limit, Recipe
from lineside.core.verdict import Judgement, Outcome
from lineside.imaging.measure import describe, exceeds
from lineside.imaging.view_rules import ViewRules

__all__ = ["MAX_DEFECTS", "Inspector", "Seen"]

MAX_DEFECTS = 100
"""Defects told of one part, the worst by score; `defects_total` counts them all."""

_WORST_FIRST = (Reason.DEVICE_LOST, Reason.CAMERA_LOST, Reason.FRAME_LOST, Reason.FRAME_DAMAGED, Reason.NO_FRAME)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Seen:
    """What the models answered to one part's frames, by view, and which frames they could not be asked about."""

    detections: Mapping[str, Detection]
    missed: Sequence[MissedFrame]
    took_ns: int


class Inspector:
    """Judges parts by one recipe, at one station. Used by one thread."""

    def __init__(self, recipe: Recipe, calibration: Calibration, detectors: Mapping[str, Detector]) -> None:
        """`detectors` are by view, loaded and warm. Raises: ConfigError when recipe, models and scales do not fit."""
        for _, misfit in misfits(recipe, calibration, detectors):
            raise misfit
        self._recipe = recipe
        self._detectors = {view: detectors[view] for view in recipe.views}
        self._rules = {
            name: ViewRules(view, calibration, detectors[name].threshold) for name, view in recipe.views.items()
        }
        self.models = tuple(dict.fromkeys(detector.identity for detector in self._detectors.values()))
        """Who looks, in the order of the views, each once."""
        self.provider = ", ".join(sorted({detector.provider for detector in self._detectors.values()}))
        """What runs them."""

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """By view; views with the same package may share one."""
        return self._detectors

    def judge(self, captures: Mapping[str, Frame | MissedFrame]) -> Judgement:
        """One judgement from one capture per view; views that the recipe does not have are not looked at.

        What is wrong with the part's frames or the model's answer is not raised: it is NOT_INSPECTED with its reason.
        Raises: InspectorLost when this process cannot judge any more.
        """
        return self.decide(self.see(captures))

    def see(self, captures: Mapping[str, Frame | MissedFrame]) -> Seen:
        """The first half of `judge`, in which the models look. Raises: InspectorLost."""
        return self.see_each([captures])[0]

    def see_each(self, parts: Sequence[Mapping[str, Frame | MissedFrame]]) -> list[Seen]:
        """`see` for several parts in a row, each as if it were alone; the time of each is the mean.

        Raises: InspectorLost.
        """
        begun_ns = time.perf_counter_ns()
        sorted_out = [self._sort_out(captures) for captures in parts]
        shown = [part for part, (_, missed) in enumerate(sorted_out) if not missed]
        seen: list[dict[str, Detection]] = [{} for _ in parts]
        for view, detector in self._detectors.items():
            answers = detector.detect_each([sorted_out[part][0][view] for part in shown])
            for part, answer in zip(shown, answers, strict=True):
                if isinstance(answer, InspectionError):
                    sorted_out[part][1].append(_missed(view, answer))
                else:
                    seen[part][view] = answer
        took_ns = (time.perf_counter_ns() - begun_ns) // max(1, len(parts))
        return [
            Seen(detections=detections, missed=missed, took_ns=took_ns)
            for detections, (_, missed) in zip(seen, sorted_out, strict=True)
        ]

    def decide(self, seen: Seen) -> Judgement:
        """The second half: what was seen, held against the limits."""
        begun_ns = time.perf_counter_ns()
        missed = list(seen.missed)
        detections = {} if missed else self._sound(seen.detections, missed)
        if missed:
            detail = "; ".join(f"{miss.view}: {miss.detail or miss.reason.sentence}" for miss in missed)
            judgement = Judgement.not_inspected(min((miss.reason for miss in missed), key=_severity), detail)
        else:
            judgement = self._decide(detections)
        return replace(
            judgement,
            models=self.models,
            provider=self.provider,
            infer_ns=seen.took_ns if seen.detections else 0,
            total_ns=seen.took_ns + time.perf_counter_ns() - begun_ns,
        )

    def measured(self, limit: Limit, detections: Mapping[str, Detection]) -> list[Defect]:
        """Every finding that the limit looks at, measured against it: those that exceed its sizes are its defects, if
        they are more than it allows. `detections` are of all views.
        """
        return self._measured(self._found(limit, detections))

    def look(self, view: str, frame: Frame) -> Detection:
        """What the model of that view sees in the frame. Raises: FrameError, NotLocated, ModelError."""
        return self._rules[view].check(self._detectors[view].detect(self._rules[view].prepared(frame)))

    def _found(self, limit: Limit, detections: Mapping[str, Detection]) -> list[Defect]:
        views = views_of(limit, self._recipe)
        return [defect for view in views for defect in self._rules[view].found(limit, detections[view])]

    def _measured(self, defects: Sequence[Defect]) -> list[Defect]:
        """The same, in the same order, with sizes in mm."""
        views = {
            name: iter(rules.measured([defect for defect in defects if defect.view == name]))
            for name, rules in self._rules.items()
        }
        return [next(views[defect.view]) for defect in defects]

    def _sort_out(self, captures: Mapping[str, Frame | MissedFrame]) -> tuple[dict[str, Frame], list[MissedFrame]]:
        frames: dict[str, Frame] = {}
        missed: list[MissedFrame] = []
        for name in self._recipe.views:
            match captures.get(name):
                case None:
                    missed.append(MissedFrame(view=name, reason=Reason.NO_FRAME, detail="no frame of this view came"))
                case MissedFrame() as miss:
                    missed.append(miss)
                case frame:
                    try:
                        frames[name] = self._rules[name].prepared(frame)
                    except FrameError as error:
                        missed.append(_missed(name, error))
        return frames, missed

    def _sound(self, detections: Mapping[str, Detection], missed: list[MissedFrame]) -> dict[str, Detection]:
        sound = {}
        for view, detection in detections.items():
            try:
                sound[view] = self._rules[view].check(detection)
            except ModelError as error:
                missed.append(_missed(view, error))
        return sound

    def _decide(self, detections: Mapping[str, Detection]) -> Judgement:
        broken: list[tuple[Defect, Limit, int]] = []
        for limit in self._recipe.limits:
            defects = [defect for defect in self._found(limit, detections) if exceeds(defect, limit)]
            if len(defects) > limit.max_count:
                broken += [(defect, limit, len(defects)) for defect in defects]
        broken.sort(key=lambda each: _rank(each[0]))
        scores = tuple(self._rules[view].score(detection) for view, detection in detections.items())
        band = self._recipe.review
        return Judgement(
            outcome=Outcome.FAIL if broken else Outcome.PASS,
            reason=Reason.DEFECTS if broken else Reason.NONE,
            detail=describe(*broken[0]) if broken else "",
            defects=tuple(self._measured([defect for defect, _, _ in broken[:MAX_DEFECTS]])),
            defects_total=len(broken),
            view_scores=scores,
            review=band is not None and any(band.from_score <= each.score < band.to_score for each in scores),
        )


def _missed(view: str, error: InspectionError) -> MissedFrame:
    return MissedFrame(view=view, reason=error.reason, detail=str(error))


def _severity(reason: Reason) -> tuple[int, int]:
    return (_WORST_FIRST.index(reason) if reason in _WORST_FIRST else len(_WORST_FIRST), reason)


def _rank(defect: Defect) -> tuple[float | str, ...]:
    box = defect.finding.box
    return (-defect.finding.score, defect.view, box.y_px, box.x_px, box.width_px, box.height_px, defect.limit)
