"""How long until a verdict is durable, and how many a second: at fixed rates, flat out, and beside an image archive.

Run: `python tests/bench/bench_journal.py [FOLDER]`. The folder decides which disk is measured. Delays are from the
call of `append` to its future; each verdict has 600 bytes and comes with its trigger, as in the station.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from lineside.core.clock import SystemClock
from lineside.core.record import VerdictRecord
from lineside.core.trigger import Trigger
from lineside.core.verdict import Outcome
from lineside.journal.feed import JournalFeed
from lineside.journal.journal import Journal

SECONDS = 4.0
PAYLOAD = os.urandom(600)

ARCHIVER = """
import sys, time
from pathlib import Path
import numpy as np
from lineside.core.clock import SystemClock
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.core.verdict import Outcome
from lineside.core.record import image_id
from lineside.journal.archive import ImageArchive
from lineside.journal.ladder import ArchiveLimits

archive = ImageArchive(Path(sys.argv[1]), limits=ArchiveLimits(max_bytes=10**9, min_free_bytes=0), clock=SystemClock())
pixels = (np.random.default_rng(1).normal(128, 3, (1024, 1280))).astype(np.uint8)
number = 0
while True:
    number += 1
    frame = Frame(view="top", pixels=pixels, pixel_format=PixelFormat.MONO8, frame_id=number,
                  captured_utc_ns=time.time_ns(), captured_mono_ns=0, camera_serial="bench")
    archive.store(frame, image_id=image_id(number, "top"), trigger_number=number, outcome=Outcome.FAIL, part_id="p")
    archive.tend()
    time.sleep(0.1)
"""


def answer(journal: Journal, delays_ns: list[int]) -> asyncio.Future[None]:
    """One trigger and its verdict; the delay is added when it is durable."""
    number = journal.next_trigger_number
    now_ns = time.monotonic_ns()
    trigger = Trigger(
        number=number, part_id=f"part-{number}", received_utc_ns=0, received_mono_ns=now_ns, due_mono_ns=now_ns
    )
    record = VerdictRecord(
        sequence=journal.next_sequence,
        trigger_number=number,
        part_id=trigger.part_id,
        outcome=Outcome.PASS,
        reason=0,
        decided_utc_ns=0,
        payload=PAYLOAD,
    )
    journal.open_trigger(trigger)
    durable = journal.append(record)
    durable.add_done_callback(lambda _: delays_ns.append(time.monotonic_ns() - now_ns))
    return durable


def open_journal(folder: Path) -> Journal:
    path = folder / f"{uuid.uuid4().hex}.sqlite"
    return Journal.open(path, boot_id="bench", station_id="bench", line_id="bench", clock=SystemClock())


@dataclass(frozen=True, kw_only=True)
class Delays:
    """What was measured at one rate; delays from the call of `append` to its future."""

    per_s: float
    commits_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float


async def at_rate(folder: Path, per_second: int) -> Delays:
    journal = open_journal(folder)
    feed = JournalFeed(journal)
    delays_ns: list[int] = []
    groups: list[int] = []
    journal.follow(lambda records: groups.append(len(records)))
    started = time.monotonic()
    durable = None
    for index in range(int(per_second * SECONDS)):
        ahead = started + index / per_second - time.monotonic()
        if ahead > 0:
            await asyncio.sleep(ahead)
        durable = answer(journal, delays_ns)
    assert durable is not None
    await durable
    elapsed = time.monotonic() - started
    await feed.close()
    await journal.close()
    delays_ms = sorted(delay / 1e6 for delay in delays_ns)
    p50, p99 = (delays_ms[int(len(delays_ms) * share)] for share in (0.5, 0.99))
    return Delays(
        per_s=len(delays_ms) / elapsed,
        commits_per_s=len(groups) / elapsed,
        p50_ms=p50,
        p99_ms=p99,
        max_ms=delays_ms[-1],
    )


async def flat_out(folder: Path, count: int = 40_000) -> tuple[float, float]:
    """Verdicts a second, and microseconds of the event loop for each."""
    journal = open_journal(folder)
    delays_ns: list[int] = []
    spent = 0.0
    started = time.perf_counter()
    for _ in range(count // 100):
        before = time.perf_counter()
        for _ in range(100):
            durable = answer(journal, delays_ns)
        spent += time.perf_counter() - before
        if journal.pending > 4000:
            await durable
    await durable
    elapsed = time.perf_counter() - started
    await journal.close()
    return count / elapsed, spent / count * 1e6


def show(label: str, delays: Delays) -> None:
    print(
        f"{label:<34}{delays.per_s:>10.0f}{delays.commits_per_s:>12.0f}{delays.p50_ms:>10.2f}{delays.p99_ms:>10.2f}"
        f"{delays.max_ms:>10.1f}"
    )


async def measure(folder: Path) -> None:
    print(
        f"{'rate asked (verdicts/s)':<34}{'verdicts/s':>10}{'commits/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}"
    )
    for per_second in (100, 1000, 5000):
        show(str(per_second), await at_rate(folder, per_second))
    archiver = subprocess.Popen([sys.executable, "-c", ARCHIVER, str(folder / "images")])  # noqa: ASYNC220 - starts at once
    try:
        for per_second in (100, 1000):
            show(f"{per_second}, beside 10 images/s archived", await at_rate(folder, per_second))
    finally:
        archiver.kill()
        archiver.wait()
    per_s, loop_us = await flat_out(folder)
    print(f"flat out: {per_s:.0f} verdicts/s; {loop_us:.1f} us on the loop for each part")


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
