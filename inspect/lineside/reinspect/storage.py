"""Reads archives where they lie: local paths by the system itself, any other URL through fsspec.

A place is an absolute path or an fsspec URL. Names may hold any bytes: what is not UTF-8 is kept as surrogate escapes.
What cannot be read is an OSError while an archive is listed, and a FrameError that says why when an image is read.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from lineside.core.errors import ConfigError, FrameError
from lineside.reinspect import remote_storage
from lineside.reinspect.part import ImageRef

__all__ = [
    "MAX_BYTES",
    "Listing",
    "Unreached",
    "absolute",
    "folder_of",
    "is_file",
    "is_folder",
    "is_local",
    "joined",
    "listing",
    "name_of",
    "open_file",
    "read",
    "shown",
    "size_bytes",
    "why",
]

MAX_BYTES: Final = 1 << 30
"""Largest file that is read at once, if the caller does not say otherwise."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)")
_LOCAL_URL = re.compile(r"(?:file|local)://")

_STEP_BYTES: Final = 1 << 16
"""By how much a file is read that is read in places, such as a tar's headers: a larger image in between is skipped."""


class Unreached(FrameError):
    """The storage did not give the file, and may give it another time: it is neither gone nor forbidden nor odd."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What is in one folder: names of files and of folders, each sorted. `links` are the folders that are links.

    `modified_utc_ns` is by the name of a file, where it was asked for.
    """

    files: list[str]
    folders: list[str]
    links: frozenset[str] = frozenset()
    modified_utc_ns: dict[str, int] = field(default_factory=dict)


def is_local(place: str) -> bool:
    """Whether the place is a path of this machine."""
    return not _URL.match(place)


def absolute(where: str) -> str:
    """The place as it is named everywhere else: an absolute path, or the URL without slashes at its end."""
    local = _LOCAL_URL.match(where)
    if local and "::" not in where:
        where = where[local.end() :]
    if is_local(where):
        return str(Path(where).absolute())
    return where if where.endswith("://") else where.rstrip("/")


def joined(folder: str, name: str) -> str:
    """A name inside a folder. Of a chained URL (`zip://a::s3://b/c.zip`) the first link is the folder."""
    first, chain, rest = folder.partition("::")
    return f"{first}{'' if first.endswith('/') else '/'}{name}{chain}{rest}"


def folder_of(place: str) -> str:
    """The folder that a file lies in."""
    first, chain, rest = place.partition("::")
    return f"{first.rpartition('/')[0] or '/'}{chain}{rest}"


def name_of(place: str) -> str:
    """The last part of a place."""
    return place.partition("::")[0].rpartition("/")[2]


