"""From the trigger to a reader who has heard the verdict: the tail, where the time goes, and after a pause."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_model import make_project
from measuring import Figure, Report, busy_cores, median, percentile, serving
from stream_reader import COLUMNS

from lineside.client.station_client import StationClient

__all__ = ["after_a_pause", "latency", "reading"]

EXPOSURE_MS = 1.0
"""The simulated camera's; part of every latency here."""


@contextmanager
def reading(address: str, readers: int, verdicts: int) -> Iterator[subprocess.Popen[str]]:
    """Readers in a process of their own, connected; gone afterwards, whatever happened."""
    command = [sys.executable, str(Path(__file__).with_name("stream_reader.py")), address, str(readers), str(verdicts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n", "the readers did not start"
            yield process
        finally:
            process.kill()


def latency(report: Report, *, seconds_at: dict[int, float]) -> None:
    """At each takt, over both transports, on an idle machine and beside two processes that want both cores."""
    for loaded in (False, True):
        rows = []
        for per_s, seconds in seconds_at.items():
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                trigger = f'source = "takt"\ntakt_ms = {1000 / per_s}'
                station = make_project(Path(folder), layers=0, trigger=trigger)
                with serving(station) as process, busy_cores(2) if loaded else contextlib.nullcontext():
                    for transport, address in (("unix", process.address), ("TCP", process.tcp_address)):
                        with reading(address, 1, max(10, int(seconds * per_s))) as heard:
                            times = json.loads(heard.communicate()[0])
                        rows.append((f"{per_s}/s, {transport}", times))
        _show(report, rows, "both cores wanted by others" if loaded else "nothing else running here")


def _show(report: Report, rows: list[tuple[str, list[list[float]]]], title: str) -> None:
    figures, lines = [], []
    for name, times in rows:
        of = {column: [row[index] for row in times] for index, column in enumerate(COLUMNS)}
        heard = of["heard"]
        tail = {
            "p50": median(heard),
            "p99": percentile(heard, 0.99),
            "p99.9": percentile(heard, 0.999),
            "max": max(heard),
            "jitter": percentile(heard, 0.99) - percentile(heard, 0.01),
        }
        split = {column: median(of[column]) for column in ("capture", "queue", "inspect", "told")}
        parts, missed = len(heard), of["inspected"].count(0.0)
        for what, value in {**tail, **{f"{column} p50": ms for column, ms in split.items()}}.items():
            full = f"trigger to reader, {name}, {title}: {what}"
            figures.append(Figure(section="c", what=full, value=value, unit="ms", note=f"{parts} parts"))
        enough = {"p99": 100, "p99.9": 1000}
        lines.append(
            [
                name,
                str(parts),
                *(f"{value:.2f}" if parts >= enough.get(what, 0) else "-" for what, value in tail.items()),
                *(f"{value:.2f}" for value in split.values()),
                str(missed),
            ]
        )
    names = ["parts/s, transport", "parts", "p50", "p99", "p99.9", "max", "jitter p1-p99"]
    names += ["to frame", "queue", "inspector", "decided to heard", "not inspected"]
    report.add_lines(
        "c", f"Trigger to reader in ms, {title}; exposure {EXPOSURE_MS:.0f} ms of it", names, lines, figures
    )


def after_a_pause(report: Report, *, pause_s: float, times: int) -> None:
    """The first part after a pause beside those that follow each other."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        station = make_project(Path(folder), layers=0, trigger='source = "software"')
        with serving(station) as process:
            following, first = asyncio.run(_pauses(process.address, pause_s, times))
    hundredth = median([took for burst in following for took in burst[90:]])
    row = Figure(
        section="c",
        what=f"first part after {pause_s:.0f} s without any, trigger to answer",
        value=median(first),
        unit="ms",
        beside="91st to 100th part at 50/s",
        beside_value=hundredth,
        ratio=median(first) / hundredth,
        note=f"{times} pauses: {', '.join(f'{took:.2f}' for took in first)}",
    )
    report.add("c", [row], "After a pause")


async def _pauses(address: str, pause_s: float, times: int) -> tuple[list[list[float]], list[float]]:
    following, first = [], []
    async with StationClient(address) as client:
        for _ in range(times):
            burst = []
            for _ in range(100):
                burst.append(await _answered_ms(client))
                await asyncio.sleep(0.02)
            following.append(burst)
            await asyncio.sleep(pause_s)
            first.append(await _answered_ms(client))
    return following, first


async def _answered_ms(client: StationClient) -> float:
    begun = time.monotonic()
    await client.trigger(wait=True)
    return (time.monotonic() - begun) * 1000
