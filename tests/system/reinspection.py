"""An archive of small pictures with some odd files among them, and `lineside reinspect` over it as a real process."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from small_project import HEIGHT_PX, WIDTH_PX, descendants_of, is_gone, make_project, wait_for

from lineside.reinspect.plan import Plan
from lineside.reinspect.row import TIMING_COLUMNS

__all__ = ["ODD", "Reinspection", "make_archive", "reinspect", "rows_of"]

ODD = ("cut-short.png", "empty.png", "no-picture.png", "too-small.png")
"""Files of the archive that cannot be inspected; each is a row with its reason."""


def make_archive(folder: Path, *, pictures: int, layers: int = 0) -> Path:
    """A project in `folder` and, in `folder`/archive, so many pictures, and the odd ones; returns the station file.

    The pictures grow brighter and brighter; the model takes the brightest for defects. `layers` makes it slow.
    """
    station = make_project(folder, layers=layers)
    archive = folder / "archive"
    archive.mkdir()
    noise = np.random.default_rng(7)
    for number in range(pictures):
        brightness = 255 * number // pictures
        picture = noise.integers(max(0, brightness - 20), min(255, brightness + 20), (HEIGHT_PX, WIDTH_PX), np.uint8)
        (archive / f"P{number:05d}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    sound = (archive / "P00000.png").read_bytes()
    for name, content in zip(ODD, (sound[: len(sound) // 2], b"", b"no picture", _png((4, 4))), strict=True):
        (archive / name).write_bytes(content)
    return station


def _png(size_px: tuple[int, int]) -> bytes:
    return cv2.imencode(".png", np.zeros(size_px, np.uint8))[1].tobytes()


class Reinspection:
    """`lineside reinspect` of the project's archive into `out`, as a process."""

    def __init__(self, station: Path, out: Path, *options: str, source: str = "", file_kib: int = 0) -> None:
        self.out = out
        project = station.parents[2]
        self.log_path = out.with_name(f"{out.name}.log")
        where = source or str(project / "archive")
        command = [sys.executable, "-m", "lineside", "reinspect", where, "-o", str(out), "--station", str(station)]
        words = shlex.join([*command, *options])
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f"ulimit -f {file_kib or 'unlimited'}; exec {words}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(100)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def chunks_done(self) -> int:
        """Chunks with a file of their own, or all of them: they go when they are put together."""
        if (self.out / "rows.parquet").exists():
            return Plan(self.out / "plan.parquet").chunks
        return len(list((self.out / "chunks").glob("*.arrow")))

    def wait_until_done(self, chunks: int) -> None:
        """Until so many chunks are done."""
        wait_for(lambda: self.chunks_done() >= chunks or self.process.poll() is not None, f"{chunks} chunks done")
        assert self.process.poll() is None, self.log()

    def workers(self) -> list[int]:
        return descendants_of(self.process.pid)

    def kill(self) -> None:
        """kill -9, and waits until the workers are gone too."""
        workers = self.workers()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: all(map(is_gone, workers)), "the workers end with their parent")


@contextmanager
def reinspect(station: Path, out: Path, *options: str, source: str = "", file_kib: int = 0) -> Iterator[Reinspection]:
    """A run, killed at the end if it is not over by then. `file_kib` is the largest file that it may write."""
    run = Reinspection(station, out, *options, source=source, file_kib=file_kib)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.kill()


def rows_of(out: Path) -> pa.Table:
    """All that the run found, but for the timings, which are never the same."""
    return pq.read_table(out / "rows.parquet").drop_columns(list(TIMING_COLUMNS)).combine_chunks()


def kill_one(pids: list[int]) -> bool:
    """Kills the first of these that is alive; False when there is none."""
    for pid in pids:
        if not is_gone(pid):
            os.kill(pid, signal.SIGKILL)
            return True
    return False