def read(ref: ImageRef, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of an image: the whole file, or its stretch. Blocks.

    Raises: FrameError that says why they cannot be had: gone, forbidden, a folder, too large, cut off, an I/O error;
    ConfigError when a library for the URL is not installed.
    """
    if ref.length_bytes is not None and ref.length_bytes > max_bytes:
        raise _too_large(ref.url, ref.length_bytes, max_bytes)
    try:
        data, size = _read_local(ref, max_bytes) if is_local(ref.url) else _read_remote(ref, max_bytes)
    except OSError as error:
        lasting = isinstance(error, _LASTING) or error.errno in _LASTING_NUMBERS
        kind = FrameError if lasting else Unreached
        raise kind(f"{shown(ref.url)} {why(error)}", remedy=_REMEDIES.get(error.errno or 0, "")) from error
    if ref.length_bytes is None and size > max_bytes:
        raise _too_large(ref.url, size, max_bytes)
    if ref.length_bytes is not None and len(data) < ref.length_bytes:
        raise FrameError(
            f"{shown(ref.url)} is cut off: it ends {len(data)} bytes behind byte {ref.offset_bytes}",
            expected=f"{ref.length_bytes} bytes from there",
            remedy="fetch the file again from where it came",
        )
    return data


def listing(folder: str, *, with_times: bool = False) -> Listing:
    """What is in one folder. Blocks. Raises: OSError."""
    if is_local(folder):
        return _local_listing(folder, with_times=with_times)
    files, folders, modified_utc_ns = remote_storage.names_in(folder, with_times=with_times)
    return Listing(files=sorted(files), folders=sorted(folders), modified_utc_ns=modified_utc_ns)


def is_folder(place: str) -> bool:
    """Whether there is a folder, as far as this user may see. Raises: ConfigError when a storage cannot be asked."""
    return os.path.isdir(place) if is_local(place) else _remote_type(place) == "directory"  # noqa: PTH112 - never raises


def is_file(place: str) -> bool:
    """Whether there is a file, as far as this user may see. Raises: ConfigError when a storage cannot be asked."""
    return os.path.isfile(place) if is_local(place) else _remote_type(place) == "file"  # noqa: PTH113 - never raises


def open_file(place: str) -> BinaryIO:
    """The file, open for reading in places; the caller closes it. Blocks. Raises: OSError."""
    if is_local(place):
        return os.fdopen(_open_ordinary(place), "rb", buffering=_STEP_BYTES)
    return remote_storage.open_file(place, step_bytes=_STEP_BYTES)


def size_bytes(place: str) -> int:
    """The file's size. Raises: OSError."""
    return Path(place).stat().st_size if is_local(place) else remote_storage.size_bytes(place)


def why(error: OSError) -> str:
    """What the error says of the place that could not be read, to follow its name."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "is not there, or no longer"
        case PermissionError():
            return "may not be read: permission denied"
        case IsADirectoryError():
            return "is a folder, not a file"
        case TimeoutError():
            return "cannot be read: the storage did not answer in time"
        case OSError(errno=errno.ELOOP):
            return "is a link that leads in a circle"
        case _:
            return f"cannot be read: {error.strerror or error}"


def shown(place: str) -> str:
    """The place in characters that every terminal and file takes."""
    if place.isprintable() and not any("\ud800" <= char <= "\udfff" for char in place):
        return place
    text = place.encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _read_local(ref: ImageRef, max_bytes: int) -> tuple[bytes, int]:
    """The bytes, and how many there are in the file from the offset on. None are read where they are too many."""
    descriptor = _open_ordinary(ref.url)
    try:
        size = max(os.fstat(descriptor).st_size - ref.offset_bytes, 0)
        wanted = size if ref.length_bytes is None else ref.length_bytes
        if wanted > max_bytes:
            return b"", size
        data = os.pread(descriptor, wanted, ref.offset_bytes)
        while 0 < len(data) < wanted:
            more = os.pread(descriptor, wanted - len(data), ref.offset_bytes + len(data))
            if not more:
                break
            data += more
        return data, size
    finally:
        os.close(descriptor)


def _open_ordinary(path: str) -> int:
    """A descriptor of an ordinary file: a pipe or a device could keep its reader for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        number = errno.ELOOP if _leads_back(path) else errno.EISDIR
        raise OSError(number, os.strerror(number), path)
    raise OSError(errno.EINVAL, "it is neither a file nor a folder", path)


def _leads_back(path: str) -> bool:
    """Whether it is a link to a folder that it lies in itself."""
    link = Path(path)
    return link.is_symlink() and link.parent.resolve().is_relative_to(link.resolve())


def _local_listing(folder: str, *, with_times: bool) -> Listing:
    files, folders, links, modified_utc_ns = [], [], [], {}
    with os.scandir(folder) as found:
        for each in found:
            if not _leads_to_folder(each):
                files.append(each.name)
                if with_times:
                    modified_utc_ns[each.name] = _modified_utc_ns(each)
                continue
            folders.append(each.name)
            if each.is_symlink():
                links.append(each.name)
    files.sort()
    folders.sort()
    return Listing(files=files, folders=folders, links=frozenset(links), modified_utc_ns=modified_utc_ns)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle, or where this user may not look: its reader says so
        return False


def _modified_utc_ns(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError:  # likewise, or it is gone meanwhile
        return 0


def _read_remote(ref: ImageRef, max_bytes: int) -> tuple[bytes, int]:
    # A stretch is asked for even where all is wanted: one request, which cannot bring more than is allowed.
    wanted = max_bytes + 1 if ref.length_bytes is None else ref.length_bytes
    data = remote_storage.read(ref.url, ref.offset_bytes, wanted)
    return data, len(data)


def _remote_type(place: str) -> str:
    try:
        return remote_storage.type_of(place)
    except OSError as error:
        raise ConfigError(
            f"{shown(place)} {why(error)}",
            expected="a place that this user may read",
            remedy="check the address, the credentials and the endpoint, which fsspec takes from its environment",
        ) from error


_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_LASTING_NUMBERS = frozenset({errno.ELOOP, errno.EINVAL, errno.ENAMETOOLONG})
"""What is wrong with the place, not with the storage."""

_REMEDIES = {
    errno.EACCES: "let this user read it",
    errno.EPERM: "let this user read it",
    errno.EIO: "check the disk or the storage, and run it again",
}


def _too_large(url: str, size: int, max_bytes: int) -> FrameError:
    return FrameError(
        f"{shown(url)} has {size} bytes or more",
        expected=f"at most {max_bytes}",
        remedy="raise the limit if that is true",
    )
