"""The sentence that matters, and what else to know before acting on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from lineside.reinspect.summary.document import CandidateSummary, ComparisonSummary, RunFacts
from lineside.reinspect.summary.rows import UNREADABLE
from lineside.statistics.proportions import between
from lineside.statistics.wording import points, points_between

__all__ = ["STATION", "answer", "cautions", "counted", "short_names"]

STATION = "the station"
"""Who gave the original verdicts."""

_LETTERED = re.compile(r"([A-Z]): ")


def short_names(labels: Sequence[str]) -> tuple[str, ...]:
    """What the candidates are called in sentences: their letters, where all have different ones."""
    letters = [found[1] for label in labels if (found := _LETTERED.match(label))]
    return tuple(letters) if len(set(letters)) == len(labels) else tuple(labels)


def answer(candidates: Sequence[CandidateSummary], comparisons: Sequence[ComparisonSummary], parts: int) -> str:
    """What the last candidate would have changed: against the station's verdicts, else against the first candidate."""
    if not parts:
        return "There was nothing to inspect."
    if told := _decisive(candidates, comparisons):
        return _of_comparison(told)
    return _of_one(short_names([candidate.label for candidate in candidates])[-1], candidates[-1])


def cautions(
    run: RunFacts,
    parts: int,
    unreadable: int,
    unreached: int,
    not_kept: int,
    candidates: Sequence[CandidateSummary],
    comparisons: Sequence[ComparisonSummary],
) -> Iterator[str]:
    """One sentence for each thing that limits the answer."""
    if run.parts_planned is not None and parts < run.parts_planned:
        left = run.parts_planned - parts
        yield f"The run is not finished: {left:,} of {run.parts_planned:,} parts are still to come."
    if run.left_out:
        yield f"The selection leaves out {_parts(sum(run.left_out.values()))}: {counted(run.left_out)}."
    if run.ignored:
        yield f"Not looked at: {counted(run.ignored)}."
    yield from _unreadable(unreadable, candidates)
    if unreached:
        yield f"Of {_parts(unreached)} the storage did not give an image: the same command with --resume tries again."
    if not_kept:
        yield f"Of {_parts(not_kept)} the archive kept no image: nothing can be said of them."
    for name, candidate in _named(candidates):
        if (again := candidate.reproduction) and again.identical:  # none at all is no surprise of another model
            of = f"{again.identical:,} of {again.identical + again.different:,} original judgements"
            yield _capital(f"{name} came to the same answer again, byte for byte, for {of}.")
        if len(candidate.identities) > 1:
            yield f"{name} did not judge all parts by the same hashes and provider: see what judged."
    if parts:
        yield from _untold(candidates)
    if decisive := _decisive(candidates, comparisons):
        yield _capital(decisive.words)


def _unreadable(unreadable: int, candidates: Sequence[CandidateSummary]) -> Iterator[str]:
    if unreadable and all(each.verdicts.get(UNREADABLE) == unreadable for each in candidates):
        yield f"{_parts(unreadable)} could not be read and {_is(unreadable)} in no rate."
        return
    for name, candidate in _named(candidates):
        if count := candidate.verdicts.get(UNREADABLE, 0):
            yield f"{_parts(count)} could not be read as {name} needs {_them(count)}: in none of its rates."


def _untold(candidates: Sequence[CandidateSummary]) -> Iterator[str]:
    """What the truth does not tell."""
    truths = [candidate.truth for candidate in candidates if candidate.truth]
    if not truths:
        yield "Nobody has said which parts are good and which bad, so changes are counted, not rights and wrongs."
    elif not any(truth.overkill.of for truth in truths):
        yield "No good part of known truth was judged, so nothing is known of the overkill."
    elif not any(truth.escapes.of for truth in truths):
        yield "No bad part of known truth was judged, so nothing is known of the escapes."


def _named(candidates: Sequence[CandidateSummary]) -> Iterator[tuple[str, CandidateSummary]]:
    return zip(short_names([candidate.label for candidate in candidates]), candidates, strict=True)


def _decisive(
    candidates: Sequence[CandidateSummary], comparisons: Sequence[ComparisonSummary]
) -> ComparisonSummary | None:
    """What the last candidate is held against: what the line was told, else the first candidate."""
    names = short_names([candidate.label for candidate in candidates])
    return next((each for each in comparisons if names and each.changes.after == names[-1]), None)


def _of_comparison(told: ComparisonSummary) -> str:
    before, after = told.changes.before, told.changes.after
    if told.significance.on == "verdicts":
        changes = told.changes
        return (
            f"Of {_parts(changes.compared)}, {after} rejects {changes.newly_rejected.total:,} that {before} passed,"
            f" and passes {changes.newly_passed.total:,} that {before} rejected."
        )
    sentences = []
    if caught := told.escapes_caught:
        bounds = between(caught.count, caught.of).bounds
        sentences.append(
            f"{after} would have caught {caught.count:,} of {before}'s {caught.of:,} escapes (95 % bounds {bounds})"
        )
    else:
        sentences.append(f"{before} let no bad part through")
    if told.escapes_new:
        sentences.append(f"and let through {told.escapes_new:,} bad parts that {before} rejected")
    elif not told.escapes_caught:
        sentences.append(f"and neither does {after}")
    return _capital(" ".join(sentences) + _overkill(told) + ".")


def _overkill(told: ComparisonSummary) -> str:
    change, low, high = told.overkill_change, told.overkill_change_low, told.overkill_change_high
    if change is None or low is None or high is None:
        return ""
    bounds = f"(95 % bounds {points_between(low, high)})"
    if change == 0:
        return f", at the same overkill {bounds}"
    more = points(abs(change)).replace("+", "")
    return f", at {more} {'more' if change > 0 else 'less'} overkill {bounds}"


def _of_one(name: str, candidate: CandidateSummary) -> str:
    if truth := candidate.truth:
        told = [
            (truth.escapes, "lets {} of {} bad parts through"),
            (truth.overkill, "rejects {} of {} good ones" if truth.escapes.of else "rejects {} of {} good parts"),
        ]
        sentences = [
            f"{words.format(f'{rate.count:,}', f'{rate.of:,}')} (95 % bounds {between(rate.count, rate.of).bounds})"
            for rate, words in told
            if rate.of
        ]
        if sentences:
            return _capital(f"{name} {' and '.join(sentences)}.")
    passed, rejected = _passed_and_rejected(candidate.verdicts)
    return _capital(f"{name} passes {passed:,} of {passed + rejected:,} judged parts and rejects {rejected:,}.")


def _passed_and_rejected(verdicts: Mapping[str, int]) -> tuple[int, int]:
    return verdicts.get("PASS", 0), verdicts.get("FAIL", 0) + verdicts.get("NOT_INSPECTED", 0)


def counted(numbers: Mapping[str, int]) -> str:
    """Such as "hidden files (3), files ending in .txt (1)", the most first."""
    most_first = sorted(numbers.items(), key=lambda each: -each[1])
    return ", ".join(f"{what} ({count:,})" for what, count in most_first)


def _parts(count: int) -> str:
    return f"{count:,} part" if count == 1 else f"{count:,} parts"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
