"""The folder of one run: what is done stays done, whatever ends the run.

::

    OUT/
    ├── run.json             what was asked: candidates and their hashes, source, selection, versions
    ├── plan.parquet         every part, in chunks; there when all are listed
    ├── chunks/              the rows of each chunk that is done; gone when rows.parquet is there
    ├── rows.parquet         all rows in the plan's order; there when all parts are done
    ├── time.json            how long all sittings have worked
    └── .lock                held by the process that works here

Beside them `run` lays summary.json, report.html and drawn/.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from lineside.core.errors import ConfigError, ReinspectionError
from lineside.reinspect.chunk_files import ChunkFiles, DamagedChunk, cut, rows_in, spliced
from lineside.reinspect.engine import DoneChunk
from lineside.reinspect.folder_lock import LOCK, lock
from lineside.reinspect.part import Part
from lineside.reinspect.plan import Plan, Unplanned, write_plan
from lineside.reinspect.row import ROW_SCHEMA, TIMING_COLUMNS
from lineside.reinspect.run_facts import begun_utc_ns, differences, write_facts
from lineside.reinspect.whole_file import PARTIAL, written_whole

__all__ = ["CONTENT_SHA256", "RunFolder"]

_log = structlog.get_logger()

CONTENT_SHA256: Final = b"lineside.content_sha256"
"""Key in the metadata of rows.parquet: SHA-256 of all rows in order, but for the timing columns."""

_LAYOUT = 3
"""Of the folder and its files; another one is another run."""

_TIME = "time.json"
_ROW_GROUP_BYTES = 2 << 20
_DIFFERENCES_TOLD = 5


class RunFolder:
    """One run's folder, locked while it is open. Used by one thread."""

    def __init__(self, path: Path, facts: Mapping[str, Any], *, resume: bool) -> None:
        """Begins a run with these facts (a JSON object) in a new or empty folder, or goes on with it.

        `resume` goes on where there is a run of exactly these facts, and begins one where there is nothing.
        Raises: ConfigError when another process works here, when there is a run already, or another one than asked.
        """
        self._path = path
        self._chunks = ChunkFiles(path / "chunks")
        self._descriptor = lock(path)
        try:
            self._begin({"layout": _LAYOUT, **facts}, resume=resume)
            self._earlier_s = _time_in(path / _TIME)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._at_work_since_mono_ns = time.monotonic_ns()
        self._this_sitting_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    @property
    def path(self) -> Path:
        return self._path

    @property
    def begun_utc_ns(self) -> int:
        """When the run was begun, in its first sitting."""
        return begun_utc_ns(self._path / "run.json")

    @property
    def judging_s(self) -> float:
        """Time from asking for the undone chunks to the last that was kept, of all sittings together."""
        return self._earlier_s + self._this_sitting_s

    @property
    def content_sha256(self) -> str:
        """Of all rows but for the timings, when the run is done."""
        with pq.ParquetFile(self.rows_path) as file:
            content: bytes = file.metadata.metadata[CONTENT_SHA256]
            return content.decode()

    @property
    def rows_path(self) -> Path:
        """Where the rows are when the run is done."""
        return self._path / "rows.parquet"

    def plan(
        self,
        parts: Callable[[], Iterable[Part]],
        *,
        planned: Callable[[int], None] = lambda count: None,
        unplanned: Callable[[], Unplanned] = Unplanned,
    ) -> Plan:
        """The run's plan: as it was written, or else of the parts that are listed now."""
        path = self._path / "plan.parquet"
        if path.exists():
            return Plan(path)
        with self.writing():
            return write_plan(path, parts(), planned=planned, unplanned=unplanned)

    def undone(self, plan: Plan) -> list[int]:
        """Numbers of the chunks that have no file, in order; none when rows.parquet is there."""
        self._earlier_s, self._this_sitting_s = self.judging_s, 0.0
        self._at_work_since_mono_ns = time.monotonic_ns()
        if self.rows_path.exists():
            return []
        done = self._chunks.paths()
        return [number for number in range(plan.chunks) if number not in done]

    def keep(self, done: DoneChunk, *, rows: int) -> None:
        """Writes the rows of a chunk, of which there have to be so many; they are durable when this returns.

        Raises: ReinspectionError for rows that are none, and on a full disk.
        """
        _check(done, rows)
        with self.writing():
            self._chunks.write(done.number, done.rows)
            self._note_time()

    def to_try_again(self, plan: Plan) -> dict[int, list[str]]:
        """Parts by chunk that are done but for what the storage did not give: in an earlier sitting, if this is asked
        at the beginning. Raises: ReinspectionError on a full disk.
        """
        try:
            with self.writing():
                self._take_apart(plan)
            return dict(self._chunks.to_try_again())
        except DamagedChunk:
            self._remove_damaged()
            return dict(self._chunks.to_try_again())

    def keep_again(self, done: DoneChunk, *, rows: int) -> None:
        """The same for those of a chunk's parts that were tried again: their rows replace the earlier ones."""
        earlier = rows_in(self._chunks.paths()[done.number])
        _check(done, rows)
        with self.writing():
            self._chunks.write(done.number, spliced(earlier, done.rows))
            self._note_time()

    def merge(self, plan: Plan) -> bool:
        """Puts the chunks together into rows.parquet, in the plan's order, and removes them.

        False when some are damaged: those are removed, and named in the log, to be done again.
        Raises: ReinspectionError on a full disk.
        """
        try:
            done = self._chunks.paths()
            if done or not self.rows_path.exists():
                with self.writing():
                    self._write_rows(self._all_rows(plan, done))
        except DamagedChunk:
            self._remove_damaged()
            return False
        shutil.rmtree(self._path / "chunks", ignore_errors=True)
        pa.default_memory_pool().release_unused()
        return True

    @contextmanager
    def writing(self) -> Iterator[None]:
        """For a block that writes here. Raises: ReinspectionError when the disk is full, or will not be written."""
        try:
            yield
        except OSError as error:
            raise ReinspectionError(
                f"{self._path} cannot be written: {error.strerror or error}",
                expected="room on the disk",
                remedy="make room and go on with --resume",
            ) from error

    def _all_rows(self, plan: Plan, done: Mapping[int, Path]) -> Iterator[pa.Table]:
        """Of each chunk the rows in its file; where rows.parquet is there already, the files are of what is new."""
        if not self.rows_path.exists():
            yield from (rows_in(done[number]) for number in range(plan.chunks))
            return
        for number, earlier in enumerate(cut(self.rows_path, self._rows_by_chunk(plan))):
            yield rows_in(done[number]) if number in done else earlier

    def _rows_by_chunk(self, plan: Plan) -> list[int]:
        with pq.ParquetFile(self.rows_path) as file:
            candidates = file.metadata.num_rows // plan.parts
        return [size * candidates for size in plan.sizes]

    def _take_apart(self, plan: Plan) -> None:
        """Makes files again of those chunks of rows.parquet that are worth another try."""
        if not self.rows_path.exists():
            return
        with pq.ParquetFile(self.rows_path) as file:
            unreached = file.read(columns=["unreached"])["unreached"]
        if not pc.any(unreached).as_py():
            return
        self._chunks.make_folder()
        for number, rows in enumerate(cut(self.rows_path, self._rows_by_chunk(plan))):
            if pc.any(rows["unreached"]).as_py() and number not in self._chunks.paths():
                self._chunks.write(number, rows.combine_chunks())

    def _write_rows(self, chunks: Iterable[pa.Table]) -> None:
        """Row groups of so many bytes: those of single chunks would make a long run's file slow to read."""
        content = hashlib.sha256()
        with (
            written_whole(self.rows_path) as partial,
            pq.ParquetWriter(partial, ROW_SCHEMA, compression="zstd", write_page_checksum=True) as writer,
        ):
            for rows in _gathered(chunks):
                _add_to(content, rows.drop_columns(list(TIMING_COLUMNS)))
                writer.write_table(rows, row_group_size=max(1, rows.num_rows))
            writer.add_key_value_metadata({CONTENT_SHA256: content.hexdigest()})

    def _remove_damaged(self) -> None:
        for path in self._chunks.paths().values():
            try:
                rows_in(path)
            except DamagedChunk as error:
                _log.warning("rows damaged, done again", file=str(path), why=str(error))
                path.unlink(missing_ok=True)

    def _note_time(self) -> None:
        self._this_sitting_s = (time.monotonic_ns() - self._at_work_since_mono_ns) / 1e9
        partial = self._path / f"{_TIME}{PARTIAL}"
        partial.write_text(json.dumps({"judging_s": round(self.judging_s, 3)}) + "\n")
        partial.replace(self._path / _TIME)  # a figure for people: not worth a wait for the disk

    def _begin(self, facts: Mapping[str, Any], *, resume: bool) -> None:
        path = self._path / "run.json"
        if path.exists():
            self._admit(differences(path, facts), resume=resume)
        elif strangers := sorted(each.name for each in self._path.iterdir() if each.name not in (LOCK, "chunks")):
            raise ConfigError(
                f"{self._path} is not empty and holds no run: {', '.join(strangers[:3])}", expected="a new folder"
            )
        if not path.exists():
            with self.writing():
                write_facts(path, facts)
        self._chunks.make_folder()
        for left_over in self._path.glob(f"*{PARTIAL}"):
            left_over.unlink()

    def _admit(self, differences: Sequence[str], *, resume: bool) -> None:
        """Whether the run that is there may be gone on with; removes one of which nothing is done yet."""
        if resume and not differences:
            return
        if not self.rows_path.exists() and not self._chunks.paths():
            for name in ("plan.parquet", "run.json"):
                (self._path / name).unlink(missing_ok=True)
            return
        if not resume:
            raise ConfigError(
                f"there is a run in {self._path} already",
                expected="a new folder",
                remedy="go on with it by --resume, or choose another folder",
            )
        raise ConfigError(
            f"{self._path} holds another run: {'; '.join(differences[:_DIFFERENCES_TOLD])}",
            expected="the candidates, source, selection and versions that it was begun with",
            remedy="ask for the same, or choose another folder",
        )


