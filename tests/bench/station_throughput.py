"""How much of the machine's bare inference the station keeps, and what one part costs beside it."""

from __future__ import annotations

import asyncio
import pstats
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench_model import ballast_layers, make_project
from measuring import Figure, Report, Use, median, serving, thread_cpu_ns, verdicts_of

from lineside.client.station_client import StationClient

__all__ = ["cost_per_part", "throughput", "two_cameras"]

WARM_PARTS = 100


def _bare_per_s(project: Path, seconds: float, what: str, processes: int) -> float:
    """Frames a second of the bare loop, in so many processes at once."""
    command = [sys.executable, str(Path(__file__).with_name("bare_loop.py")), str(project), str(seconds), what]
    loops = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for loop in loops:
        assert loop.stdout is not None and loop.stdout.readline() == "ready\n", "the bare loop did not start"
    for loop in loops:
        assert loop.stdin is not None
        loop.stdin.write("go\n")
        loop.stdin.flush()
    per_s = 0.0
    for loop in loops:
        count, took_s = loop.communicate()[0].split()
        per_s += int(count) / float(took_s)
    return per_s


def _station_per_s(project: Path, parts: int) -> float:
    """Verdicts a second of the whole station, from its journal, without the first ones."""
    station = project / "calibration" / "stations" / "measured.toml"
    with serving(station, "--count", str(parts), "--until-end") as process:
        process.process.wait()
    verdicts = verdicts_of(project)[-parts:]
    first, last = verdicts[WARM_PARTS], verdicts[-1]
    return (last.sequence - first.sequence) / ((last.decided_utc_ns - first.decided_utc_ns) / 1e9)


def throughput(report: Report, *, seconds: float, rounds: int) -> None:
    """The whole station over the bare loop, as fast as parts are read: one worker, then two on two cores."""
    models = {"demo": 0} | {f"{ms} ms": ballast_layers(ms) for ms in (5, 15, 50)}
    for workers in (1, 2):
        rows = []
        for name, layers in models.items():
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                project = Path(folder)
                make_project(project, layers=layers, workers=workers)
                rows += _rows(name, project, workers, seconds, rounds)
        title = f"Throughput with {workers} inspector {'process' if workers == 1 else 'processes'}, no reader"
        report.add("a", rows, title)


def two_cameras(report: Report, *, seconds: float, rounds: int) -> None:
    """Two views of each part, two workers, two cores: the limit is the graph alone, in two processes, twice a part."""
    rows = []
    for name, layers in {"demo": 0, "5 ms": ballast_layers(5), "15 ms": ballast_layers(15)}.items():
        bare, station = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                make_project(Path(folder), layers=layers, workers=2, cameras=("face", "back"))
                bare.append(_bare_per_s(Path(folder), seconds, "graph", 2) / 2)
                station.append(_station_per_s(Path(folder), WARM_PARTS + max(100, int(bare[-1] * seconds))))
        ratios = [ours / limit for ours, limit in zip(station, bare, strict=True)]
        rows.append(
            Figure(
                section="a",
                what=f"station, {name} model, 2 cameras, 2 workers",
                value=median(station),
                unit="parts/s",
                beside="graph alone, two views a part",
                beside_value=median(bare),
                ratio=median(ratios),
                note=f"{min(ratios):.3f} to {max(ratios):.3f} in {rounds} rounds",
            )
        )
    report.add("a", rows, "Throughput with two cameras and two inspector processes, no reader")


def _rows(name: str, project: Path, workers: int, seconds: float, rounds: int) -> list[Figure]:
    bare, inspector, station = [], [], []
    for _ in range(rounds):  # in turns, so that what else the machine does strikes all three
        bare.append(_bare_per_s(project, seconds, "graph", workers))
        inspector.append(_bare_per_s(project, seconds, "inspector", workers))
        station.append(_station_per_s(project, WARM_PARTS + max(100, int(bare[-1] * seconds))))
    ratios = [ours / limit for ours, limit in zip(station, bare, strict=True)]
    apart = f"{min(ratios):.3f} to {max(ratios):.3f} in {rounds} rounds; one run {workers * 1000 / median(bare):.2f} ms"
    return [
        Figure(
            section="a",
            what=f"station, {name} model, {workers} worker{'s' * (workers > 1)}",
            value=median(station),
            unit="parts/s",
            beside=beside,
            beside_value=median(limits),
            ratio=median([ours / limit for ours, limit in zip(station, limits, strict=True)]),
            note=note,
        )
        for beside, limits, note in (
            ("graph alone", bare, apart),
            ("prepare, run, decode, judge alone", inspector, ""),
        )
    ]


