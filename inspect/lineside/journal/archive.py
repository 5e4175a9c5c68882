"""The image archive: the pixels exactly as inspected, one file per frame, within its limits on the disk.

Runs in the archiver process; plain and synchronous. The station's journal holds what became of each image.

::

    images/
    ├── passes/2026-11-22/17/000000000042-top.png      date and hour of the exposure, UTC
    └── rejects/2026-11-22/17/000000000043-top.png     FAIL and NOT_INSPECTED
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from lineside.core.clock import Clock
from lineside.core.errors import ConfigError, FrameError, StationFault
from lineside.core.frame import Frame
from lineside.core.record import ImageRecord, ImageState, StationEvent
from lineside.core.verdict import Outcome
from lineside.journal import image_format
from lineside.journal.ladder import ArchiveLimits, Step, next_step

__all__ = ["ImageArchive", "Tended", "load"]

REMOVED_AT_ONCE = 64
"""Images that one call of `tend` removes at most: some 20 ms, so that a waiting frame is not held up."""

_UNFINISHED = ".part"


class DiskUsage(Protocol):
    """What `shutil.disk_usage` returns, as far as it is needed."""

    @property
    def free(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Tended:
    """What one call of `tend` did: ids of removed images (now EXPIRED), and the steps taken on the ladder, in order."""

    removed: tuple[str, ...]
    events: tuple[StationEvent, ...]


def load(path: Path, record: ImageRecord) -> Frame:
    """The archived frame, byte for byte as inspected. `path` is the file, `record` what the journal says of it.

    Raises: FrameError when the file is missing, damaged or not what was journalled.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FrameError(
            f"image {record.image_id!r} cannot be read: {error.strerror}", remedy="check the disk"
        ) from error
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise FrameError(
            f"image {record.image_id!r} is damaged: {path} has another SHA-256 than was journalled",
            expected=record.sha256,
            remedy="check the disk; fetch the file from a backup",
        )
    frame, _ = image_format.decode(data)
    return frame


