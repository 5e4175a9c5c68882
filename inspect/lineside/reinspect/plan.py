"""All parts of a run, listed once and written down, in chunks: what the engines work on and `--resume` goes on with.

A Parquet file with some chunks in each row group. Names are kept as bytes: not every file's name is UTF-8.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lineside.core.errors import ReinspectionError
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.engine import Chunk
from lineside.reinspect.part import ImageRef, OriginalVerdict, Part, RawFormat, Truth
from lineside.reinspect.row import told
from lineside.reinspect.whole_file import written_whole

__all__ = ["PLAN_SCHEMA", "Plan", "Unplanned", "chunk_size", "write_plan"]

_NAME, _INT = pa.binary(), pa.int64()
_RAW = pa.struct([("pixel_format", pa.string()), ("width_px", _INT), ("height_px", _INT)])
_FILE = [("url", _NAME), ("offset_bytes", _INT), ("length_bytes", _INT), ("sha256", pa.string()), ("raw", _RAW)]
_TRUTH = pa.struct([("bad", pa.bool_()), ("class_name", _NAME), ("mask", pa.struct(_FILE))])
_ORIGINAL = pa.struct([("sequence", _INT), ("trigger_number", _INT), ("payload", pa.binary())])

PLAN_SCHEMA: Final = pa.schema(
    [
        ("key", _NAME),
        ("part_id", _NAME),
        ("captured_utc_ns", _INT),
        ("images", pa.list_(pa.struct([("view", _NAME), *_FILE]))),
        ("missing", pa.list_(pa.struct([("view", _NAME), ("why", _NAME)]))),
        ("truth", _TRUTH),
        ("original", _ORIGINAL),
    ]
)
"""Columns of plan.parquet: the fields of `Part`."""

_UNPLANNED: Final = "lineside.unplanned"

_FIRST_SIZE, _FULL_SIZE, _CHUNKS_OF_A_SIZE = 16, 128, 8

_CHUNKS_IN_GROUP = 16
"""In a row group: each takes kilobytes of the file's end, which every reader holds in memory."""


@dataclass(frozen=True, kw_only=True)
class Unplanned:
    """What the archive holds beside the plan's parts: parts by the rule that leaves them out, other things by kind."""

    left_out: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)


