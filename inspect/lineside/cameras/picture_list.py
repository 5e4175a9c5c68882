"""Which pictures a folder camera shows, in which order, and what it calls them."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from lineside.core.errors import ConfigError
from lineside.core.trigger import MAX_PART_ID_CHARS

__all__ = ["Picture", "listed_pictures", "pictures_in"]

_FILE_COLUMN = "file"


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One file to show, and the part id made of its path inside the folder."""

    path: Path
    part_id: str


def pictures_in(folder: Path, *, patterns: Sequence[str], recursive: bool) -> list[Picture]:
    """The regular files in `folder` whose names match one of `patterns` (any case), in natural order of their paths.

    Links to files are followed, links to folders are not: they may lead in a circle. Raises: ConfigError.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"there is no folder {folder}", remedy="correct path; a relative one starts at the project's folder"
        )
    wanted = [pattern.lower() for pattern in patterns]
    names = [
        name
        for name in _files_below(folder, recursive=recursive)
        if any(fnmatch(name.name.lower(), pattern) for pattern in wanted) and (folder / name).is_file()
    ]
    if not names:
        raise ConfigError(
            f"no picture in {folder}" + (" or below it" if recursive else ""),
            expected=f"files named {', '.join(patterns)}",
            remedy="correct path, pattern or recursive",
        )
    return [_picture(folder, name) for name in sorted(names, key=_natural)]


def _files_below(folder: Path, *, recursive: bool) -> Iterator[PurePosixPath]:
    for parent, folders, files in os.walk(folder):
        if not recursive:
            folders.clear()
        for name in files:
            yield PurePosixPath(Path(parent, name).relative_to(folder))


def listed_pictures(folder: Path, list_file: Path, *, where: Mapping[str, Sequence[str]]) -> list[Picture]:
    """The pictures that a CSV list names in its column `file` (paths inside `folder`), in the list's own order.

    `where` keeps rows whose column holds one of the values. A listed file need not exist: it is a missed frame when
    its turn comes. Raises: ConfigError.
    """
    try:
        with list_file.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            _check_columns(list_file, rows.fieldnames or (), where)
            names = [
                row[_FILE_COLUMN] or "" for row in rows if all(row[key] in values for key, values in where.items())
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"cannot read the list {list_file}: {error}", expected="a CSV file in UTF-8 with a first row of names"
        ) from error
    if not names:
        raise ConfigError(f"{list_file} lists no picture with {dict(where)}", remedy="correct where")
    return [_picture(folder, _inside(list_file, name)) for name in names]


def _check_columns(list_file: Path, columns: Sequence[str], where: Mapping[str, Sequence[str]]) -> None:
    for column in (_FILE_COLUMN, *where):
        if column not in columns:
            raise ConfigError(
                f"{list_file} has no column {column!r}", expected=f"one of its columns: {', '.join(columns) or 'none'}"
            )


def _inside(list_file: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ConfigError(f"{list_file} lists {name!r}", expected="paths inside the folder")
    return path


def _picture(folder: Path, name: PurePosixPath) -> Picture:
    return Picture(path=folder / name, part_id=_part_id(name))


def _part_id(name: PurePosixPath) -> str:
    """The path inside the folder in printable characters; a long one keeps its end behind a digest of the whole."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    if len(text) > MAX_PART_ID_CHARS:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        text = f"{digest}~{text[-(MAX_PART_ID_CHARS - len(digest) - 1) :]}"
    return text


def _natural(name: PurePosixPath) -> list[tuple[tuple[int, int, str], ...]]:
    """Orders part2 before part10, folder by folder."""
    return [tuple(_chunk(chunk) for chunk in re.split(r"([0-9]+)", part)) for part in (*name.parts, name.as_posix())]


def _chunk(chunk: str) -> tuple[int, int, str]:
    return (0, int(chunk), chunk) if chunk.isdecimal() else (1, 0, chunk.casefold())
