"""Recognises what kind of archive a place is, and opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lineside.core.errors import ConfigError
from lineside.reinspect import storage
from lineside.reinspect.sources import folder, manifest, shards, station
from lineside.reinspect.sources.source import AS_IT_SAYS, PICTURE_EXTENSIONS, Source, SourceOptions, extension_of
from lineside.reinspect.sources.table_file import TABLE_EXTENSIONS

__all__ = ["KINDS", "open_source"]

_FOLDER_OPTIONS = frozenset(
    {
        *("truth", "view_pattern", "view_folders", "extensions", "raw"),
        *("time_pattern", "time_format", "time_modified"),
    }
)
_MANIFEST_OPTIONS = frozenset({"split", "columns", "raw", "time_pattern", "time_format"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of archive: how it is opened, and which options it takes."""

    open: Callable[[str, SourceOptions], Source]
    options: frozenset[str]


KINDS: Mapping[str, Kind] = {
    "station": Kind(open=station.open_station, options=frozenset()),
    "folder": Kind(open=folder.open_folder, options=_FOLDER_OPTIONS),
    "manifest": Kind(open=manifest.open_manifest, options=_MANIFEST_OPTIONS),
    "split": Kind(open=manifest.open_split, options=_MANIFEST_OPTIONS - {"columns"}),
    "shards": Kind(open=shards.open_shards, options=frozenset({"good_class", "time_pattern", "time_format"})),
}
"""The kinds of archives by name."""

_TAR_NAMES = (shards.SHARD_EXTENSION, *shards.COMPRESSED_EXTENSIONS)


def open_source(where: str, *, kind: str = "", options: SourceOptions = AS_IT_SAYS) -> Source:
    """Opens the archive at `where`: a path, an fsspec URL, a glob or a brace pattern. Blocks; lists nothing yet.

    `kind` is a row of KINDS; where it is empty, the place itself says what it is (a remote folder is listed for that,
    which may take a while; naming the kind spares it). Raises: ConfigError when there is
    nothing, when it is no archive of that kind, or when an option is given that the kind does not take.
    """
    place = storage.absolute(where)
    kind = kind or _kind_of(place)
    if kind not in KINDS:
        raise ConfigError(f"there is no kind of source {kind!r}", expected=f"one of {', '.join(KINDS)}")
    strange = sorted(options.given - KINDS[kind].options)
    if strange:
        raise ConfigError(
            f"{where} is taken for a source of kind {kind}, which takes no {', '.join(strange)}",
            expected=f"of the options {', '.join(sorted(KINDS[kind].options)) or 'none'}",
            remedy="leave it out, or name the kind that is meant",
        )
    return KINDS[kind].open(place, options)


def _kind_of(place: str) -> str:
    """What the place itself says it is."""
    name = storage.name_of(place).lower()
    if storage.is_folder(place):
        return _kind_of_folder(place)
    if name.endswith(_TAR_NAMES):
        return "shards"
    if name == manifest.SPLIT_FILE:
        return "split"
    if name.endswith(TABLE_EXTENSIONS):
        return "manifest"
    if name == station.JOURNAL or name.endswith(".toml"):
        return "station"
    return "folder"


def _kind_of_folder(place: str) -> str:
    if storage.is_file(storage.joined(place, station.JOURNAL)):
        return "station"
    if storage.is_file(storage.joined(place, manifest.SPLIT_FILE)):
        return "split"
    try:
        extensions = set(map(extension_of, storage.listing(place).files))
    except OSError:
        return "folder"  # which says that it cannot be listed
    return "shards" if shards.SHARD_EXTENSION in extensions and not extensions & {*PICTURE_EXTENSIONS} else "folder"
