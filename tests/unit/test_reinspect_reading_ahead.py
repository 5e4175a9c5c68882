"""The memory of what waits for the judge is bounded, and threads end with whoever reads. On one core nothing is read
before it is asked for, unless the storage is slow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pytest
from archive_project import written

from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.part import ImageRef
from lineside.reinspect.reading import ReadImage, ReadLimits
from lineside.reinspect.reading_ahead import Reader, Wanted, read_ahead


def waiting_images(folder: Path, count: int) -> list[Wanted]:
    """Pictures of 10,000 bytes each."""
    urls = [written(folder, f"{number}.png", np.zeros((100, 100), np.uint8)) for number in range(count)]
    return [Wanted(ref=ImageRef(url=url), formats=[PixelFormat.MONO8]) for url in urls]


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        (ReadLimits(window_images=3, readers=2), 3),
        (ReadLimits(window_images=50, window_bytes=40_000, readers=3), 4 + 3),  # each reader has one in its hands
        (ReadLimits(window_images=50, window_bytes=1, readers=3), 1 + 3),  # the oldest gets in whatever its size
    ],
)
def test_no_more_images_are_read_ahead_than_the_window_holds(tmp_path: Path, limits: ReadLimits, most: int) -> None:
    wanted = waiting_images(tmp_path, 20)
    images = read_ahead(wanted, limits)
    first = next(images)
    time.sleep(0.2)  # the readers have their chance to go too far
    for image in wanted:
        Path(image.ref.url).unlink()

    read = [image for image in (first, *images) if image.sha256]

    assert 1 <= len(read) <= most


def test_closing_midway_ends_every_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    images = read_ahead(waiting_images(tmp_path, 100), ReadLimits(window_images=2, window_bytes=1, readers=4))
    next(images)

    images.close()

    assert before == set(threading.enumerate())


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("reading-ahead")]


class SlowDisk(Wanted):
    """A file whose disk answers after 50 ms."""

    def read(self, limits: ReadLimits, admit: Callable[[int], None] = lambda nbytes: None) -> ReadImage:
        time.sleep(0.05)
        return super().read(limits, admit)


def test_on_one_core_each_image_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    wanted = waiting_images(tmp_path, 20)
    images = Reader(ReadLimits(), one_core=True).read(wanted)
    first = next(images)
    assert readers() == []
    for image in wanted:
        Path(image.ref.url).unlink()

    rest = list(images)

    assert first.sha256
    assert [image.sha256 for image in rest] == [""] * 19


def test_on_more_cores_images_are_read_ahead(tmp_path: Path) -> None:
    images = Reader(ReadLimits(), one_core=False).read(waiting_images(tmp_path, 100))
    next(images)

    assert readers()
    assert len(list(images)) == 99


def test_a_slow_disk_is_read_ahead_of_from_when_it_is_noticed(tmp_path: Path) -> None:
    wanted = [SlowDisk(ref=each.ref, formats=each.formats) for each in waiting_images(tmp_path, 40)]
    reader = Reader(ReadLimits(), one_core=True)
    begun_s = time.monotonic()

    first = []
    for image in reader.read(wanted):
        first.append((image.sha256, bool(readers())))
    took_s = time.monotonic() - begun_s
    quick = waiting_images(tmp_path / "quick", 3)
    ahead = []
    for _ in range(17):  # sixteen calls, and one that tries it anew
        images = reader.read(quick)
        next(images)
        ahead.append(bool(readers()))
        images.close()

    assert len(first) == 40
    assert all(sha256 for sha256, _ in first)
    assert first[0][1] is False
    assert first[-1][1] is True
    assert took_s < 40 * 0.05, "nothing was read ahead"
    assert [True] * 16 + [False] == ahead


def test_a_remote_storage_is_read_ahead_of_from_the_first(tmp_path: Path) -> None:
    wanted = waiting_images(tmp_path, 5)
    storage, _ = fsspec.url_to_fs("memory://reading")
    for number, each in enumerate(wanted):
        storage.pipe_file(f"/reading/{number}.png", Path(each.ref.url).read_bytes())
    remote = [
        Wanted(ref=ImageRef(url=f"memory://reading/{number}.png"), formats=each.formats)
        for number, each in enumerate(wanted)
    ]

    images = Reader(ReadLimits(), one_core=True).read(remote)
    first = next(images)

    assert readers()
    assert [first.sha256, *(image.sha256 for image in images)] == [image.read(ReadLimits()).sha256 for image in wanted]
