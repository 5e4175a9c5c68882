"""From the rows of a run to its summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lineside.core.identity import sha256_of_file
from lineside.reinspect.summary import figures
from lineside.reinspect.summary.answer import STATION, answer, cautions, short_names
from lineside.reinspect.summary.document import (
    CandidateSummary,
    ComparisonSummary,
    PartList,
    Reproduction,
    RunFacts,
    Summary,
    Throughput,
    TruthSummary,
)
from lineside.reinspect.summary.drift import drift
from lineside.reinspect.summary.rows import candidates_of, read_parts
from lineside.reinspect.summary.tally import ORIGINAL, Tally

__all__ = ["LISTED_PARTS", "summarise"]

LISTED_PARTS = 24
"""Parts named in each list, the most telling ones; rows.parquet has them all."""


def summarise(rows_path: Path, run: RunFacts, *, listed_parts: int = LISTED_PARTS) -> Summary:
    """What the rows say, read once, in memory that does not grow with them. Blocks: some seconds a million rows.

    Raises: ReinspectionError when the file is no rows.parquet or a part's rows are not whole.
    """
    labels = candidates_of(rows_path)
    tally = Tally(labels, listed_parts)
    for batch in read_parts(rows_path, labels):
        tally.add(batch)
    candidates = tuple(_candidate(tally, number) for number in range(len(labels)))
    comparisons = _comparisons(tally)
    unreadable, not_kept = tally.unreadable, tally.not_kept
    return Summary(
        answer=answer(candidates, comparisons, tally.parts),
        more=tuple(
            cautions(run, tally.parts, unreadable.total, tally.unreached, not_kept.total, candidates, comparisons)
        ),
        parts=tally.parts,
        known_bad=sum(count for cell, count in tally.cube.items() if cell.bad),
        known_good=sum(count for cell, count in tally.cube.items() if cell.bad is False),
        original_verdicts=figures.original_verdicts(tally.cube),
        original_truth=_original_truth(tally),
        candidates=candidates,
        comparisons=comparisons,
        unreadable=unreadable.total,
        unreadable_reasons=unreadable.reasons(),
        not_kept=not_kept.total,
        not_kept_reasons=not_kept.reasons(),
        throughput=_throughput(tally, run),
        rows_sha256=sha256_of_file(rows_path),
        run=run,
    )


def _original_truth(tally: Tally) -> TruthSummary | None:
    """Of the parts that have an original verdict."""
    told = {cell: count for cell, count in tally.cube.items() if cell.original}
    return figures.truth(told, ORIGINAL, PartList(total=0, parts=()), PartList(total=0, parts=()))


def _candidate(tally: Tally, number: int) -> CandidateSummary:
    told = tally.candidates[number]
    return CandidateSummary(
        label=tally.labels[number],
        verdicts=figures.verdicts(tally.cube, number),
        review=told.review,
        truth=figures.truth(tally.cube, number, told.escaped.parts(), told.overkilled.parts()),
        reproduction=Reproduction(
            identical=told.identical, different=told.differences.total, causes=told.differences.reasons()
        )
        if told.identical + told.differences.total
        else None,
        scores=told.by_truth.histogram(),
        drift=drift(told.over_time),
        identities=told.identities(),
    )


def _comparisons(tally: Tally) -> tuple[ComparisonSummary, ...]:
    """With the station's verdicts first: they are what was told to the line."""
    names = {ORIGINAL: STATION, **dict(enumerate(short_names(tally.labels)))}
    compared: Sequence[ComparisonSummary] = [
        figures.comparison(tally.cube, before, after, names, rejected.parts(), passed.parts())
        for (before, after), (rejected, passed) in tally.changes.items()
    ]
    return tuple(each for each in compared if each.changes.compared)


def _throughput(tally: Tally, run: RunFacts) -> Throughput:
    def seconds(name: str) -> float:
        return sum(candidate.milliseconds[name] for candidate in tally.candidates) / 1000

    # A part is read and decoded once for all candidates, and each one's row tells it.
    shares = max(1, len(tally.candidates))
    return Throughput(
        images=tally.images,
        images_per_s=tally.images / run.wall_s if run.wall_s else None,
        parts_per_s=tally.parts / run.wall_s if run.wall_s else None,
        read_s=seconds("read_ms") / shares,
        decode_s=seconds("decode_ms") / shares,
        infer_s=seconds("infer_ms"),
        decide_s=seconds("judge_ms") - seconds("infer_ms"),
    )
