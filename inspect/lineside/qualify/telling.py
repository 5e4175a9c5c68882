"""What a qualification says, in sentences: the answer, and what one must know to read it."""

from __future__ import annotations

from collections.abc import Iterator

from lineside.qualify.document import PartFigure, Qualification
from lineside.qualify.traps import in_words
from lineside.statistics.proportions import Rate, parts_to_show
from lineside.statistics.wording import percent

__all__ = ["answer", "more"]

_WELL_SHOWN = 0.01
_FEW_FOR_POD = 60
"""MIL-HDBK-1823A: so many targets at least for hit/miss data."""


def answer(document: Qualification) -> str:
    """Escapes and overkill with their bounds, in two sentences."""
    escapes = _rate("Escapes", "bad", document.escapes, document)
    return f"{escapes} {_rate('Overkill', 'good', document.overkill, document)}"


def more(document: Qualification) -> tuple[str, ...]:
    """What qualifies the answer, the gravest first."""
    return tuple(_more(document))


def _rate(name: str, kind: str, figure: PartFigure, document: Qualification) -> str:
    parts = figure.parts
    if parts.rate is None:
        return f"{name}: no {kind} part was judged."
    rate = Rate(count=parts.count, of=parts.of, low=parts.low, high=parts.high, confidence=document.confidence)
    pictures = f", {figure.pictures:,} of their {figure.of_pictures:,} pictures" if document.data.grouped else ""
    return (
        f"{name}: {parts.count:,} of {parts.of:,} {kind} parts ({percent(parts.rate)}{pictures}); "
        f"with {percent(document.confidence)} confidence the true rate is {rate.bounds}."
    )


def _more(document: Qualification) -> Iterator[str]:
    data = document.data
    yield f"The bounds hold for parts like these {data.bad_parts:,} bad and {data.good_parts:,} good ones."
    if data.seen_in_training:
        yield (
            f"Pictures that helped to make or to set the package: {len(data.seen_in_training)}. The figures are kinder "
            "than the truth."
        )
    elif data.split == "val":
        yield "Settings and thresholds are chosen on val: the figures are kinder than the truth. test tells it."
    if not data.training_known:
        yield "The package does not say what it has learned from: whether it knows these pictures cannot be checked."
    if document.not_judged:
        first = document.not_judged[0]
        yield (
            f"Pictures that could not be judged, and are in no rate: {len(document.not_judged)}, "
            f"the first {first.name}: {first.why}"
        )
    not_inspected = document.escapes.not_inspected + document.overkill.not_inspected
    if not_inspected:
        yield (
            f"Pictures that were NOT_INSPECTED: {not_inspected} ({document.overkill.not_inspected} of good parts, "
            f"{document.escapes.not_inspected} of bad ones). The line rejects them, and they count as rejected."
        )
    if data.grouped:
        yield (
            f"{data.pictures:,} pictures show {data.good_parts + data.bad_parts:,} parts. A part counts when any of "
            "its pictures does. Pictures of one part are not independent: bounds by picture would be too narrow."
        )
    copies = len(document.pictures) - len({each.sha256 for each in document.pictures})
    if copies:
        yield f"Pictures that are copies of others, byte for byte: {copies}. They show no more, and count twice."
    told = [
        f"{in_words(trap.name)} (AUROC {trap.auroc.value:.2f})" for trap in document.traps if trap.told and trap.auroc
    ]
    if told:
        yield (
            f"Take care: good is told from bad without the part, by {'; by '.join(told)}. "
            "The detector may have learned that, or seem good because of it."
        )
    if document.escapes.parts.high > _WELL_SHOWN:
        needed = parts_to_show(_WELL_SHOWN, confidence=document.confidence)
        yield (
            f"To show that at most {percent(_WELL_SHOWN)} escape takes {needed:,} bad parts without an escape; "
            f"these are {data.bad_parts:,}."
        )
    sizes = document.detection_probability
    if sizes and sizes.a90 and sizes.of < _FEW_FOR_POD:
        yield f"{sizes.of} defects with a size are few for a probability of detection: {_FEW_FOR_POD} are asked for."
