"""The cube as figures: rates with bounds, changed verdicts, one set of verdicts against another."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

from lineside.reinspect.summary.document import (
    Changes,
    ClassRate,
    ComparisonSummary,
    PartList,
    Significance,
    TrueRate,
    TruthSummary,
)
from lineside.reinspect.summary.tally import Cell
from lineside.statistics.paired import Comparison, Difference, compare, difference
from lineside.statistics.proportions import Rate, between

__all__ = ["comparison", "original_verdicts", "true_rate", "truth", "verdicts"]

Cube = Mapping[Cell, int]


def verdicts(cube: Cube, who: int) -> dict[str, int]:
    """Parts by verdict, the most frequent first."""
    counts: Counter[str] = Counter()
    for cell, count in cube.items():
        counts[cell.verdict(who)] += count
    return dict(counts.most_common())


def original_verdicts(cube: Cube) -> dict[str, int]:
    """Parts by original outcome; those without one are left out."""
    counts: Counter[str] = Counter()
    for cell, count in cube.items():
        if cell.original:
            counts[cell.original] += count
    return dict(counts.most_common())


def truth(cube: Cube, who: int, escaped: PartList, overkilled: PartList) -> TruthSummary | None:
    """Escapes and overkill; None where no part's truth is known."""
    if not _sum(cube, lambda cell: cell.bad is not None):
        return None
    classes = sorted({cell.class_name for cell in cube if cell.bad})
    return TruthSummary(
        escapes=_rate(cube, lambda cell: cell.bad is True and cell.judged(who), lambda cell: cell.passes(who)),
        overkill=_rate(cube, lambda cell: cell.bad is False and cell.judged(who), lambda cell: cell.rejects(who)),
        by_class=tuple(ClassRate(class_name=name, escapes=_escapes_of_class(cube, who, name)) for name in classes),
        not_judged=_sum(cube, lambda cell: cell.bad is not None and not cell.judged(who)),
        escaped=escaped,
        overkilled=overkilled,
    )


def _escapes_of_class(cube: Cube, who: int, name: str) -> TrueRate:
    return _rate(
        cube,
        lambda cell: cell.bad is True and cell.class_name == name and cell.judged(who),
        lambda cell: cell.passes(who),
    )


def comparison(
    cube: Cube, before: int, after: int, names: Mapping[int, str], rejected: PartList, passed: PartList
) -> ComparisonSummary:
    """What changes when the verdicts of `before` give way to those of `after`, on the parts judged by both."""
    both = {cell: count for cell, count in cube.items() if cell.judged(before) and cell.judged(after)}
    known = {cell: count for cell, count in both.items() if cell.bad is not None}
    table: dict[str, dict[str, int]] = {}
    for cell, count in both.items():
        line = table.setdefault(cell.verdict(before), {})
        line[cell.verdict(after)] = line.get(cell.verdict(after), 0) + count
    told = _compare(known, before, after, names) if known else _compare_rejects(both, before, after, names)
    escapes = {cell: count for cell, count in known.items() if cell.bad and cell.passes(before)}
    overkill = _overkill_change(known, before, after)
    return ComparisonSummary(
        changes=Changes(
            before=names[before],
            after=names[after],
            compared=sum(both.values()),
            table=table,
            newly_rejected=rejected,
            newly_passed=passed,
        ),
        significance=_significance(told, "truth" if known else "verdicts"),
        escapes_caught=_rate(escapes, lambda _: True, lambda cell: cell.rejects(after)) if escapes else None,
        escapes_new=_sum(known, lambda cell: bool(cell.bad) and cell.rejects(before) and cell.passes(after)),
        overkill_change=overkill and overkill.value,
        overkill_change_low=overkill and overkill.low,
        overkill_change_high=overkill and overkill.high,
        words=told.words,
    )


def true_rate(rate: Rate) -> TrueRate:
    """A rate as the document holds it."""
    return TrueRate(
        count=rate.count,
        of=rate.of,
        rate=rate.rate,
        low=rate.low,
        high=rate.high,
        confidence=rate.confidence,
        words=rate.words,
    )


def _rate(cube: Cube, among: Callable[[Cell], bool], those: Callable[[Cell], bool]) -> TrueRate:
    of = {cell: count for cell, count in cube.items() if among(cell)}
    return true_rate(between(_sum(of, those), sum(of.values())))


def _compare(known: Cube, before: int, after: int, names: Mapping[int, str]) -> Comparison:
    def right(cell: Cell, who: int) -> bool:
        return cell.rejects(who) if cell.bad else cell.passes(who)

    return compare(
        _sum(known, lambda cell: right(cell, before) and not right(cell, after)),
        _sum(known, lambda cell: right(cell, after) and not right(cell, before)),
        sum(known.values()),
        a=names[before],
        b=names[after],
        what="judged rightly",
    )


def _compare_rejects(both: Cube, before: int, after: int, names: Mapping[int, str]) -> Comparison:
    return compare(
        _sum(both, lambda cell: cell.rejects(before) and cell.passes(after)),
        _sum(both, lambda cell: cell.passes(before) and cell.rejects(after)),
        sum(both.values()),
        a=names[before],
        b=names[after],
        what="rejected",
    )


def _overkill_change(known: Cube, before: int, after: int) -> Difference | None:
    good = {cell: count for cell, count in known.items() if cell.bad is False}
    if not good:
        return None
    return difference(
        _sum(good, lambda cell: cell.rejects(before) and cell.passes(after)),
        _sum(good, lambda cell: cell.passes(before) and cell.rejects(after)),
        sum(good.values()),
    )


def _significance(told: Comparison, on: str) -> Significance:
    return Significance.model_validate(
        {
            "on": on,
            "only_before": told.only_a,
            "only_after": told.only_b,
            "of": told.of,
            "odds": told.odds,
            "odds_low": told.odds_low,
            "odds_high": told.odds_high if math.isfinite(told.odds_high) else None,
            "p_exact": told.p_exact,
            "p_mid": told.p_mid,
            "confidence": told.confidence,
            "words": told.words,
        }
    )


def _sum(cube: Cube, those: Callable[[Cell], bool]) -> int:
    return sum(count for cell, count in cube.items() if those(cell))
