"""Pictures in a folder and all below it, or those that a glob names."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from lineside.core.errors import ConfigError
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, ImageRef, Part
from lineside.reinspect.sources.facts import TimeInPath, pattern_with, truth_of_folders
from lineside.reinspect.sources.source import (
    PICTURE_EXTENSIONS,
    RAW_EXTENSIONS,
    SourceOptions,
    extension_of,
    fingerprint_of,
)
from lineside.reinspect.sources.walk import EVERYTHING, Folder, Glob, order_of, root_listing, split_glob, walk

__all__ = ["FolderSource", "open_folder"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Picture:
    """One picture, and the part that it belongs to. `path` is below the root, and below the view's folder if any."""

    key: str
    view: str
    path: str
    place: str
    modified_utc_ns: int = 0


def open_folder(place: str, options: SourceOptions) -> FolderSource:
    """Opens a folder, a glob or a single picture. Raises: ConfigError when there is nothing, or options contradict."""
    if options.view_folders and options.view_pattern:
        raise ConfigError(
            "views are told both by view_folders and by view_pattern", expected="one of them", remedy="leave one out"
        )
    if storage.is_folder(place):
        return FolderSource(place, place, EVERYTHING, options)
    if storage.is_file(place):
        return FolderSource(place, storage.folder_of(place), Glob((_literally(storage.name_of(place)),)), options)
    root, glob = split_glob(place)
    if options.view_folders and root != place:
        raise ConfigError(
            f"views are told by view_folders, and {storage.shown(place)} is a glob", expected="a folder of the views"
        )
    if root == place or not storage.is_folder(root):
        raise ConfigError(
            f"there is nothing at {storage.shown(place)}, or nothing that this user may see",
            expected="a folder of pictures, a glob, a manifest, tar shards, or a station's data_dir or file",
            remedy="correct the place",
        )
    return FolderSource(place, root, glob, options)


