"""Reads rows.parquet in order, a bounded number of parts at a time, all candidates of a part together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lineside.core.errors import ReinspectionError
from lineside.core.verdict import Outcome
from lineside.reinspect.row import TIMING_COLUMNS, State

__all__ = ["NOT_KEPT", "PASS", "REJECTS", "UNREADABLE", "PartsBatch", "candidates_of", "read_parts"]

PASS = Outcome.PASS.name
REJECTS = frozenset({Outcome.FAIL.name, Outcome.NOT_INSPECTED.name})
"""What the line rejects: everything that was judged and is no PASS."""
UNREADABLE = State.UNREADABLE.value
NOT_KEPT = State.NOT_KEPT.value

_BATCH_ROWS = 4096
_COLUMNS = (
    *("part_key", "candidate", "part_id", "captured_utc_ns", "state", "error", "unreached"),
    *(
        "outcome",
        "detail",
        "score",
        "defects_total",
        "review",
        "truth_bad",
        "truth_class",
        "original_outcome",
        "reproduces",
        "difference",
    ),
    *("recipe_sha256", "calibration_sha256", "models", "provider", *TIMING_COLUMNS),
)
_IMAGE_LEAF = "images.list.element.view"
"""Of the images only how many there are: their names and hashes are a good part of the file."""

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PartsBatch:
    """Some parts: `tables` holds one table for each candidate, with the parts in the same order."""

    tables: Sequence[pa.Table]

    def __len__(self) -> int:
        return int(self.tables[0].num_rows)

    def column(self, name: str, candidate: int = 0) -> pa.ChunkedArray:
        return self.tables[candidate][name]

    @cached_property
    def verdicts(self) -> Sequence[pa.ChunkedArray]:
        """By candidate, for each part: the outcome, or the state where it was not judged."""
        return [
            pc.if_else(pc.equal(table["state"], State.JUDGED.value), table["outcome"], table["state"])
            for table in self.tables
        ]

    @cached_property
    def passes(self) -> Sequence[Flags]:
        return [_flags(pc.equal(verdicts, PASS)) for verdicts in self.verdicts]

    @cached_property
    def rejects(self) -> Sequence[Flags]:
        return [_among(verdicts, REJECTS) for verdicts in self.verdicts]

    @cached_property
    def scores(self) -> Sequence[Floats]:
        """By candidate; NaN where there is none."""
        return [_floats(table["score"]) for table in self.tables]

    @cached_property
    def bad(self) -> Flags:
        return _flags(pc.fill_null(self.column("truth_bad"), False))

    @cached_property
    def good(self) -> Flags:
        return _flags(pc.fill_null(pc.invert(self.column("truth_bad")), False))

    @cached_property
    def originally_passed(self) -> Flags:
        return _flags(pc.equal(self.column("original_outcome"), PASS))

    @cached_property
    def originally_rejected(self) -> Flags:
        return _among(self.column("original_outcome"), REJECTS)

    @cached_property
    def captured_utc_ns(self) -> NDArray[np.int64]:
        return np.asarray(self.column("captured_utc_ns").to_numpy(), np.int64)


def candidates_of(rows_path: Path) -> tuple[str, ...]:
    """The candidates' labels in the order of the rows; empty for a file without rows. Raises: ReinspectionError."""
    with _open(rows_path) as file:
        labels: list[str] = []
        first: str | None = None
        for batch in file.iter_batches(batch_size=64, columns=["part_key", "candidate"]):
            for key, label in zip(batch["part_key"].to_pylist(), batch["candidate"].to_pylist(), strict=True):
                first = key if first is None else first
                if key != first:
                    return tuple(labels)
                labels.append(label)
        return tuple(labels)


def read_parts(rows_path: Path, labels: Sequence[str]) -> Iterator[PartsBatch]:
    """All parts in the file's order. Raises: ReinspectionError when a part does not have one row a candidate."""
    width = len(labels)
    if not width:
        return
    with _open(rows_path) as file:
        left: pa.Table | None = None
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[*_COLUMNS, _IMAGE_LEAF], use_threads=False):
            table = pa.Table.from_batches([batch])
            if left is not None and left.num_rows:
                table = pa.concat_tables([left, table])
            whole = table.num_rows - table.num_rows % width
            if whole:
                yield _side_by_side(table.slice(0, whole), labels)
            left = table.slice(whole)
        if left is not None and left.num_rows:
            raise _not_whole(left["part_key"][0].as_py(), labels)


def _side_by_side(table: pa.Table, labels: Sequence[str]) -> PartsBatch:
    width = len(labels)
    tables = [table.take(pa.array(np.arange(place, table.num_rows, width))) for place in range(width)]
    for label, each in zip(labels, tables, strict=True):
        odd = pc.or_(pc.not_equal(each["candidate"], label), pc.not_equal(each["part_key"], tables[0]["part_key"]))
        if (at := pc.index(odd, True).as_py()) >= 0:
            raise _not_whole(tables[0]["part_key"][at].as_py(), labels)
    return PartsBatch(tables)


def _not_whole(part_key: str, labels: Sequence[str]) -> ReinspectionError:
    return ReinspectionError(
        f"the rows of part {part_key} are not whole",
        expected=f"one after the other for {', '.join(labels)}",
        remedy="go on with the run (--resume), which writes the rows anew",
    )


def _open(rows_path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(rows_path, pre_buffer=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise ReinspectionError(
            f"{rows_path} cannot be read: {error}",
            expected="the rows of a run",
            remedy="go on with the run (--resume), which writes them anew",
        ) from error


def _flags(array: Any) -> Flags:
    return np.asarray(array.to_numpy(), bool)


def _among(array: pa.ChunkedArray, values: frozenset[str]) -> Flags:
    return _flags(pc.is_in(array, value_set=pa.array(sorted(values))))


def _floats(array: pa.ChunkedArray) -> Floats:
    return np.asarray(array.to_numpy(), np.float64)
