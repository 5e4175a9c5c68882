"""`[input.locate]` of a package: how the part is found in a frame before the graph looks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from lineside.core.frame import Pixels
from lineside.imaging.locate import EdgesPattern, OutlinePattern, PartPattern, RoundPattern

__all__ = ["EdgesSpec", "LocateSpec", "OutlineSpec", "RoundSpec", "spec_of"]

Positive = Annotated[float, Field(gt=0.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Spec(BaseModel):
    """`reference` is a PNG in the package's pixel format: a good part as the graph is to see it. The other keys are
    those of the patterns in `imaging`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    reference: Annotated[str, Field(min_length=1)]
    min_correlation: Share


class OutlineSpec(_Spec):
    """By what differs from even ground; what packages mean that name no kind."""

    kind: Literal["outline"] | None = None
    contrast: Positive
    area_px: Positive
    size_px: tuple[Positive, Positive]
    turns: bool

    def pattern(self, reference: Pixels) -> PartPattern:
        """What the locator needs."""
        return OutlinePattern(
            reference=reference,
            contrast=self.contrast,
            area_px=self.area_px,
            size_px=self.size_px,
            turns=self.turns,
            min_correlation=self.min_correlation,
        )


class RoundSpec(_Spec):
    """As a round part, which is unrolled."""

    kind: Literal["round"] = "round"
    radius_px: Positive
    marked: bool

    def pattern(self, reference: Pixels) -> PartPattern:
        """What the locator needs."""
        return RoundPattern(
            reference=reference,
            radius_px=self.radius_px,
            marked=self.marked,
            min_correlation=self.min_correlation,
        )


class EdgesSpec(_Spec):
    """By its edges, on any ground."""

    kind: Literal["edges"] = "edges"
    margin_px: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
    most_turn_deg: Annotated[float, Field(ge=0.0, le=180.0)]

    def pattern(self, reference: Pixels) -> PartPattern:
        """What the locator needs."""
        return EdgesPattern(
            reference=reference,
            margin_px=self.margin_px,
            most_turn_deg=self.most_turn_deg,
            min_correlation=self.min_correlation,
        )


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind or "outline"


LocateSpec = Annotated[
    Annotated[OutlineSpec, Tag("outline")] | Annotated[RoundSpec, Tag("round")] | Annotated[EdgesSpec, Tag("edges")],
    Discriminator(_kind),
]


def spec_of(pattern: PartPattern, reference: str) -> OutlineSpec | RoundSpec | EdgesSpec:
    """The table for a pattern whose reference picture lies at `reference` in the package."""
    match pattern:
        case OutlinePattern():
            return OutlineSpec(
                reference=reference,
                contrast=pattern.contrast,
                area_px=pattern.area_px,
                size_px=pattern.size_px,
                turns=pattern.turns,
                min_correlation=pattern.min_correlation,
            )
        case RoundPattern():
            return RoundSpec(
                reference=reference,
                radius_px=pattern.radius_px,
                marked=pattern.marked,
                min_correlation=pattern.min_correlation,
            )
        case EdgesPattern():
            return EdgesSpec(
                reference=reference,
                margin_px=pattern.margin_px,
                most_turn_deg=pattern.most_turn_deg,
                min_correlation=pattern.min_correlation,
            )
