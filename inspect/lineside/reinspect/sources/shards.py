"""Tar files in WebDataset layout, with members `key.png`, `key.top.png`, `key.json`, `key.cls`.

A shard is read by its headers only; the images are skipped. What follows a member's first dot is its ending: the words
before the last one name the view, and `mask` is not a view but the defect's mask. Endings and views are in any case.
"""

from __future__ import annotations

import itertools
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from lineside.core.errors import ConfigError
from lineside.reinspect import storage
from lineside.reinspect.part import ONLY_VIEW, ImageRef, Part
from lineside.reinspect.sources.braces import expanded
from lineside.reinspect.sources.facts import TimeInPath
from lineside.reinspect.sources.shard_facts import PartFacts, facts_of_class, facts_of_json
from lineside.reinspect.sources.source import PICTURE_EXTENSIONS, SourceOptions, fingerprint_of
from lineside.reinspect.sources.walk import root_listing, split_glob, walk

__all__ = ["COMPRESSED_EXTENSIONS", "SHARD_EXTENSION", "ShardSource", "open_shards"]

SHARD_EXTENSION = ".tar"
COMPRESSED_EXTENSIONS = (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""Refused by name."""

_END = bytes(2 * tarfile.BLOCKSIZE)
"""What a tar file ends with."""

_MASK = "mask"
_MAX_FACTS_BYTES = 1 << 20

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    """One file in a shard: `key` is its name up to the first dot behind the last slash, `ending` the rest."""

    key: str
    ending: str
    stretch: ImageRef
    facts: PartFacts | None = None
    damaged: bool = False


def open_shards(place: str, options: SourceOptions) -> ShardSource:
    """Opens a tar file, a folder or a glob of them, or a brace pattern. Raises: ConfigError when there is none."""
    root, found = _found(place)
    compressed = [name for name in found if name.lower().endswith(COMPRESSED_EXTENSIONS)]
    if compressed:
        raise ConfigError(
            f"shard {storage.shown(compressed[0])} is compressed: its images cannot be read one by one",
            expected=f"files ending in {SHARD_EXTENSION}",
            remedy="unpack it (gunzip); pictures do not become smaller in it",
        )
    if not found:
        raise ConfigError(
            f"there is no shard at {storage.shown(place)}",
            expected=f"files ending in {SHARD_EXTENSION}",
            remedy="correct the place",
        )
    return ShardSource(place, root, found, options)


def _found(place: str) -> tuple[str, Sequence[str]]:
    """The folder that names are counted from, and the shards in order, those included that cannot be read."""
    if storage.is_folder(place):
        return place, [storage.joined(place, name) for name in root_listing(place).files if _is_shard(name)]
    if storage.is_file(place):
        return storage.folder_of(place), [place]
    if "{" in place:
        return storage.folder_of(place.partition("{")[0]), list(dict.fromkeys(expanded(place)))
    root, glob = split_glob(place)
    if root == place or not storage.is_folder(root):
        return root, []
    shards: list[str] = []
    for folder in walk(root, glob):
        shards += [folder.place] if folder.barred else []
        shards += [storage.joined(folder.place, name) for name in folder.files if _is_shard(name)]
    return root, shards


def _is_shard(name: str) -> bool:
    return name.lower().endswith((SHARD_EXTENSION, *COMPRESSED_EXTENSIONS))


class ShardSource:
    """A `Source` over tar files. A part's key is the shard's name and the key in it.

    Members of one part lie beside each other. Of a damaged shard the parts before the damage are there, and one more
    whose image cannot be read: it stands for the rest. Holds the keys of one shard at a time.
    """

    kind = "shards"

    def __init__(self, place: str, root: str, shards: Sequence[str], options: SourceOptions) -> None:
        """Made by `open_shards`."""
        self._root = root
        self._shards = shards
        self._options = options
        self._ignored: Counter[str] = Counter()
        self._times = TimeInPath(options, self._ignored)
        count = f"{len(shards)} tar shards" if len(shards) > 1 else "a tar shard"
        self.description = f"{count} at {storage.shown(place)}"
        self.fingerprint = fingerprint_of(self.kind, place, options)

    @property
    def ignored(self) -> Mapping[str, int]:
        """Members that are no pictures and say nothing of a part."""
        return +self._ignored

    def parts(self) -> Iterator[Part]:
        """Shard by shard, in the order of their members. Raises: ConfigError when a library is missing."""
        self._ignored.clear()
        for shard in self._shards:
            name = shard.removeprefix(self._root).lstrip("/")
            used: set[str] = set()
            for key, members in itertools.groupby(self._members(shard), key=lambda member: member.key):
                part = self._part(f"{name}/{_unused(key, used)}", members)
                if part is not None:
                    yield part

    def _part(self, key: str, members: Iterable[_Member]) -> Part | None:
        """The part of these members; None where none of them is a picture."""
        images: dict[str, ImageRef] = {}
        facts: PartFacts | None = None
        mask: ImageRef | None = None
        for member in members:
            view = _view_of(member)
            if member.facts is not None:
                facts = facts.with_more(member.facts) if facts else member.facts
            elif view is None:
                ending = f"ending in .{storage.shown(member.ending)}" if member.ending else "without ending"
                self._ignored[f"members {ending}"] += 1
            elif view == _MASK:
                mask = member.stretch
            elif view in images:
                self._ignored["second pictures of one view of a part"] += 1
            else:
                images[view] = member.stretch
        if not images:
            self._ignored["keys without a picture"] += facts is not None or mask is not None
            return None
        facts = facts or PartFacts()
        return Part(
            key=key,
            part_id=facts.part_id or key,
            captured_utc_ns=facts.captured_utc_ns or self._times.utc_ns_of(key),
            images=images,
            truth=facts.truth(mask),
        )

    def _members(self, shard: str) -> Iterator[_Member]:
        """The members in order, and a damaged one where the shard cannot be read further. Blocks."""
        behind = 0
        try:
            with storage.open_file(shard) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
                    yield from self._member(shard, tar, member)
                    behind = tar.offset
                file.seek(tar.offset)  # tarfile takes a damaged header for the end
                if file.read(len(_END)) != _END:
                    yield _damaged(shard, tar.offset, "there is neither a member nor the end")
        except tarfile.TarError as error:
            yield _damaged(shard, behind, str(error))
        except OSError as error:
            yield _damaged(shard, behind, storage.why(error))

    def _member(self, shard: str, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[_Member]:
        if not member.isreg() or member.issparse():
            self._ignored["links and the like" if not member.isdir() else "folders"] += 1
            return
        folder, slash, name = member.name.rpartition("/")
        stem, _, ending = name.partition(".")
        stretch = ImageRef(url=shard, offset_bytes=member.offset_data, length_bytes=member.size)
        facts = self._facts(tar, member, ending.lower())
        yield _Member(key=f"{folder}{slash}{stem}", ending=ending.lower(), stretch=stretch, facts=facts)

    def _facts(self, tar: tarfile.TarFile, member: tarfile.TarInfo, ending: str) -> PartFacts | None:
        """What a member says of its part; None where it says nothing, or nothing that can be understood."""
        if ending not in ("json", "cls") or member.size > _MAX_FACTS_BYTES:
            return None
        file = tar.extractfile(member)
        data = file.read() if file is not None else b""
        if ending == "cls":
            return facts_of_class(data, good_class=self._options.good_class)
        return facts_of_json(data)


def _unused(key: str, used: set[str]) -> str:
    """The key. The same again, with others in between, is another part as far as anybody can tell: it gets a number."""
    named, number = key, 1
    while named in used:
        number += 1
        named = f"{key} ({number})"
    used.add(named)
    return named


def _view_of(member: _Member) -> str | None:
    """The view that a member shows, `mask` for a mask; None where it is no picture."""
    view, _, extension = member.ending.rpartition(".")
    return view or ONLY_VIEW if member.damaged or f".{extension}" in PICTURE_EXTENSIONS else None


def _damaged(shard: str, behind_byte: int, why: str) -> _Member:
    """Stands for all that follows: its bytes are not there, or are no picture, and its reader says so."""
    _log.warning("a shard is damaged", shard=storage.shown(shard), behind_byte=behind_byte, why=why)
    stretch = ImageRef(url=shard, offset_bytes=behind_byte, length_bytes=len(_END))
    return _Member(key=f"damaged behind byte {behind_byte}", ending="", stretch=stretch, damaged=True)