def chunk_size(number: int) -> int:
    """Parts in a chunk: few in the first ones, which are worked on last, so that all workers are busy to the end.

    It depends on nothing but the number: the plan of an archive is the same wherever it is made.
    """
    return min(_FULL_SIZE, _FIRST_SIZE << min(number // _CHUNKS_OF_A_SIZE, 8))


def write_plan(
    path: Path,
    parts: Iterable[Part],
    *,
    planned: Callable[[int], None] = lambda count: None,
    unplanned: Callable[[], Unplanned] = Unplanned,
) -> Plan:
    """Lists all parts into the file, which appears whole or not at all; holds no more than one row group of them.

    `planned` hears of each chunk how many parts there are so far; `unplanned` is asked when all are listed. Raises:
    what listing raises, OSError.
    """
    unwritten, count = iter(parts), 0
    with written_whole(path) as partial, pq.ParquetWriter(partial, PLAN_SCHEMA, compression="zstd") as writer:
        for group in itertools.count():
            tables = []
            for number in range(group * _CHUNKS_IN_GROUP, (group + 1) * _CHUNKS_IN_GROUP):
                rows = [_row_of(part) for part in itertools.islice(unwritten, chunk_size(number))]
                if not rows:
                    break
                tables.append(pa.Table.from_pylist(rows, schema=PLAN_SCHEMA))
                count += len(rows)
                planned(count)
            if not tables:
                break
            table = pa.concat_tables(tables)
            writer.write_table(table, row_group_size=table.num_rows)
        writer.add_key_value_metadata({_UNPLANNED: json.dumps(asdict(unplanned()))})
    return Plan(path)


class Plan:
    """A plan that is written: its chunks, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        """Reads the file's end. Raises: ReinspectionError when it is damaged, FileNotFoundError."""
        self.path = path
        try:
            file = pq.ParquetFile(path)
        except pa.ArrowException as error:
            raise _damaged(path, error) from error
        with file:
            metadata = file.metadata
            self.sizes = tuple(_sizes(metadata.num_rows))
            self.unplanned = Unplanned(**json.loads((metadata.metadata or {}).get(_UNPLANNED.encode(), b"{}")))

    @property
    def parts(self) -> int:
        """Number of parts."""
        return sum(self.sizes)

    @property
    def chunks(self) -> int:
        """Number of chunks; they are numbered from 0, and `sizes` says how many parts each has."""
        return len(self.sizes)

    def read(self, numbers: Collection[int]) -> Iterator[Chunk]:
        """The chunks of these numbers in the order given, read as they are asked for. Raises: ReinspectionError."""
        with pq.ParquetFile(self.path) as file:
            for group, members in itertools.groupby(numbers, key=lambda number: number // _CHUNKS_IN_GROUP):
                try:
                    table = file.read_row_group(group, use_threads=False)
                except (pa.ArrowException, OSError) as error:
                    raise _damaged(self.path, error) from error
                for number in members:
                    before = sum(self.sizes[group * _CHUNKS_IN_GROUP : number])
                    rows = table.slice(before, self.sizes[number]).to_pylist()
                    yield Chunk(number=number, parts=[_part_of(row) for row in rows])

    def read_some(self, wanted: Mapping[int, Collection[str]]) -> Iterator[Chunk]:
        """Of these chunks only the parts of these keys, as rows tell them. Raises as `read`."""
        for chunk in self.read(wanted):
            keys = set(wanted[chunk.number])
            yield Chunk(number=chunk.number, parts=[part for part in chunk.parts if told(part.key) in keys])

    def find(self, keys: Collection[str]) -> dict[str, Part]:
        """The parts of these keys, as rows tell them, by key. Reads the keys of the whole plan. Raises as `read`."""
        if not keys:
            return {}
        with pq.ParquetFile(self.path) as file:
            wanted = [
                number
                for group in range(file.num_row_groups)
                if any(
                    told(_text_of(key)) in keys
                    for key in file.read_row_group(group, columns=["key"], use_threads=False)["key"].to_pylist()
                )
                for number in range(group * _CHUNKS_IN_GROUP, min((group + 1) * _CHUNKS_IN_GROUP, self.chunks))
            ]
        parts = (part for chunk in self.read(wanted) for part in chunk.parts)
        return {name: part for part in parts if (name := told(part.key)) in keys}


def _sizes(parts: int) -> Iterator[int]:
    """Of the chunks of so many parts."""
    for number in itertools.count():
        if parts <= 0:
            return
        yield min(parts, chunk_size(number))
        parts -= chunk_size(number)


def _damaged(path: Path, error: Exception) -> ReinspectionError:
    return ReinspectionError(
        f"the plan {path} is damaged: {error}",
        expected="the file as the run wrote it",
        remedy="fetch it from a backup, or begin the run again in another folder",
    )


def _row_of(part: Part) -> dict[str, object]:
    truth, original = part.truth, part.original
    return {
        "key": _bytes_of(part.key),
        "part_id": _bytes_of(part.part_id),
        "captured_utc_ns": part.captured_utc_ns,
        "images": [{"view": _bytes_of(view), **_row_of_file(image)} for view, image in part.images.items()],
        "missing": [{"view": _bytes_of(view), "why": _bytes_of(why)} for view, why in part.missing.items()],
        "truth": truth
        and {
            "bad": truth.bad,
            "class_name": _bytes_of(truth.class_name),
            "mask": truth.mask and _row_of_file(truth.mask),
        },
        "original": original
        and {
            "sequence": original.sequence,
            "trigger_number": original.trigger_number,
            "payload": original.payload,
        },
    }


def _row_of_file(image: ImageRef) -> dict[str, object]:
    raw = image.raw
    return {
        "url": _bytes_of(image.url),
        "offset_bytes": image.offset_bytes,
        "length_bytes": image.length_bytes,
        "sha256": image.sha256,
        "raw": raw and {"pixel_format": raw.pixel_format.value, "width_px": raw.width_px, "height_px": raw.height_px},
    }


def _part_of(row: Mapping[str, Any]) -> Part:
    truth, original = row["truth"], row["original"]
    return Part(
        key=_text_of(row["key"]),
        part_id=_text_of(row["part_id"]),
        captured_utc_ns=row["captured_utc_ns"],
        images={_text_of(image["view"]): _file_of(image) for image in row["images"]},
        missing={_text_of(each["view"]): _text_of(each["why"]) for each in row["missing"]},
        truth=truth
        and Truth(
            bad=truth["bad"],
            class_name=_text_of(truth["class_name"]),
            mask=truth["mask"] and _file_of(truth["mask"]),
        ),
        original=original and OriginalVerdict(**original),
    )


def _file_of(row: Mapping[str, Any]) -> ImageRef:
    raw = row["raw"]
    return ImageRef(
        url=_text_of(row["url"]),
        offset_bytes=row["offset_bytes"],
        length_bytes=row["length_bytes"],
        sha256=row["sha256"],
        raw=raw
        and RawFormat(
            pixel_format=PixelFormat(raw["pixel_format"]), width_px=raw["width_px"], height_px=raw["height_px"]
        ),
    )


def _bytes_of(text: str) -> bytes:
    # Python's surrogate escapes stand for bytes that are not UTF-8: they too have to come back as they were.
    return text.encode("utf-8", "surrogatepass")


def _text_of(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")
