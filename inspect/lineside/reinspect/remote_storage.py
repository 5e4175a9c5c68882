"""The adapter to fsspec: archives behind a URL. What its many libraries raise comes out as an OSError.

Credentials, endpoints and the like are fsspec's own affair, in its environment and files (`FSSPEC_S3_ENDPOINT_URL`,
`AWS_PROFILE`, …). Nothing is held here: fsspec keeps one file system for each process and kind of storage, made at the
first use, and a new one after a fork.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, BinaryIO

from lineside.core.errors import ConfigError

__all__ = ["names_in", "open_file", "read", "size_bytes", "type_of"]


def read(url: str, offset_bytes: int, length_bytes: int) -> bytes:
    """That stretch of a file, or what there is of it. Blocks. Raises: OSError."""
    storage, path = _opened(url)
    try:
        return bytes(_asked(storage.cat_file, path, start=offset_bytes, end=offset_bytes + length_bytes))
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except OSError:
        # Object stores answer with an error when the stretch begins at the file's end, as in an empty file.
        if int(_asked(storage.size, path) or 0) > offset_bytes:
            raise
        return b""


def names_in(folder: str, *, with_times: bool = False) -> tuple[list[str], list[str], dict[str, int]]:
    """Names of files and of folders; `with_times` when each file was modified, in UTC ns. Blocks. Raises: OSError."""
    storage, path = _opened(folder)
    files, folders, modified_utc_ns = list[str](), list[str](), dict[str, int]()
    for whole, is_folder, modified in _entries(storage, path):
        name = whole.strip("/").rpartition("/")[2]
        if whole.strip("/") == path.strip("/"):  # some list the folder itself, as an empty file
            continue
        (folders if is_folder else files).append(name)
        if with_times and not is_folder:
            modified_utc_ns[name] = _utc_ns_of(modified)
    return files, folders, modified_utc_ns


def type_of(url: str) -> str:
    """What there is: "file", "directory", or nothing. Blocks. Raises: OSError."""
    storage, path = _opened(url)
    try:
        return str(_asked(storage.info, path)["type"])
    except FileNotFoundError:
        return ""


def size_bytes(url: str) -> int:
    """The file's size. Blocks. Raises: OSError."""
    storage, path = _opened(url)
    return int(_asked(storage.size, path))


def open_file(url: str, *, step_bytes: int) -> BinaryIO:
    """The file, open for reading in places; `step_bytes` are asked for at once. Raises: OSError."""
    storage, path = _opened(url)
    return io.BufferedReader(_RemoteFile(_asked(storage.open, path, "rb", block_size=step_bytes)), step_bytes)


def _opened(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it. Raises: ConfigError."""
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - archives on disk need no fsspec

        storage, path = url_to_fs(url, use_listings_cache=False)  # else it would keep every name for ever
    except ImportError as error:
        raise ConfigError(
            f"{url} needs a library that is not installed: {error}",
            remedy='install it; for s3:// that is pip install "lineside[s3]"',
        ) from error
    except ValueError as error:
        raise ConfigError(f"{url}: {error}", expected="a path, or a URL that fsspec knows") from error
    return storage, path


def _asked(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the storage answers; each library has errors of its own."""
    try:
        return call(*args, **kwargs)
    except OSError:
        raise
    except Exception as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}") from error


def _entries(storage: Any, path: str) -> Iterator[tuple[str, bool, object]]:
    """What is in a folder: the whole name, whether it is a folder, and when it was modified, as the storage says it."""
    if "s3" in storage.protocol:
        yield from _s3_entries(storage, path)
        return
    for each in _asked(storage.ls, path, detail=True):
        modified = each.get("LastModified") or each.get("mtime") or each.get("created")
        yield str(each["name"]), each["type"] == "directory", modified


def _s3_entries(storage: Any, path: str) -> Iterator[tuple[str, bool, object]]:
    """The same, page by page: a bucket may have millions of objects side by side, and `ls` keeps 4 kB of each."""
    bucket, key, _ = storage.split_path(path)
    asked = {"Bucket": bucket, "Prefix": f"{key}/" if key else "", "Delimiter": "/"}
    found = False
    while True:
        page = _asked(storage.call_s3, "list_objects_v2", **asked)
        for each in page.get("CommonPrefixes", ()):
            yield f"{bucket}/{each['Prefix']}", True, None
        for each in page.get("Contents", ()):
            yield f"{bucket}/{each['Key']}", False, each["LastModified"]
        found = found or page["KeyCount"] > 0
        if not page["IsTruncated"]:
            break
        asked["ContinuationToken"] = page["NextContinuationToken"]
    if not found:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _utc_ns_of(modified: object) -> int:
    match modified:
        case datetime():
            return int(modified.timestamp() * 1_000_000) * 1000
        case int() | float():
            return int(modified * 1_000_000) * 1000
        case _:
            return 0


class _RemoteFile(io.RawIOBase):
    """A file of fsspec whose errors are OSErrors."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return bytes(_asked(self._file.read, size))

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return int(_asked(self._file.seek, offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