class ImageArchive:
    """Stores frames below one folder and keeps within the limits by the ladder. One archive per folder at a time."""

    def __init__(
        self,
        root: Path,
        *,
        limits: ArchiveLimits,
        clock: Clock,
        disk_usage: Callable[[Path], DiskUsage] = shutil.disk_usage,
    ) -> None:
        """Makes the folder where needed, clears away unfinished files and adds up the rest: 1 s per 100,000 files.

        Raises: ConfigError when the folder cannot be made or read.
        """
        self._root = root
        self._limits = limits
        self._clock = clock
        self._disk_usage = disk_usage
        self._step = Step.NORMAL
        self._events: list[StationEvent] = []
        self._going: Iterator[Path] | None = None  # the images to be removed, kept between calls while removing
        self._passes, self._rejects = root / "passes", root / "rejects"
        try:
            self._passes.mkdir(parents=True, exist_ok=True)
            self._rejects.mkdir(parents=True, exist_ok=True)
            self._used_bytes, self._pass_count = _clean_and_measure(root)
        except OSError as error:
            raise ConfigError(
                f"the image archive {root} cannot be used: {error.strerror}",
                expected="a folder that this user may write",
                remedy="correct data_dir in the station file or its permissions",
            ) from error

    @property
    def step(self) -> Step:
        """Where on the ladder the archive is."""
        return self._step

    @property
    def used_bytes(self) -> int:
        """Bytes of all images."""
        return self._used_bytes

    @property
    def free_bytes(self) -> int:
        """Free bytes on the disk."""
        return self._disk_usage(self._root).free

    def store(self, frame: Frame, *, image_id: str, trigger_number: int, outcome: Outcome, part_id: str) -> ImageRecord:
        """Writes one frame durably, or says why not: the record is KEPT, SHED or FAILED. Never raises for a bad disk.

        `image_id` is what `core.record.image_id` makes of trigger and view. A file is there whole or not at all.
        """
        record = ImageRecord(
            image_id=image_id,
            trigger_number=trigger_number,
            view=frame.view,
            state=ImageState.SHED,
            outcome=outcome,
            pixel_format=frame.pixel_format,
            width_px=frame.width_px,
            height_px=frame.height_px,
        )
        try:
            self._climb()
            if not self._step.stores(outcome):
                return replace(record, detail=f"disk-pressure ladder: {self._step.words}")
            about = {
                "image_id": image_id,
                "trigger_number": str(trigger_number),
                "outcome": outcome.name,
                "part_id": part_id,
            }
            data = image_format.encode(replace(frame, part_id=part_id), about)
            path = self._path(frame, image_id, outcome)
            _write_whole(path, data)
        except (OSError, FrameError) as error:
            return replace(record, state=ImageState.FAILED, detail=str(error))
        self._used_bytes += len(data)
        self._pass_count += outcome is Outcome.PASS
        return replace(
            record,
            state=ImageState.KEPT,
            path=path.relative_to(self._root).as_posix(),
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
        )

    def tend(self) -> Tended:
        """Called after every store and when idle: takes the ladder's step and removes some of the oldest images.

        Removes at most REMOVED_AT_ONCE files; call again at once while `removed` is not empty. Lists no folder before
        the step demands removal, and then each folder once. Raises: StationFault when images cannot be removed.
        """
        removed: list[str] = []
        try:
            self._climb()
            while self._step >= Step.REMOVING_PASS_SAMPLES and len(removed) < REMOVED_AT_ONCE:
                oldest = self._next_to_go()
                if oldest is None:
                    break
                self._remove(oldest)
                removed.append(oldest.name.removesuffix(image_format.EXTENSION))
                self._climb()
        except OSError as error:
            self._going = None
            if not removed:  # what was removed must be told first; the next call fails again
                raise StationFault(
                    f"the image archive {self._root} cannot remove old images: {error}",
                    remedy="check the disk and the folder's permissions",
                ) from error
        events, self._events = tuple(self._events), []
        return Tended(removed=tuple(removed), events=events)

    def _climb(self) -> None:
        """Takes the step that the disk demands now, and announces it."""
        free_bytes = self.free_bytes
        step = next_step(
            self._step,
            self._limits,
            free_bytes=free_bytes,
            used_bytes=self._used_bytes,
            has_passes=self._pass_count > 0,
        )
        if step < Step.REMOVING_PASS_SAMPLES:
            self._going = None  # what is stored from here on is looked for by the next removal
        if step is not self._step:
            detail = (
                f"{self._step.words} -> {step.words}: images take {self._used_bytes} of {self._limits.max_bytes} bytes,"
                f" {free_bytes} bytes of the disk are free (at least {self._limits.min_free_bytes} wanted)"
            )
            self._events.append(StationEvent(utc_ns=self._clock.utc_ns(), kind="archive_step", detail=detail))
            self._step = step

    def _path(self, frame: Frame, name: str, outcome: Outcome) -> Path:
        shelf = self._passes if outcome is Outcome.PASS else self._rejects
        exposed = datetime.fromtimestamp(frame.captured_utc_ns // 1_000_000_000, UTC)
        return shelf / f"{exposed:%Y-%m-%d}" / f"{exposed:%H}" / f"{name}{image_format.EXTENSION}"

    def _next_to_go(self) -> Path | None:
        """The next image in the order in which they go: pass samples before rejects, the oldest first."""
        if self._going is None:
            self._going = itertools.chain(_files(self._passes), _files(self._rejects))
        path = next(self._going, None)
        if path is None:
            self._going = None
        return path

    def _remove(self, path: Path) -> None:
        size_bytes = path.stat().st_size
        path.unlink()
        self._used_bytes -= size_bytes
        self._pass_count -= path.is_relative_to(self._passes)
        for folder in (path.parent, path.parent.parent):  # the hour and the day, once they are empty
            try:
                folder.rmdir()
            except OSError:
                break


def _files(shelf: Path) -> Iterator[Path]:
    """Whole images of a shelf by day, hour and trigger number. Folders are listed as they are reached."""
    for day in sorted(shelf.iterdir()):
        for hour in sorted(day.iterdir()):
            with os.scandir(hour) as entries:  # names alone: seven times as fast as paths, where there are many
                names = sorted(entry.name for entry in entries if entry.name.endswith(image_format.EXTENSION))
            yield from (hour / name for name in names)


def _clean_and_measure(root: Path) -> tuple[int, int]:
    """Removes what a killed archiver left unfinished; returns the bytes of all images and how many are passes."""
    used_bytes = pass_count = 0
    for folder, _, names in os.walk(root, onerror=_raise):
        for name in names:
            path = Path(folder, name)
            if name.endswith(_UNFINISHED):
                path.unlink()
            elif name.endswith(image_format.EXTENSION):
                used_bytes += path.stat().st_size
                pass_count += path.is_relative_to(root / "passes")
    return used_bytes, pass_count


def _raise(error: OSError) -> None:
    raise error


def _write_whole(path: Path, data: bytes) -> None:
    """Writes the file under another name, makes it durable and renames it: it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise FileExistsError(errno.EEXIST, "there is an image of that trigger and view already", str(path))
    unfinished = path.with_name(path.name + _UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