@dataclass(frozen=True)
class _Spent:
    """Time on a processor between two moments, per part."""

    us: dict[str, float]
    parts: int
    project: Path


def cost_per_part(report: Report, *, parts: int, profile_lines: int) -> None:
    """What a part of the smallest model costs, by process, beside the run of the graph."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        project = Path(folder)
        make_project(project, layers=0)
        graph_us = 1e6 / _bare_per_s(project, 3.0, "graph", 1)
        inspector_us = 1e6 / _bare_per_s(project, 3.0, "inspector", 1)
        spent = asyncio.run(_spent(project, parts))
        latencies = [verdict.latency for verdict in verdicts_of(project)[WARM_PARTS:]]
    rows = [Figure(section="b", what="run of the graph alone", value=graph_us, unit="us")]
    rows.append(
        Figure(
            section="b",
            what="prepare + decode + judge, in the bare inspector",
            value=inspector_us - graph_us,
            unit="us",
            note="beside the graph, without any station",
        )
    )
    for name, value in spent.us.items():
        rows.append(Figure(section="b", what=f"CPU of {name}", value=value, unit="us"))
    beside = sum(spent.us.values()) - graph_us
    rows.append(Figure(section="b", what="CPU of all processes less the graph", value=beside, unit="us"))
    wall = median([latency.inspect_ns / 1e3 for latency in latencies])
    rows.append(
        Figure(section="b", what="inspector's wall time, p50", value=wall, unit="us", note="from its job to its answer")
    )
    report.add("b", rows, f"Cost per part, demo model, {spent.parts} parts as fast as they are read")
    _profile(report, parts, profile_lines)


async def _spent(project: Path, parts: int) -> _Spent:
    with serving(project / "calibration" / "stations" / "measured.toml", "--count", str(WARM_PARTS + parts)) as process:
        children = process.children()
        async with StationClient(process.address) as client:
            first, before = await _at(client, process.pid, children, WARM_PARTS)
            last, after = await _at(client, process.pid, children, WARM_PARTS + parts - 50)
    done = last - first
    return _Spent(us={name: (after[name] - before[name]) / done / 1e3 for name in after}, parts=done, project=project)


async def _at(client: StationClient, pid: int, children: dict[str, int], parts: int) -> tuple[int, dict[str, int]]:
    """Once so many parts are done: how many, and what each process has spent."""
    while True:
        done = (await client.status()).last_sequence
        if done >= parts:
            break
        await asyncio.sleep(0.1)
    threads = thread_cpu_ns(pid)
    spent = {"the station's event loop": threads.pop(pid), "the station's other threads": sum(threads.values())}
    for name, child in children.items():
        if child != pid:
            spent[f"{name} process"] = Use.of(child).cpu_ns
    return done, spent


def _profile(report: Report, parts: int, lines: int) -> None:
    """Where the event loop's time goes, by cProfile, which makes everything slower: read the shares, not the times."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        project = Path(folder)
        station, profile = make_project(project, layers=0), project / "station.prof"
        with serving(station, "--count", str(WARM_PARTS + parts), "--until-end", profile=profile) as process:
            process.process.wait(120)
        stats = pstats.Stats(str(profile))
    own = []
    for (file, line, name), (_, calls, own_s, all_s, _) in stats.stats.items():  # type: ignore[attr-defined]
        if "epoll" not in name and 0.3 * parts <= calls:
            place = file.rpartition("site-packages/")[2].rpartition("inspect/")[2]
            own.append((own_s * 1e6 / parts, all_s * 1e6 / parts, calls / parts, f"{name} ({place}:{line})"))
    own.sort(reverse=True)
    rows = [
        Figure(
            section="b",
            what=name[:78],
            value=us,
            unit="us",
            note=f"{with_calls:.0f} us with what it calls; {calls:.1f} calls",
        )
        for us, with_calls, calls, name in own[:lines]
    ]
    report.add("b", rows, "The station's event loop under cProfile, per part: own time, largest first")
