"""Escapes and overkill, counted by part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineside.core.verdict import Outcome
from lineside.qualify.document import ClassEscapes, PartFigure, RateFigure
from lineside.qualify.picture import Judged
from lineside.statistics.proportions import Rate, between

__all__ = ["by_class", "escapes_of", "is_grouped", "overkill_of", "parts_of", "rate_figure", "torn_parts"]


def escapes_of(judged: Iterable[Judged], confidence: float) -> PartFigure:
    """Bad parts of which a picture passed."""
    bad = [each for each in judged if not each.good]
    return _figure(bad, [not each.rejected for each in bad], confidence)


def overkill_of(judged: Iterable[Judged], confidence: float) -> PartFigure:
    """Good parts of which a picture was rejected; NOT_INSPECTED is a reject."""
    good = [each for each in judged if each.good]
    return _figure(good, [each.rejected for each in good], confidence)


def by_class(judged: Iterable[Judged], confidence: float) -> tuple[ClassEscapes, ...]:
    """Escapes of each class of bad part, by name."""
    bad = [each for each in judged if not each.good]
    return tuple(
        ClassEscapes(class_name=name, escapes=escapes_of([each for each in bad if each.class_name == name], confidence))
        for name in sorted({each.class_name for each in bad})
    )


def parts_of(judged: Iterable[Judged]) -> dict[tuple[str, bool], list[Judged]]:
    """Pictures by part, in the order of their first one."""
    parts: dict[tuple[str, bool], list[Judged]] = {}
    for each in judged:
        parts.setdefault(each.part, []).append(each)
    return parts


def is_grouped(judged: Sequence[Judged]) -> bool:
    """Whether any part has several pictures."""
    return len(parts_of(judged)) < len(judged)


def torn_parts(judged: Iterable[Judged]) -> int:
    """Parts whose pictures were not all judged alike."""
    return sum(len({each.rejected for each in pictures}) > 1 for pictures in parts_of(judged).values())


def rate_figure(rate: Rate) -> RateFigure:
    """As the document has it."""
    return RateFigure(count=rate.count, of=rate.of, rate=rate.rate, low=rate.low, high=rate.high)


def _figure(pictures: Sequence[Judged], counts: Sequence[bool], confidence: float) -> PartFigure:
    parts: dict[tuple[str, bool], bool] = {}
    for picture, counted in zip(pictures, counts, strict=True):
        parts[picture.part] = parts.get(picture.part, False) or counted
    return PartFigure(
        parts=rate_figure(between(sum(parts.values()), len(parts), confidence=confidence)),
        pictures=sum(counts),
        of_pictures=len(pictures),
        not_inspected=sum(picture.outcome is Outcome.NOT_INSPECTED for picture in pictures),
    )
