"""Names of the station as numbers, for PLCs that know no text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineside.bridges.plc import Result
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["NOT_NUMBERED", "Numbering"]

NOT_NUMBERED = 0xFFFF
"""A defect class that the bridge's file does not number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbering:
    """Recipes by number, and the classes of defects, numbered from 1 in their order."""

    recipes: Mapping[int, str]
    defect_classes: Sequence[str] = ()

    def recipe_number(self, recipe_id: str) -> int:
        """0 where it has none."""
        return next((number for number, name in self.recipes.items() if name == recipe_id), 0)

    def result(self, verdict: pb.Verdict, acquisition_id: int, *, late: bool) -> Result:
        """A verdict for the PLC. A late one is NOT_INSPECTED whatever it says; an outcome not known here likewise."""
        outcome = int(verdict.outcome)
        known = outcome in (Outcome.PASS, Outcome.FAIL, Outcome.NOT_INSPECTED)
        result = Result(
            acquisition_id=acquisition_id,
            outcome=Outcome(outcome) if known else Outcome.NOT_INSPECTED,
            reason=_reason(verdict.reason),
            defect_class=self._defect_class(verdict.defects[0].class_name) if verdict.defects else 0,
            score_x1000=round(1000 * max((view.score for view in verdict.view_scores), default=0.0)),
            processing_ms=verdict.latency.decide_ns // 1_000_000,
            recipe_used=self.recipe_number(verdict.recipe.id),
            due_ns=verdict.due_ns,
        )
        return result.not_inspected(Reason.DUE_TIME) if late and result.outcome != Outcome.NOT_INSPECTED else result

    def _defect_class(self, name: str) -> int:
        return self.defect_classes.index(name) + 1 if name in self.defect_classes else NOT_NUMBERED


def _reason(code: int) -> Reason:
    try:
        return Reason(code)
    except ValueError:  # a newer station
        return Reason.NONE
