"""Rows of chunks that are done, a file each, in the folder of a run.

``000123-<hash>.arrow``; ``000123-<hash>-again.arrow`` where the storage did not give some images, so that the chunk is
worth another try in a later sitting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lineside.reinspect.whole_file import PARTIAL, written_whole

__all__ = ["ChunkFiles", "DamagedChunk", "cut", "spliced"]

_AGAIN = "-again"


class DamagedChunk(Exception):
    """The file of a chunk is not what was written."""


class ChunkFiles:
    """The files of one run. A file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make_folder(self) -> None:
        """Where it is there already, removes what a kill has left half written."""
        self._folder.mkdir(exist_ok=True)
        for left_over in self._folder.glob(f"*{PARTIAL}"):
            left_over.unlink()

    def paths(self) -> dict[int, Path]:
        """By the number of the chunk. Of two files of one chunk that which needs no other try: it came later."""
        found = sorted(self._folder.glob("*-*.arrow"), key=lambda path: _AGAIN not in path.name)
        return {int(path.name.partition("-")[0]): path for path in found}

    def to_try_again(self) -> Iterator[tuple[int, list[str]]]:
        """The chunks that are worth another try, and their parts that the storage did not give."""
        for number, path in sorted(self.paths().items()):
            if _AGAIN in path.name:
                yield number, _unreached(rows_in(path))

    def write(self, number: int, rows: pa.Table) -> None:
        """Durable when this returns; an earlier file of this chunk is gone then. Raises: OSError."""
        content = _stream(rows)
        path = self._folder / _name(number, content, again=bool(_unreached(rows)))
        earlier = set(self._folder.glob(f"{number:06d}-*.arrow")) - {path}
        with written_whole(path) as partial:
            partial.write_bytes(content)
        for each in earlier:
            each.unlink(missing_ok=True)


def rows_in(path: Path) -> pa.Table:
    """The rows of a chunk that is done. Raises: DamagedChunk."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedChunk(str(error)) from error
    if path.name != _name(int(path.name.partition("-")[0]), content, again=_AGAIN in path.name):
        raise DamagedChunk("other content than was written")
    with pa.ipc.open_stream(content) as stream:
        return stream.read_all()


def spliced(earlier: pa.Table, later: pa.Table) -> pa.Table:
    """The earlier rows with those of the later parts, which have as many rows each, in their places."""
    keys, again = earlier["part_key"], later["part_key"]
    places = pc.index_in(keys, value_set=again.combine_chunks()).to_pylist()
    rows_of_part: dict[int, int] = {}
    taken = []
    for number, place in enumerate(places):
        if place is None:
            taken.append(number)
            continue
        taken.append(earlier.num_rows + place + rows_of_part.get(place, 0))
        rows_of_part[place] = rows_of_part.get(place, 0) + 1
    return pa.concat_tables([earlier, later]).take(taken).combine_chunks()


def cut(rows_path: Path, sizes: Iterable[int]) -> Iterator[pa.Table]:
    """The rows of a whole run in tables of these sizes, one row group in memory."""
    with pq.ParquetFile(rows_path) as file:
        groups = (file.read_row_group(number, use_threads=False) for number in range(file.num_row_groups))
        left: pa.Table = file.schema_arrow.empty_table()
        for size in sizes:
            while left.num_rows < size:
                left = pa.concat_tables([left, next(groups)])
            yield left.slice(0, size)
            left = left.slice(size)


def _unreached(rows: pa.Table) -> list[str]:
    parts: list[str] = pc.unique(rows.filter(rows["unreached"])["part_key"]).to_pylist()
    return parts


def _stream(rows: pa.Table) -> bytes:
    """As an Arrow stream: for so few rows of so many columns Parquet takes three to five times as long."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_table(rows)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _name(number: int, content: bytes, *, again: bool) -> str:
    """With a hash of the content: a damaged file can crash its reader, so it is not even opened."""
    return f"{number:06d}-{hashlib.sha256(content).hexdigest()[:16]}{_AGAIN if again else ''}.arrow"
