"""What tending a large archive costs: python tests/bench/bench_archive.py [images in the oldest hour]."""

import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

from lineside.core.clock import SystemClock
from lineside.journal.archive import ImageArchive
from lineside.journal.ladder import ArchiveLimits

CALLS = 20


def main(images: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hour = Path(folder, "rejects", "2026-11-22", "12")
        hour.mkdir(parents=True)
        for number in range(images):
            (hour / f"{number:012d}-top.png").write_bytes(b"x")
        disk = types.SimpleNamespace(free=10**12)
        limits = ArchiveLimits(max_bytes=10**9, min_free_bytes=0)
        archive = ImageArchive(Path(folder), limits=limits, clock=SystemClock(), disk_usage=lambda _: disk)
        print(f"{images} images in one hour: ms per call of tend")
        print(f"  with room     p50 {median_ms(archive.tend):.3f}")
        disk.free = 1
        begun_s = time.perf_counter()
        first = archive.tend()
        print(f"  removing      first {(time.perf_counter() - begun_s) * 1000:.1f}, removed {len(first.removed)}")
        print(f"  removing      p50 {median_ms(archive.tend):.1f}")


def median_ms(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(CALLS):
        begun_s = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun_s) * 1000)
    return sorted(taken)[CALLS // 2]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 36_000)
