"""What an inspector made of a part, as a row: judged, unreadable or not kept, and whether it is as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lineside.core.errors import InvalidRequest
from lineside.core.finding import Defect
from lineside.core.identity import Identity
from lineside.core.reason import Reason
from lineside.core.verdict import Judgement, ViewScore
from lineside.reinspect.comparison import Comparison, Original, compare, compare_missing
from lineside.reinspect.part import Part
from lineside.reinspect.row import SIZES_MM, DefectRow, ImageRow, ModelRow, Row, State, ViewScoreRow
from lineside.wire.codec import judgement_bytes

__all__ = ["JudgedBy", "PartFacts"]


@dataclass(frozen=True, kw_only=True)
class JudgedBy:
    """What is the same in all rows of one candidate."""

    label: str
    recipe: Identity
    calibration: Identity
    models: tuple[Identity, ...]
    provider: str

    @cached_property
    def same(self) -> Mapping[str, Any]:
        """These, as a row has them."""
        return {
            "candidate": self.label,
            "recipe_sha256": self.recipe.sha256,
            "calibration_sha256": self.calibration.sha256,
            "models": tuple(ModelRow(id=each.id, revision=each.revision, sha256=each.sha256) for each in self.models),
            "provider": self.provider,
        }


class PartFacts:
    """What is the same in all rows of one part: made once, whatever the number of candidates."""

    def __init__(
        self,
        part: Part,
        images: Sequence[ImageRow] = (),
        *,
        part_id: str = "",
        captured_utc_ns: int = 0,
        read_ns: int = 0,
        decode_ns: int = 0,
    ) -> None:
        """`part_id` and `captured_utc_ns` are what the images say, for where the source does not."""
        self._original: Original | None = None
        self._unusable = ""
        self._same: dict[str, Any] = {
            "part_key": part.key,
            "part_id": part.part_id or part_id,
            "captured_utc_ns": part.captured_utc_ns or captured_utc_ns,
            "images": tuple(images),
            "read_ms": read_ns / 1e6,
            "decode_ms": decode_ns / 1e6,
        }
        if part.truth is not None:
            self._same |= {"truth_bad": part.truth.bad, "truth_class": part.truth.class_name}
        if part.original is not None:
            self._same |= {
                "original_sequence": part.original.sequence,
                "original_trigger_number": part.original.trigger_number,
            }
            try:
                self._original = Original.of(part.original.payload)
            except InvalidRequest as error:
                self._unusable = f"the journalled verdict cannot be read: {error.what}"
        if self._original is not None:
            verdict = self._original.verdict
            self._same |= {"original_outcome": verdict.outcome.name, "original_reason": _reason(verdict.reason)}

    def judged(self, judgement: Judgement, by: JudgedBy) -> Row:
        """The row of a judgement. Frames that are not as the recipe declares were not judged: they are UNREADABLE."""
        answer = judgement_bytes(judgement)
        comparison = self._compared(judgement, answer, by)
        times: dict[str, Any] = {"infer_ms": judgement.infer_ns / 1e6, "judge_ms": judgement.total_ns / 1e6}
        if judgement.reason is Reason.FRAME_DAMAGED:
            return self._row(by, State.UNREADABLE, comparison, error=judgement.detail, **times)
        scores = tuple(
            ViewScoreRow(view=each.view, score=each.score, threshold=each.threshold) for each in judgement.view_scores
        )
        return self._row(
            by,
            State.JUDGED,
            comparison,
            outcome=judgement.outcome.name,
            reason=_reason(judgement.reason),
            detail=judgement.detail,
            score=max(map(_relative, judgement.view_scores), default=None),
            view_scores=scores,
            defects=tuple(map(_defect_row, judgement.defects)),
            defects_total=max(judgement.defects_total, len(judgement.defects)),
            review=judgement.review,
            judgement=answer,
            judgement_sha256=hashlib.sha256(answer).hexdigest(),
            **times,
        )

    def unreadable(self, error: str, by: JudgedBy, *, unreached: bool = False) -> Row:
        """The row of a part of which an image cannot be had, or is not what was declared."""
        return self._row(by, State.UNREADABLE, Comparison(), error=error, unreached=unreached)

    def not_kept(self, missing: Mapping[str, str], by: JudgedBy) -> Row:
        """The row of a part that has no image of these views, as the archive calls them, and why."""
        comparison = Comparison(difference=self._unusable)
        if self._original is not None:
            comparison = compare_missing(
                self._original, missing, recipe=by.recipe, calibration=by.calibration, models=by.models
            )
        detail = "; ".join(f"{view}: {why}" if view else why for view, why in missing.items())
        return self._row(by, State.NOT_KEPT, comparison, detail=detail)

    def _compared(self, judgement: Judgement, answer: bytes, by: JudgedBy) -> Comparison:
        if self._original is None:
            return Comparison(difference=self._unusable)
        return compare(self._original, judgement, answer, recipe=by.recipe, calibration=by.calibration)

    def _row(self, by: JudgedBy, state: State, comparison: Comparison, **answer: Any) -> Row:
        return Row(
            **self._same,
            **by.same,
            state=state,
            reproduces=comparison.reproduces,
            difference=comparison.difference,
            **answer,
        )


def _reason(reason: Reason) -> str:
    return "" if reason is Reason.NONE else reason.name


def _relative(score: ViewScore) -> float:
    """1 is where findings begin, whatever the threshold."""
    if score.threshold > 0:
        return score.score / score.threshold
    return 1.0 if score.score >= score.threshold else 0.0


def _defect_row(defect: Defect) -> DefectRow:
    finding, box = defect.finding, defect.finding.box
    return DefectRow(
        view=defect.view,
        class_name=finding.class_name,
        score=finding.score,
        x_px=box.x_px,
        y_px=box.y_px,
        width_px=box.width_px,
        height_px=box.height_px,
        area_px=finding.area_px,
        length_px=finding.length_px,
        **{size: getattr(defect, size) for size in SIZES_MM},
        region=defect.region,
        limit=defect.limit,
    )
