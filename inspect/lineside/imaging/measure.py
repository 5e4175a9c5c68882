"""A finding against a limit, sizes and their uncertainty included, and a defect in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from lineside.core.finding import Defect, Finding
from lineside.core.recipe import Errs, Limit
from lineside.imaging.sizes import Sizes

__all__ = ["defect_of", "describe", "exceeds", "with_sizes"]

_SIDE: Final[dict[Errs, int]] = {"reject": 1, "neither": 0, "pass": -1}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """One size of a defect against what its limit allows. `reach` is the expanded uncertainty, None for pixels."""

    measured: float
    reach: float | None
    allowed: float
    unit: str


def defect_of(finding: Finding, limit: Limit, *, view: str, region: str) -> Defect:
    """The finding as looked at by one limit, not yet measured in mm."""
    return Defect(view=view, finding=finding, region=region, limit=limit.name)


def with_sizes(defect: Defect, sizes: Sizes) -> Defect:
    """The defect with its sizes in mm."""
    return replace(
        defect,
        area_mm2=sizes.area_mm2.value,
        length_mm=sizes.length_mm.value,
        width_mm=sizes.width_mm.value,
        diameter_mm=sizes.diameter_mm.value,
        area_uncertainty_mm2=sizes.area_mm2.uncertainty,
        length_uncertainty_mm=sizes.length_mm.uncertainty,
        width_uncertainty_mm=sizes.width_mm.uncertainty,
        diameter_uncertainty_mm=sizes.diameter_mm.uncertainty,
    )


def exceeds(defect: Defect, limit: Limit) -> bool:
    """Whether it is larger than one of the limit's sizes; a limit without sizes is exceeded by anything.

    A size in mm counts as larger by its expanded uncertainty, or as smaller, as the limit says.
    """
    return not limit.has_size or next(_broken_sizes(defect, limit), None) is not None


def describe(defect: Defect, limit: Limit, counted: int) -> str:
    """One sentence for a person: "scratch 3.2 ± 0.06 mm in face (limit 0.8 mm), score 0.91".

    `counted` is how many findings broke the limit; it is told where the limit allows some. What stands behind ± is the
    expanded uncertainty, by the limit's coverage factor.
    """
    region = "" if defect.region == "all" else f"/{defect.region}"
    what, where = defect.finding.class_name, f"in {defect.view}{region}"
    if broken := next(_broken_sizes(defect, limit), None):
        size = f"{broken.measured:.3g}" + (f" ± {broken.reach:.2g}" if broken.reach else "")
        sentence = f"{what} {size} {broken.unit} {where} (limit {broken.allowed:.3g} {broken.unit})"
    else:
        sentence = f"{what} {where}"
    if limit.max_count:
        sentence += f", {counted} of them (limit {limit.max_count})"
    return f"{sentence}, score {defect.finding.score:.2f}"


def _broken_sizes(defect: Defect, limit: Limit) -> Iterator[_Held]:
    for held in _held(defect, limit):
        side = 0.0 if held.reach is None else _SIDE[limit.errs] * held.reach
        if not held.measured + side <= held.allowed:  # what is no number is not within it
            yield held


def _held(defect: Defect, limit: Limit) -> Iterator[_Held]:
    finding = defect.finding
    for measured, uncertainty, allowed, unit in (
        (defect.length_mm, defect.length_uncertainty_mm, limit.max_length_mm, "mm"),
        (defect.area_mm2, defect.area_uncertainty_mm2, limit.max_area_mm2, "mm²"),
        (finding.length_px, None, limit.max_length_px, "px"),
        (finding.area_px, None, limit.max_area_px, "px²"),
    ):
        if measured is not None and allowed is not None:
            reach = None if uncertainty is None else limit.coverage_factor * uncertainty
            yield _Held(measured=measured, reach=reach, allowed=allowed, unit=unit)
