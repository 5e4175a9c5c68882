"""The memory of what waits for the judge is bounded, and threads end with whoever reads."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from archive_project import written

from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.part import ImageRef
from lineside.reinspect.reading import ReadLimits
from lineside.reinspect.reading_ahead import Wanted, read_ahead


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
