"""Rows of a CSV or Parquet file as they come: as many as there are, few at a time."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, BinaryIO

from lineside.core.errors import ConfigError
from lineside.reinspect import storage

__all__ = ["PARQUET_EXTENSIONS", "TABLE_EXTENSIONS", "columns_of", "rows_of"]

PARQUET_EXTENSIONS = (".parquet", ".pq")
TABLE_EXTENSIONS = (".csv", *PARQUET_EXTENSIONS)

_ROWS_AT_ONCE = 4096


def columns_of(place: str) -> Sequence[str]:
    """The names of the columns. Blocks. Raises: ConfigError when the file cannot be read."""
    with closing(_opened(place)) as file:
        return _parquet(place, file).schema_arrow.names if _is_parquet(place) else _header(place, _csv(file))


def rows_of(place: str, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each row's number, as an editor or a reader of tables counts them, and the values of these columns as text.

    An empty value is "". A CSV row's number is that of its last line. Times of Parquet are told in UTC ns. Blocks.
    Raises: ConfigError with the number of a damaged row.
    """
    with closing(_opened(place)) as file:
        yield from (_parquet_rows if _is_parquet(place) else _csv_rows)(place, file, columns)


def _is_parquet(place: str) -> bool:
    return storage.name_of(place).lower().endswith(PARQUET_EXTENSIONS)


def _opened(place: str) -> BinaryIO:
    try:
        return storage.open_file(place)
    except OSError as error:
        raise ConfigError(f"{storage.shown(place)} {storage.why(error)}", expected="a CSV or Parquet file") from error


def _csv(file: BinaryIO) -> Iterator[list[str]]:
    return csv.reader(_lines(file), strict=True)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Paths of any bytes come through as they are; a mark at the beginning, which some programs write, does not."""
    for number, line in enumerate(file):
        yield (line if number else line.removeprefix(codecs.BOM_UTF8)).decode("utf-8", "surrogateescape")


def _header(place: str, rows: Iterator[list[str]]) -> Sequence[str]:
    try:
        header = next(rows, [])
    except (csv.Error, OSError) as error:
        raise _damaged(place, 1, error) from error
    repeated = {name for name in header if header.count(name) > 1}
    if repeated:
        raise ConfigError(f"{storage.shown(place)} has several columns {', '.join(sorted(repeated))}", expected="one")
    return header


def _csv_rows(place: str, file: BinaryIO, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    rows: Any = _csv(file)
    header = _header(place, rows)
    wanted = [(name, header.index(name)) for name in columns]
    while True:
        try:
            row = next(rows, None)
        except (csv.Error, OSError) as error:
            raise _damaged(place, rows.line_num, error) from error
        if row is None:
            return
        if not row:  # an empty line
            continue
        if len(row) != len(header):
            raise _damaged(place, rows.line_num, f"{len(row)} values", expected=f"{len(header)}, one for each column")
        yield rows.line_num, {name: row[index] for name, index in wanted}


def _parquet(place: str, file: BinaryIO) -> Any:
    from pyarrow import ArrowException  # noqa: PLC0415 - a list in CSV needs no pyarrow
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    try:
        return ParquetFile(file)
    except (ArrowException, OSError) as error:
        raise ConfigError(f"{storage.shown(place)} is no Parquet file: {error}") from error


def _parquet_rows(place: str, file: BinaryIO, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    from pyarrow import ArrowException  # noqa: PLC0415

    number = 0
    batches = _parquet(place, file).iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(columns), use_threads=False)
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            values = [_texts(batch.column(name)) for name in columns]
        except (ArrowException, OSError) as error:
            raise _damaged(place, number + 1, error) from error
        for row in zip(*values, strict=True):
            number += 1
            yield number, dict(zip(columns, row, strict=True))


def _texts(column: Any) -> list[str]:
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    return [_text(value) for value in column.to_pylist()]


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _damaged(place: str, number: int, what: object, *, expected: str = "a row of the table") -> ConfigError:
    return ConfigError(f"{storage.shown(place)}:{number}: {what}", expected=expected, remedy="correct the row")
