"""What may be asked of the journal and the archive; every answer comes from the files, off the event loop."""

from __future__ import annotations

import asyncio
import builtins
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineside.core.errors import FrameError, InvalidRequest, NotFound
from lineside.core.pixel_format import PixelFormat
from lineside.core.record import ImageRecord, ImageState, VerdictQuery, VerdictRecord
from lineside.core.verdict import Outcome
from lineside.journal.chain import VERDICT_COLUMNS, record_of
from lineside.journal.journal import Journal
from lineside.journal.reading import ReadingThread

__all__ = ["IMAGE_COLUMNS", "MAX_LISTED", "JournalQueries", "image_of"]

MAX_LISTED = 1000
"""Verdicts per list."""

IMAGE_COLUMNS = (
    "image_id, trigger_number, view, state, outcome, pixel_format, width_px, height_px, path, sha256, size_bytes,"
    " detail"
)
"""For `image_of`."""


class JournalQueries:
    """The port JournalReader over a journal and its image archive, used on the journal's loop.

    Every call may raise JournalFault when the journal cannot be read.
    """

    def __init__(self, journal: Journal, images: Path) -> None:
        """`images` is the archive's folder, to which the records' paths are relative."""
        self._journal = journal
        self._images = images
        self._thread = ReadingThread(journal.path, name="journal-queries")

    async def get(self, *, sequence: int = 0, trigger_number: int = 0) -> VerdictRecord:
        """One durable verdict by either number. Raises: NotFound, InvalidRequest unless exactly one is given."""
        if (sequence > 0) == (trigger_number > 0):
            raise InvalidRequest(
                f"verdict asked for by sequence {sequence} and trigger number {trigger_number}",
                expected="exactly one of them, above 0",
            )
        column, number = ("sequence", sequence) if sequence > 0 else ("trigger_number", trigger_number)
        rows = await self._thread.rows(f"SELECT {VERDICT_COLUMNS} FROM verdicts WHERE {column} = ?", (number,))
        if not rows:
            raise NotFound(
                f"no verdict with {column.replace('_', ' ')} {number}",
                expected=f"verdicts {self._journal.first_sequence} to {self._journal.last_sequence}",
            )
        return record_of(rows[0])

    async def list(self, query: VerdictQuery) -> Sequence[VerdictRecord]:
        """Verdicts in order of their sequence, or the newest first. Raises: InvalidRequest."""
        if not 1 <= query.limit <= MAX_LISTED:
            raise InvalidRequest(f"a list of {query.limit} verdicts", expected=f"1 to {MAX_LISTED}")
        where, parameters = _conditions(query)
        order = "DESC" if query.newest_first else "ASC"
        rows = await self._thread.rows_beyond(
            f"SELECT {VERDICT_COLUMNS} FROM verdicts WHERE {where} ORDER BY sequence {order} LIMIT ?",
            (*parameters, query.limit),
            max_bytes=query.max_bytes or sys.maxsize,
        )
        return [record_of(row) for row in rows]

    async def images_of(self, trigger_number: int) -> Sequence[ImageRecord]:
        """What became of that part's images, by view; empty when none was to be kept."""
        rows = await self._thread.rows(
            f"SELECT {IMAGE_COLUMNS} FROM images WHERE trigger_number = ? ORDER BY view", (trigger_number,)
        )
        return [image_of(row) for row in rows]

    async def image(self, image_id: str) -> tuple[ImageRecord, bytes]:
        """The archived file, checksum verified.

        Raises: NotFound (with what became of it), FrameError when the file is damaged.
        """
        rows = await self._thread.rows(f"SELECT {IMAGE_COLUMNS} FROM images WHERE image_id = ?", (image_id,))
        if not rows:
            raise NotFound(f"image {image_id!r} is not in the journal", expected="the id of an image asked to be kept")
        record = image_of(rows[0])
        if record.state is not ImageState.KEPT:
            raise NotFound(
                f"image {image_id!r} {_WHAT_BECAME[record.state]}" + (record.detail and f": {record.detail}")
            )
        return record, await asyncio.to_thread(_read_verified, self._images / record.path, record)

    async def late_answers_of(self, trigger_number: int) -> Sequence[str]:
        """Answers that came after that part's verdict, as they were noted, in order."""
        rows = await self._thread.rows(
            "SELECT detail FROM late_answers WHERE trigger_number = ? ORDER BY id", (trigger_number,)
        )
        return [detail for (detail,) in rows]

    async def cursor(self, reader: str) -> int:
        """The last sequence number which that named reader acknowledged; 0 for a new one."""
        return self._journal.cursor(reader)

    async def acknowledge(self, reader: str, sequence: int) -> int:
        """Moves the cursor forward, durably; returns it.

        Raises: InvalidRequest when that is backward or ahead of all; TooMany when there are too many names.
        """
        await self._journal.acknowledge(reader, sequence)
        return sequence

    async def close(self) -> None:
        """Ends the reading thread; may be called twice."""
        await self._thread.close()


_WHAT_BECAME = {
    ImageState.PENDING: "is not written yet",
    ImageState.SHED: "was given up for want of disk space or time",
    ImageState.FAILED: "could not be written",
    ImageState.EXPIRED: "was removed by retention",
}


def _conditions(query: VerdictQuery) -> tuple[str, builtins.list[object]]:
    where, parameters = ["1"], list[object]()
    if query.after_sequence:
        where.append("sequence < ?" if query.newest_first else "sequence > ?")
        parameters.append(query.after_sequence)
    if query.outcomes:
        where.append(f"outcome IN ({', '.join('?' * len(query.outcomes))})")
        parameters.extend(int(outcome) for outcome in query.outcomes)
    if query.part_id:
        where.append("part_id = ?")
        parameters.append(query.part_id)
    if query.from_utc_ns:
        where.append("decided_utc_ns >= ?")
        parameters.append(query.from_utc_ns)
    if query.to_utc_ns:
        where.append("decided_utc_ns < ?")
        parameters.append(query.to_utc_ns)
    return " AND ".join(where), parameters


def image_of(row: Sequence[Any]) -> ImageRecord:
    """A row of IMAGE_COLUMNS as a record."""
    image_id, trigger_number, view, state, outcome, pixel_format, width_px, height_px, path, sha256, size, detail = row
    return ImageRecord(
        image_id=image_id,
        trigger_number=trigger_number,
        view=view,
        state=ImageState(state),
        outcome=Outcome(outcome),
        pixel_format=PixelFormat(pixel_format),
        width_px=width_px,
        height_px=height_px,
        path=path,
        sha256=sha256,
        size_bytes=size,
        detail=detail,
    )


def _read_verified(path: Path, record: ImageRecord) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"image {record.image_id!r} is gone from the archive though the journal has it kept") from error
    except OSError as error:
        raise FrameError(
            f"image {record.image_id!r} cannot be read: {error.strerror}", remedy="check the disk"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != record.sha256:
        raise FrameError(
            f"image {record.image_id!r} is damaged: {len(data)} bytes with SHA-256 {found[:12]}…",
            expected=f"{record.size_bytes} bytes with {record.sha256[:12]}…, as journalled",
            remedy="check the disk; fetch the file from a backup",
        )
    return data
