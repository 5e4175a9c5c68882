"""Counts the parts of a run. Every figure follows from one cube: truth, original and all candidates' verdicts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lineside.reinspect.row import TIMING_COLUMNS, State
from lineside.reinspect.summary.document import Identities, JudgedBy, PartNote, Reason
from lineside.reinspect.summary.rows import NOT_KEPT, PASS, REJECTS, UNREADABLE, PartsBatch
from lineside.reinspect.summary.scores import ScoresByTruth, ScoresOverTime
from lineside.reinspect.summary.telling import Telling

__all__ = ["ORIGINAL", "CandidateTally", "Cell", "Reasons", "Tally"]

ORIGINAL = -1
"""Stands for the original verdicts where a candidate's number is expected."""

_MOST_REASONS = 200
"""Beyond it further reasons are counted together: an archive can be broken in a million ways."""
_OTHER = "other reasons"
_EXAMPLES = 5
_VARYING = re.compile(
    r"""'[^']*'|"[^"]*"|\S*/\S+|\b[0-9a-fA-F]{8,}\b|\b\d+ ?x ?\d+\b|(?<![A-Za-z0-9_])-?\d+(?:[.,]\d+)*"""
)
"""What makes one cause look like many: quoted names, paths, hashes, sizes and numbers, but not the 8 of BGR8."""

Flags = NDArray[np.bool_]


class Cell(NamedTuple):
    """A corner of the cube. `verdicts` are by candidate; `bad` is None where the truth is not known."""

    bad: bool | None
    class_name: str
    original: str
    verdicts: tuple[str, ...]

    def verdict(self, who: int) -> str:
        return self.original if who == ORIGINAL else self.verdicts[who]

    def passes(self, who: int) -> bool:
        return self.verdict(who) == PASS

    def rejects(self, who: int) -> bool:
        return self.verdict(who) in REJECTS

    def judged(self, who: int) -> bool:
        return self.passes(who) or self.rejects(who)