def _check(done: DoneChunk, rows: int) -> None:
    if done.rows.num_rows != rows or not done.rows.schema.equals(ROW_SCHEMA):
        raise ReinspectionError(
            f"chunk {done.number} came back with {done.rows.num_rows} rows of {len(done.rows.schema)} columns",
            expected=f"{rows} rows of {len(ROW_SCHEMA)} columns",
            remedy="report it: the engine is wrong",
        )


def _time_in(path: Path) -> float:
    try:
        seconds: float = json.loads(path.read_text())["judging_s"]
        return seconds
    except (OSError, ValueError, KeyError):  # none yet, or cut off by a power failure
        return 0.0


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of at least _ROW_GROUP_BYTES each, but for the last."""
    waiting: list[pa.Table] = []
    nbytes = 0
    for table in tables:
        waiting.append(table)
        nbytes += table.nbytes
        if nbytes >= _ROW_GROUP_BYTES:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting, nbytes = [], 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _add_to(content: hashlib._Hash, rows: pa.Table) -> None:
    """The rows as an Arrow stream, which is never in memory as a whole."""
    with pa.PythonFile(_Hashing(content), mode="w") as sink, pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)


class _Hashing:
    """A file of which only the hash is kept."""

    closed = False

    def __init__(self, content: hashlib._Hash) -> None:
        self._content = content

    def write(self, data: bytes) -> int:
        self._content.update(data)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...
