"""Whether anything grows: memory, file descriptors, shared memory and latency over thousands of parts."""

from __future__ import annotations

import asyncio
import math
import tempfile
from pathlib import Path

from bench_model import make_project
from measuring import Figure, Report, Use, percentile, serving, slope, verdicts_of

from lineside.client.station_client import StationClient

__all__ = ["growth"]

SETTLED_SHARE = 0.3
"""The feed keeps 4,096 verdicts and a program fills its pools: growth is sought in what comes after this share."""


def growth(report: Report, *, parts: int) -> None:
    """The demo model as fast as parts are read; a straight line is laid through each process's figures."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        project = Path(folder)
        station = make_project(project, layers=0)
        samples = asyncio.run(_sampled(station, parts))
        decided_ms = [verdict.latency.decide_ns / 1e6 for verdict in verdicts_of(project)]
    rows = []
    for name in samples[0][1]:
        early, late = (_at(samples, name, share * parts) for share in (0.1, 1.0))
        settled = [(float(done), float(uses[name].rss_kib)) for done, uses in samples if done >= SETTLED_SHARE * parts]
        per_part, error = slope(settled)
        told = "too few samples to tell" if math.isnan(error) else "flat"
        if per_part > 0.01 and per_part > 3 * error:
            told = "GROWS"
        per_100k = 100_000 / 1024
        rows.append(
            Figure(
                section="e",
                what=f"{name}: resident memory after {parts} parts",
                value=late.rss_kib / 1024,
                unit="MiB",
                beside=f"after {parts // 10}",
                beside_value=early.rss_kib / 1024,
                ratio=late.rss_kib / early.rss_kib,
                note=f"{told}: {per_part * per_100k:+.1f} ± {error * per_100k:.1f} MiB per 100,000 parts; shared "
                f"{early.shared_kib // 1024} to {late.shared_kib // 1024} MiB; descriptors {early.fds} to {late.fds}",
            )
        )
    tenth = max(1, len(decided_ms) // 10)
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        early_ms, late_ms = (percentile(part, share) for part in (decided_ms[tenth : 2 * tenth], decided_ms[-tenth:]))
        rows.append(
            Figure(
                section="e",
                what=f"trigger to verdict, {name}, last tenth of the parts",
                value=late_ms,
                unit="ms",
                beside="second tenth",
                beside_value=early_ms,
                ratio=late_ms / early_ms,
            )
        )
    report.add("e", rows, f"{parts} parts of the demo model as fast as they are read")


def _at(samples: list[tuple[int, dict[str, Use]]], name: str, parts: float) -> Use:
    """The sample nearest to so many parts."""
    return min(samples, key=lambda sample: abs(sample[0] - parts))[1][name]


async def _sampled(station: Path, parts: int) -> list[tuple[int, dict[str, Use]]]:
    samples: list[tuple[int, dict[str, Use]]] = []
    with serving(station, "--count", str(parts)) as process:
        children = process.children()
        async with StationClient(process.address) as client:
            done = 0
            while done < parts:
                await asyncio.sleep(0.5)
                done = (await client.status()).last_sequence
                samples.append((done, {name: Use.of(pid) for name, pid in children.items()}))
    return samples
