"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["PARTIAL", "written_whole"]

PARTIAL = ".partial"
"""Ending of a file that is being written; one that is left over is worth nothing."""


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """The place to write to: moved to `path` when the block ends well, and durable then; removed when it does not."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
