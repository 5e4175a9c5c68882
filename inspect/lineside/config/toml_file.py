"""A TOML file that knows on which line each key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lineside.core.errors import ConfigError

__all__ = ["Key", "Problem", "TomlFile", "refuse"]

Key = tuple[str | int, ...]
"""Where a value stands: ("views", "face", "regions", 0, "name"). Arrays count from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong in a file, for a person: where, what, what was expected, what to do."""

    path: Path
    line: int
    what: str
    expected: str = ""
    remedy: str = ""

    def error(self) -> ConfigError:
        """The same as an error."""
        return ConfigError(f"{self.path}:{self.line}: {self.what}", expected=self.expected, remedy=self.remedy)

    def __str__(self) -> str:
        return str(self.error())


def refuse(problems: Sequence[Problem]) -> ConfigError:
    """The one error that names all the problems, a line each in the order of the file."""
    if len(problems) == 1:
        return problems[0].error()
    in_order = sorted(problems, key=lambda problem: (problem.path, problem.line))
    return ConfigError("\n".join([f"{len(problems)} problems", *map(str, in_order)]))


class TomlFile:
    """One TOML file: its value, and the line of every key in it."""

    def __init__(self, path: Path) -> None:
        """Reads and parses the file. Raises: ConfigError when it is missing, unreadable or not TOML."""
        self.path = path
        try:
            self._source = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be read ({error.strerror})", expected="a TOML file", remedy="correct the path"
            ) from error
        try:
            self.value: dict[str, Any] = tomllib.loads(self._source.decode())
        except UnicodeDecodeError as error:
            line = self._source.count(b"\n", 0, error.start) + 1
            raise ConfigError(
                f"{path}:{line}: byte 0x{self._source[error.start]:02x} is not UTF-8",
                expected="UTF-8 text",
                remedy="save the file as UTF-8",
            ) from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(
                f"{path}:{self._line_in(str(error))}: not TOML: {error}",
                expected="TOML 1.0",
                remedy="correct the line, or the one before it",
            ) from error

    def problem(self, key: Key, what: str, *, expected: str = "", remedy: str = "") -> Problem:
        """A problem at `key`, or at the nearest table around it that is written down."""
        return Problem(path=self.path, line=self.line_of(key), what=what, expected=expected, remedy=remedy)

    def line_of(self, key: Key) -> int:
        """The line of `key`, counted from 1; of the nearest table around it where it is not written down."""
        return next(self._lines[key[:length]] for length in range(len(key), -1, -1) if key[:length] in self._lines)

    def _line_in(self, message: str) -> int:
        # The standard library's error states its place in words only, until Python 3.14.
        found = re.search(r"at line (\d+)", message)
        return int(found.group(1)) if found else max(1, len(self._source.splitlines()))

    @cached_property
    def _lines(self) -> dict[Key, int]:
        # tomllib tells no positions: a second parse does. Only needed, and only paid for, when something is wrong.
        from tree_sitter import Language, Parser  # noqa: PLC0415
        from tree_sitter_toml import language  # noqa: PLC0415

        document = Parser(Language(language())).parse(self._source).root_node
        lines: dict[Key, int] = {(): 1}
        for key, line in _walk_document(document):
            lines.setdefault(key, line)
        return lines


def _walk_document(document: Any) -> Iterator[tuple[Key, int]]:
    last_index: dict[Key, int] = {}  # of each [[array of tables]] so far
    for node in document.named_children:
        if node.type == "pair":
            yield from _walk_pair((), node)
        elif node.type in ("table", "table_array_element"):
            *parents, name = _key_parts(node.named_children[0])
            at: Key = ()
            for part in parents:
                at += (part,)
                yield at, _line(node)
                at += (last_index[at],) if at in last_index else ()
            at += (name,)
            yield at, _line(node)
            if node.type == "table_array_element":
                last_index[at] = last_index.get(at, -1) + 1
                at += (last_index[at],)
                yield at, _line(node)
            for pair in node.named_children[1:]:
                if pair.type == "pair":
                    yield from _walk_pair(at, pair)


def _walk_pair(at: Key, pair: Any) -> Iterator[tuple[Key, int]]:
    key, *rest = (node for node in pair.named_children if node.type != "comment")
    for part in _key_parts(key):
        at += (part,)
        yield at, _line(pair)
    for value in rest:
        yield from _walk_value(at, value)


def _walk_value(at: Key, value: Any) -> Iterator[tuple[Key, int]]:
    children = [node for node in value.named_children if node.type != "comment"]
    if value.type == "inline_table":
        for pair in children:
            yield from _walk_pair(at, pair)
    elif value.type == "array":
        for index, element in enumerate(children):
            yield (*at, index), _line(element)
            yield from _walk_value((*at, index), element)


def _key_parts(key: Any) -> list[str]:
    # A key may be bare, quoted or dotted: let the TOML parser itself take it apart.
    parts = []
    table: Any = tomllib.loads(f"{key.text.decode()} = 0")
    while isinstance(table, dict):
        ((part, table),) = table.items()
        parts.append(part)
    return parts


def _line(node: Any) -> int:
    return int(node.start_point[0]) + 1
