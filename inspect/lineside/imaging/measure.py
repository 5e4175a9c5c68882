"""Pixels to millimetres, and a defect in words."""

from __future__ import annotations

from lineside.core.calibration import Scale
from lineside.core.finding import Defect, Finding
from lineside.core.recipe import Limit

__all__ = ["defect_of", "describe", "exceeds"]


def defect_of(finding: Finding, limit: Limit, *, view: str, region: str, scale: Scale | None) -> Defect:
    """The finding as measured against one limit, with sizes in mm where the view has a scale."""
    return Defect(
        view=view,
        finding=finding,
        region=region,
        limit=limit.name,
        area_mm2=None if scale is None else finding.area_px * scale.mm_per_px**2,
        length_mm=None if scale is None else finding.length_px * scale.mm_per_px,
    )


def exceeds(defect: Defect, limit: Limit) -> bool:
    """Whether it is larger than one of the limit's sizes; a limit without sizes is exceeded by anything."""
    return not limit.has_size or bool(_broken_sizes(defect, limit))


def describe(defect: Defect, limit: Limit, counted: int) -> str:
    """One sentence for a person: "scratch 3.2 mm in face (limit 0.8 mm), score 0.91".

    `counted` is how many findings broke the limit; it is told where the limit allows some.
    """
    region = "" if defect.region == "all" else f"/{defect.region}"
    what, where = defect.finding.class_name, f"in {defect.view}{region}"
    if broken := next(iter(_broken_sizes(defect, limit)), None):
        measured, allowed, unit = broken
        sentence = f"{what} {measured:.3g} {unit} {where} (limit {allowed:.3g} {unit})"
    else:
        sentence = f"{what} {where}"
    if limit.max_count:
        sentence += f", {counted} of them (limit {limit.max_count})"
    return f"{sentence}, score {defect.finding.score:.2f}"


def _broken_sizes(defect: Defect, limit: Limit) -> list[tuple[float, float, str]]:
    sizes = (
        (defect.length_mm, limit.max_length_mm, "mm"),
        (defect.area_mm2, limit.max_area_mm2, "mm²"),
        (defect.finding.length_px, limit.max_length_px, "px"),
        (defect.finding.area_px, limit.max_area_px, "px²"),
    )
    return [
        (measured, allowed, unit)
        for measured, allowed, unit in sizes
        if measured is not None and allowed is not None and measured > allowed
    ]
