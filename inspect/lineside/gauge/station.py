"""Measures by a running station: the part lies under its camera, and a trigger by software takes the picture."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from lineside.client import StationClient
from lineside.core.errors import StationFault
from lineside.core.verdict import Outcome
from lineside.gauge.measurand import Measurand, Quantity, Reading, Seen, SeenFinding
from lineside.gauge.measurement import Measurement
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["StationGauge", "seen_in"]

_ANSWER_S = 30.0
"""A recipe's due time may be long where parts are laid by hand."""


class StationGauge:
    """Triggers the station once for each measurement. A station that was restarted meanwhile is no matter.

    The station tells defects, not every finding: a size is measured where it breaks a limit. Each measurement is a
    part of the station's record, under the part's name.
    """

    def __init__(self, address: str, measurand: Measurand, *, due_ms: int | None = None) -> None:
        """`due_ms` is the due time of each trigger; None leaves it to the recipe."""
        self._address = address
        self._measurand = measurand
        self._due_ms = due_ms

    def measure(self, wanted: Measurement) -> Reading:
        """Blocks until the verdict is there. Raises: StationFault, RequestError kin; ConfigError as `Measurand.of`."""
        return asyncio.run(self._measure(wanted.part))

    async def _measure(self, part: str) -> Reading:
        async with StationClient(self._address, timeout_s=_ANSWER_S + (self._due_ms or 0) / 1000) as station:
            answer = await station.trigger(part, wait=True, due_ms=self._due_ms)
        if not answer.HasField("verdict"):
            raise StationFault(f"{self._address} accepted trigger {answer.trigger_number} and told no verdict of it")
        return self._measurand.of(seen_in(answer.verdict))


def seen_in(verdict: pb.Verdict) -> Seen:
    """A verdict as it was told."""
    return Seen(
        outcome=Outcome(verdict.outcome),
        why=verdict.detail,
        findings=[_finding(defect) for defect in verdict.defects],
        scores={each.view: each.score for each in verdict.view_scores},
        judged_by=_judged_by([verdict.recipe, verdict.calibration, *verdict.models]),
        only_defects=True,
    )


def _finding(defect: pb.Defect) -> SeenFinding:
    sizes: dict[str, float] = {
        Quantity.LENGTH_PX: defect.length_px,
        Quantity.AREA_PX: defect.area_px,
        Quantity.WIDTH_PX: defect.box.width_px,
        Quantity.HEIGHT_PX: defect.box.height_px,
    }
    if defect.HasField("length_mm"):
        sizes[Quantity.LENGTH_MM] = defect.length_mm
    if defect.HasField("area_mm2"):
        sizes[Quantity.AREA_MM2] = defect.area_mm2
    return SeenFinding(
        view=defect.view, class_name=defect.class_name, region=defect.region, limit=defect.limit, sizes=sizes
    )


def _judged_by(identities: Iterable[pb.Identity]) -> str:
    return " ".join(f"{each.id}:{each.sha256[:12]}" for each in identities if each.sha256)
