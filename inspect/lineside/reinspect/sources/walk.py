"""Walks an archive's folders in order, a folder at a time, and says what it could not look into."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from lineside.core.errors import ConfigError
from lineside.reinspect import storage

__all__ = ["EVERYTHING", "Folder", "Glob", "order_of", "root_listing", "split_glob", "walk"]

_MAGIC = re.compile(r"[*?[]")

_log = structlog.get_logger(__name__)

_State = frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """One folder's files by name, sorted. `path` is from the root on with a slash at its end, "" for the root.

    `hidden` counts the folders in it that are left out. `barred` folders have no files that anybody could see: they
    may not be listed, or are links back to one above.
    """

    path: str
    place: str
    files: list[str] = field(default_factory=list)
    modified_utc_ns: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    barred: bool = False


class Glob:
    """A pattern of paths below a root: `*`, `?` and `[…]` within a name, `**` for any number of folders.

    A folder that matches is taken with everything below it. Without any names, everything matches.
    """

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self._names = [None if name == "**" else re.compile(fnmatch.translate(name)) for name in names]
        self.start: _State = self._closed({0})

    def behind(self, state: _State, name: str) -> _State:
        """How far the pattern is matched behind that name; empty where nothing can match any more."""
        if state == {len(self._names)}:
            return state
        reached = set[int]()
        for index in state:
            if index == len(self._names) or (pattern := self._names[index]) is None:
                reached.add(index)
            elif pattern.match(name):
                reached.add(index + 1)
        return self._closed(reached)

    def matched(self, state: _State) -> bool:
        """Whether the whole pattern is matched."""
        return len(self._names) in state

    def _closed(self, indexes: set[int]) -> _State:
        """With those that follow without any name: `**` may stand for no folder at all."""
        for index, name in enumerate(self._names):
            if name is None and index in indexes:
                indexes.add(index + 1)
        return frozenset(indexes)


EVERYTHING = Glob()
"""Matches every path."""


def split_glob(place: str) -> tuple[str, Glob]:
    """The folder that a glob begins in, and the rest as a pattern."""
    first, chain, rest = place.partition("::")
    scheme, slashes, path = (
        first.partition("://") if not storage.is_local(place) and "://" in first else ("", "", first)
    )
    names = path.split("/")
    literal = next((index for index, name in enumerate(names) if _MAGIC.search(name)), len(names))
    root = "/".join(names[:literal]) or ("/" if not scheme else "")
    return f"{scheme}{slashes}{root}{chain}{rest}", Glob(tuple(names[literal:]))


def walk(root: str, glob: Glob = EVERYTHING, *, with_times: bool = False) -> Iterator[Folder]:
    """Every folder that matches, a folder's own files before those below it. Hidden folders are left out. Blocks.

    Links to folders are followed, except to one that they lie in: that is barred, as is a folder that cannot be
    listed. Raises: ConfigError when the root cannot be listed.
    """
    yield from _walk(root, "", glob, glob.start, (), with_times=with_times)


def root_listing(root: str, *, with_times: bool = False) -> storage.Listing:
    """What is in the folder that an archive begins with. Raises: ConfigError when it cannot be listed."""
    try:
        return storage.listing(root, with_times=with_times)
    except OSError as error:
        raise ConfigError(
            f"{storage.shown(root)} {storage.why(error)}",
            expected="a folder that can be listed",
            remedy="correct the place, or let this user read it",
        ) from error


def order_of(path: str) -> list[tuple[bool, str]]:
    """A key that sorts paths of files as `walk` comes upon them."""
    *folders, name = path.split("/")
    return [*((True, folder) for folder in folders), (False, name)]


def _walk(
    place: str, path: str, glob: Glob, state: _State, above: tuple[tuple[int, int], ...], *, with_times: bool
) -> Iterator[Folder]:
    try:
        inside = storage.listing(place, with_times=with_times) if path else root_listing(place, with_times=with_times)
        if storage.is_local(place):
            above += (_identity_of(place),)
    except OSError as error:
        _log.warning("a folder cannot be listed", folder=storage.shown(place), why=storage.why(error))
        yield Folder(path=path, place=place, barred=True)
        return
    files = [name for name in inside.files if glob.matched(glob.behind(state, name))]
    hidden = sum(name.startswith(".") for name in inside.folders)
    yield Folder(path=path, place=place, files=files, modified_utc_ns=inside.modified_utc_ns, hidden=hidden)
    for name in inside.folders:
        below = glob.behind(state, name)
        if not below or name.startswith("."):
            continue
        child = storage.joined(place, name)
        if name in inside.links and _leads_back(child, above):
            _log.warning("a link leads back to a folder that it lies in", link=storage.shown(child))
            yield Folder(path=f"{path}{name}/", place=child, barred=True)
            continue
        yield from _walk(child, f"{path}{name}/", glob, below, above, with_times=with_times)


def _identity_of(place: str) -> tuple[int, int]:
    status = Path(place).stat()
    return status.st_dev, status.st_ino


def _leads_back(place: str, above: tuple[tuple[int, int], ...]) -> bool:
    try:
        return _identity_of(place) in above
    except OSError:
        return False  # listing it says why