class Reasons:
    """Counts texts by what they have in common, with a few examples of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self.total = 0

    def add(self, table: pa.Table, text: str) -> None:
        """Every row of a table with the columns `part_key` and `text`."""
        keys, texts = table["part_key"].to_pylist(), table[text].to_pylist()
        for key, said in zip(keys, texts, strict=True):
            self.total += 1
            reason = _VARYING.sub("…", said) or "no reason told"
            if reason not in self._counts and len(self._counts) >= _MOST_REASONS:
                reason = _OTHER
            self._counts[reason] += 1
            examples = self._examples.setdefault(reason, [])
            if len(examples) < _EXAMPLES:
                examples.append(f"{key}: {said}" if said else key)

    def reasons(self) -> tuple[Reason, ...]:
        """The most frequent first."""
        return tuple(
            Reason(reason=reason, count=count, examples=tuple(self._examples[reason]))
            for reason, count in self._counts.most_common()
        )


class CandidateTally:
    """What is counted for one candidate alone."""

    def __init__(self, limit: int) -> None:
        self.review = 0
        self.identical = 0
        self.differences = Reasons()
        self.by_truth = ScoresByTruth()
        self.over_time = ScoresOverTime()
        self.escaped = Telling(limit)
        self.overkilled = Telling(limit)
        self.milliseconds = dict.fromkeys(TIMING_COLUMNS, 0.0)
        self._identities: Counter[tuple[str, str, tuple[str, ...], str]] = Counter()

    def add(self, batch: PartsBatch, number: int, note: Callable[[int], PartNote]) -> None:
        table, scores = batch.tables[number], batch.scores[number]
        passes, rejects = batch.passes[number], batch.rejects[number]
        self.review += _count(table["review"])
        self.identical += _count(table["reproduces"])
        self.differences.add(table.filter(pc.equal(table["reproduces"], False)), "difference")
        self.by_truth.add(scores, batch.bad, batch.good)
        self.over_time.add(batch.captured_utc_ns, scores, passes, rejects)
        self.escaped.offer(batch.bad & passes, scores, note)
        self.overkilled.offer(batch.good & rejects, -scores, note)
        for name in TIMING_COLUMNS:
            self.milliseconds[name] += pc.sum(table[name]).as_py() or 0.0
        self._add_identities(table.filter(pc.equal(table["state"], State.JUDGED.value)))

    def identities(self) -> tuple[Identities, ...]:
        return tuple(
            Identities(
                recipe_sha256=recipe, calibration_sha256=calibration, models=models, provider=provider, parts=count
            )
            for (recipe, calibration, models, provider), count in self._identities.most_common()
        )

    def _add_identities(self, table: pa.Table) -> None:
        names = ["recipe_sha256", "calibration_sha256", "provider"]
        grouped = table.select(names).append_column("models", _joined(table["models"]))
        for found in grouped.group_by([*names, "models"]).aggregate([([], "count_all")]).to_pylist():
            models = tuple(found["models"].split("\n")) if found["models"] else ()
            self._identities[(*(found[name] for name in names[:2]), models, found["provider"])] += found["count_all"]


class Tally:
    """Counts all parts of a run, batch by batch. Its size does not grow with the number of parts."""

    def __init__(self, labels: Sequence[str], limit: int) -> None:
        """`limit` is how many parts are kept by name in each list."""
        self.labels = labels
        self.cube: Counter[Cell] = Counter()
        self.parts = 0
        self.images = 0
        self.candidates = [CandidateTally(limit) for _ in labels]
        self.unreadable = Reasons()
        self.not_kept = Reasons()
        self.unreached = 0
        """Of the unreadable parts those that the storage may give another time."""
        befores = [ORIGINAL, 0]
        self.changes = {
            (before, after): (Telling(limit), Telling(limit))
            for before in befores
            for after in range(len(labels))
            if before != after
        }
        """Newly rejected and newly passed parts, by who judged before (ORIGINAL: the station) and after."""

    def add(self, batch: PartsBatch) -> None:
        """Counts some more parts."""

        def note(place: int) -> PartNote:
            return _note(batch, place)

        self.parts += len(batch)
        self._add_to_cube(batch)
        for number, tally in enumerate(self.candidates):
            tally.add(batch, number, note)
        for (before, after), (rejected, passed) in self.changes.items():
            _offer_changes(batch, before, after, rejected, passed, note)
        for state, reasons in ((UNREADABLE, self.unreadable), (NOT_KEPT, self.not_kept)):
            self._add_reasons(batch, state, reasons)
        unreached = [table["unreached"].to_numpy().astype(bool) for table in batch.tables]
        self.unreached += int(np.logical_or.reduce(unreached).sum())
        judged = pa.array(np.logical_or.reduce([*batch.passes, *batch.rejects]))
        self.images += pc.sum(pc.list_value_length(batch.column("images").filter(judged))).as_py() or 0

    def _add_to_cube(self, batch: PartsBatch) -> None:
        names = [f"verdict {number}" for number in range(len(self.labels))]
        keys = ["truth_bad", "truth_class", "original_outcome", *names]
        table = pa.table([*(batch.column(key) for key in keys[:3]), *batch.verdicts], names=keys)
        for found in table.group_by(keys).aggregate([([], "count_all")]).to_pylist():
            verdicts = tuple(found[name] for name in names)
            cell = Cell(found["truth_bad"], found["truth_class"], found["original_outcome"], verdicts)
            self.cube[cell] += found["count_all"]

    def _add_reasons(self, batch: PartsBatch, state: str, reasons: Reasons) -> None:
        """A part counts once, for the first candidate that has the state."""
        earlier = np.zeros(len(batch), bool)
        for table, verdicts in zip(batch.tables, batch.verdicts, strict=True):
            chosen = pc.equal(verdicts, state).to_numpy().astype(bool) & ~earlier
            if chosen.any():
                reasons.add(table.filter(pa.array(chosen)), "error")
            earlier |= chosen


def _offer_changes(
    batch: PartsBatch, before: int, after: int, rejected: Telling, passed: Telling, note: Callable[[int], PartNote]
) -> None:
    """Bad parts come first in both lists, then those whose score moved furthest to its new side."""
    if before == ORIGINAL:
        passed_before, rejected_before = batch.originally_passed, batch.originally_rejected
        moved = batch.scores[after]
    else:
        passed_before, rejected_before = batch.passes[before], batch.rejects[before]
        moved = batch.scores[after] - batch.scores[before]
    moved = np.nan_to_num(moved, nan=0.0, posinf=_FAR, neginf=-_FAR)
    bad_first = np.where(batch.bad, -2 * _FAR, 0.0)
    rejected.offer(passed_before & batch.rejects[after], bad_first - moved, note)
    passed.offer(rejected_before & batch.passes[after], bad_first + moved, note)


_FAR = 1e9
"""Farther than scores, in thresholds, ever are apart."""


def _note(batch: PartsBatch, place: int) -> PartNote:
    def cell(name: str, candidate: int = 0) -> object:
        return batch.column(name, candidate)[place].as_py()

    bad = cell("truth_bad")
    truth: Literal["", "good", "bad"] = "" if bad is None else "bad" if bad else "good"
    return PartNote.model_validate(
        {
            **{name: cell(name) for name in ("part_key", "part_id", "captured_utc_ns", "truth_class")},
            "truth": truth,
            "original": cell("original_outcome"),
            "judged": tuple(
                JudgedBy.model_validate(
                    {
                        "verdict": batch.verdicts[number][place].as_py(),
                        "why": cell("error", number) or cell("detail", number),
                        "score": cell("score", number),
                        "defects_total": cell("defects_total", number),
                    }
                )
                for number in range(len(batch.tables))
            ),
        }
    )


def _joined(models: pa.ChunkedArray) -> pa.Array:
    """Id and SHA-256 of each row's models, one a line."""
    array = models.combine_chunks()
    inner = pc.list_flatten(array)
    told = pc.binary_join_element_wise(pc.struct_field(inner, "id"), pc.struct_field(inner, "sha256"), " ")
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, told), "\n")


def _count(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.fill_null(flags, False)).as_py() or 0)
