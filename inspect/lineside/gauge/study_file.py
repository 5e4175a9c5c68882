"""A study as a CSV file: written after every measurement, read back to go on, or measured elsewhere.

Needed are the columns part, operator, trial and value; reference is welcome; the others are those of `Measurement`.
The separator is a comma or a semicolon, as the header has it; with semicolons a decimal comma is read too.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from lineside.core.errors import ConfigError
from lineside.gauge.measurement import Measurement, number_of
from lineside.gauge.plan import MAX_MEASUREMENTS

__all__ = ["COLUMNS", "read_study", "write_study"]

COLUMNS: Final = (
    "order",
    "part",
    "operator",
    "trial",
    "value",
    "reference",
    "measured",
    "note",
    "taken_utc",
    "judged_by",
)
assert set(COLUMNS) == {field.name for field in fields(Measurement)}
_NEEDED = ("part", "operator", "trial", "value")
_MAX_BYTES = 16 << 20


def read_study(path: Path) -> tuple[Measurement, ...]:
    """The file's measurements in its order. Raises: ConfigError with the line where something is wrong."""
    table = csv.DictReader(io.StringIO(text := _text(path)), delimiter=_separator(text), strict=True)
    named = {name: (name or "").strip().lower() for name in table.fieldnames or ()}
    if missing := [column for column in _NEEDED if column not in named.values()]:
        raise ConfigError(
            f"{path} has no column {', '.join(missing)}",
            expected=f"a header with {', '.join(_NEEDED)}, and reference where it is known",
        )
    rows = []
    try:
        for line in table:
            row = {named[name]: (value or "").strip() for name, value in line.items() if name is not None}
            if any(row.values()):
                rows.append(_measurement(path, table.line_num, row, semicolons=_separator(text) == ";"))
    except csv.Error as error:
        raise ConfigError(f"{path}, line {table.line_num}: {error}", expected="a CSV file") from error
    _check(path, rows)
    return tuple(rows)


def write_study(path: Path, rows: Sequence[Measurement]) -> None:
    """Writes the whole file, durable and never half of it. Raises: ConfigError where it cannot be written."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([getattr(row, column) for column in COLUMNS] for row in rows)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written ({error.strerror})", expected="a folder to write to") from error


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} has {path.stat().st_size} bytes", expected=f"a study of at most {_MAX_BYTES}")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", expected="a CSV file with a study") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8", expected="a CSV file in UTF-8") from error


def _separator(text: str) -> str:
    header = text.partition("\n")[0]
    return ";" if header.count(";") > header.count(",") else ","


def _measurement(path: Path, line: int, row: dict[str, str], *, semicolons: bool) -> Measurement:
    where = f"{path}, line {line}"
    for column in ("part", "operator"):
        if not row[column]:
            raise ConfigError(f"{where}: no {column}", expected="a name")
    for column in ("value", "reference"):
        text = row.get(column, "")
        if semicolons and number_of(text) is None and number_of(text.replace(",", ".")) is not None:
            row[column] = text.replace(",", ".")
    trial, order = row["trial"], row.get("order", "") or "0"
    if not (trial.isdecimal() and int(trial) > 0 and order.isdecimal()):
        raise ConfigError(f"{where}: trial {trial!r}", expected="a whole number from 1")
    told = {column: row.get(column, "") for column in COLUMNS if column not in ("trial", "order")}
    return Measurement(trial=int(trial), order=int(order), **told)


def _check(path: Path, rows: Sequence[Measurement]) -> None:
    if not rows or len(rows) > MAX_MEASUREMENTS:
        raise ConfigError(f"{path} has {len(rows)} measurements", expected=f"1 to {MAX_MEASUREMENTS}")
    often = Counter((row.part, row.operator, row.trial) for row in rows)
    (part, operator, trial), count = often.most_common(1)[0]
    if count > 1:
        raise ConfigError(
            f"{path} has part {part} by {operator}, trial {trial} {count} times",
            expected="every part, operator and trial once",
            remedy="number the trials of a part by an operator 1, 2, 3",
        )