class FolderSource:
    """A `Source` over pictures. A part's key is its path below the folder, so that the folder may be moved.

    One folder's names are held at a time; with `view_folders` one of each view's.
    """

    kind = "folder"

    def __init__(self, place: str, root: str, glob: Glob, options: SourceOptions) -> None:
        """Made by `open_folder`."""
        self._root = root
        self._glob = glob
        self._options = options
        self._extensions = frozenset(f".{each.lower().removeprefix('.')}" for each in _extensions(options))
        self._view_pattern = pattern_with(options.view_pattern, ("part", "view"), name="view_pattern")
        self._ignored: Counter[str] = Counter()
        self._times = TimeInPath(options, self._ignored)
        self._place = place
        self.description = self._described()
        self.fingerprint = fingerprint_of(self.kind, place, options)

    @property
    def ignored(self) -> Mapping[str, int]:
        """Files that are no pictures, by their endings, and pictures that belong to no part."""
        return +self._ignored  # without those that there are none of

    def parts(self) -> Iterator[Part]:
        """Folder by folder, each folder's by name. Raises: ConfigError."""
        self._ignored.clear()
        any_truth, any_part = False, False
        for key, pictures in itertools.groupby(self._pictures(), key=attrgetter("key")):
            part = self._part(key, pictures)
            any_truth, any_part = any_truth or part.truth is not None, True
            yield part
        if any_part and self._options.truth == "folders" and not any_truth:
            raise ConfigError(
                f"no folder in {storage.shown(self._place)} says what its parts are",
                expected="folders named good or ok, and bad, defect or defect/<class>",
                remedy="leave out truth, or name the folders so",
            )

    def _described(self) -> str:
        by = ""
        if self._options.view_folders:
            by = ", views by folder"
        elif self._options.view_pattern:
            by = ", views by name"
        return f"pictures in {storage.shown(self._place)}{by}"

    def _pictures(self) -> Iterator[_Picture]:
        """All pictures, those of one part beside each other."""
        if self._options.view_folders:
            return heapq.merge(*self._views(), key=lambda picture: order_of(picture.key))
        folders = walk(self._root, self._glob, with_times=self._options.time_modified)
        return itertools.chain.from_iterable(map(self._pictures_of, folders))

    def _views(self) -> Iterator[Iterator[_Picture]]:
        """The pictures of each view, in the order of their paths."""
        inside = root_listing(self._root)
        self._ignored["files beside the folders of views"] += len(inside.files)
        views = [name for name in inside.folders if not name.startswith(".")]
        if not views:
            raise ConfigError(
                f"{storage.shown(self._root)} has no folders", expected="one for each view", remedy="see view_folders"
            )
        for view in views:
            folders = walk(storage.joined(self._root, view), with_times=self._options.time_modified)
            yield itertools.chain.from_iterable(map(partial(self._pictures_of, view=view), folders))

    def _pictures_of(self, folder: Folder, view: str = ONLY_VIEW) -> Iterable[_Picture]:
        self._ignored["hidden folders"] += folder.hidden
        if folder.barred:  # its reader says why, in a row of its own
            return [_Picture(key=folder.path, view=view, path=folder.path, place=folder.place)]
        found = [
            _Picture(
                key=folder.path + name,
                view=view,
                path=folder.path + name,
                place=storage.joined(folder.place, name),
                modified_utc_ns=folder.modified_utc_ns.get(name, 0),
            )
            for name in folder.files
            if self._is_picture(name)
        ]
        return self._by_name(folder, found) if self._options.view_pattern else found

    def _is_picture(self, name: str) -> bool:
        extension = extension_of(name)
        if name.startswith("."):
            self._ignored["hidden files"] += 1
            return False
        if extension not in self._extensions:
            self._ignored[f"files ending in {storage.shown(extension)}" if extension else "files without ending"] += 1
            return False
        return True

    def _by_name(self, folder: Folder, found: Iterable[_Picture]) -> Iterable[_Picture]:
        """The folder's pictures with the part and view that their names tell, part by part."""
        named = []
        for picture in found:
            told = self._view_pattern.fullmatch(picture.path.rpartition("/")[2])
            if told is None:
                self._ignored["pictures whose name is not as view_pattern says"] += 1
                continue
            named.append(
                _Picture(
                    key=folder.path + told["part"],
                    view=told["view"],
                    path=picture.path,
                    place=picture.place,
                    modified_utc_ns=picture.modified_utc_ns,
                )
            )
        return sorted(named, key=attrgetter("key"))

    def _part(self, key: str, pictures: Iterable[_Picture]) -> Part:
        images: dict[str, ImageRef] = {}
        captured_utc_ns = 0
        for picture in pictures:
            if picture.view in images:
                raise ConfigError(
                    f"part {storage.shown(key)} has two pictures of view {picture.view!r}: "
                    f"{storage.shown(images[picture.view].url)} and {storage.shown(picture.place)}",
                    expected="one of each view",
                    remedy="correct view_pattern, or move one away",
                )
            images[picture.view] = self._image(picture)
            captured_utc_ns = captured_utc_ns or self._captured_utc_ns(picture)
        return Part(
            key=key,
            part_id=key,
            captured_utc_ns=captured_utc_ns,
            images=images,
            truth=truth_of_folders(key) if self._options.truth == "folders" else None,
        )

    def _image(self, picture: _Picture) -> ImageRef:
        raw = self._options.raw if extension_of(picture.path) not in PICTURE_EXTENSIONS else None
        return ImageRef(url=picture.place, raw=raw)

    def _captured_utc_ns(self, picture: _Picture) -> int:
        return picture.modified_utc_ns if self._options.time_modified else self._times.utc_ns_of(picture.path)


def _extensions(options: SourceOptions) -> tuple[str, ...]:
    return options.extensions or PICTURE_EXTENSIONS + (RAW_EXTENSIONS if options.raw else ())


def _literally(name: str) -> str:
    """A pattern that matches just this name."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)
