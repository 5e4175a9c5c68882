"""Re-inspection against the ideal: python tests/bench/bench_reinspect.py [--quick] [--memory-images N].

1. Images per second of the engine `local`, against cores / (decoding + inference): loops that only decode the same
   files, and loops that only run the bare graph, on all cores at once, in turn with the engine.
2. Peak memory of all processes over 1,000 images and over N (100,000 are asked for with --memory-images 100000).
3. What ten million images take, from these figures.

What the engine `ray` costs beside it: bench_reinspect_ray.py.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import psutil
from bare_loop import frames_of
from bench_model import ballast_layers, make_project
from measuring import Figure, Report, machine, median
from reinspect_loops import Cost, Loops

from lineside.assemble import camera_config_classes, open_inspector
from lineside.cameras.simulated import SimulatedConfig
from lineside.config.station_file import read_station
from lineside.core.frame import Frame
from lineside.journal import image_format
from lineside.reinspect.candidate import candidate_of_station, lettered
from lineside.reinspect.drawing import Drawing
from lineside.reinspect.engine import Engine
from lineside.reinspect.judge import JudgeOrder
from lineside.reinspect.local import LocalEngine, cores
from lineside.reinspect.run import Job
from lineside.reinspect.run import reinspect as run_job
from lineside.reinspect.selection import Selection
from lineside.reinspect.sources.opening import open_source

INFERENCE_MS = (6.0, 12.0)
"""Models of these sizes: about the smallest that are in use, and what `lineside train` makes where nothing is said."""

PICTURES = 20
"""Different ones; the files of an archive are links to them."""

CORE_HOUR_PRICE = 0.04
GETS_PRICE_PER_MILLION = 0.40
"""In dollars: assumptions about a cloud, not measured; put in your own by --core-hour-price."""


def encoded(frames: Sequence[Frame]) -> Mapping[str, list[tuple[str, bytes]]]:
    """The frames as files of each format: (ending, content)."""
    return {
        "JPEG": [(".jpg", cv2.imencode(".jpg", frame.pixels)[1].tobytes()) for frame in frames],
        "PNG": [(".png", cv2.imencode(".png", frame.pixels)[1].tobytes()) for frame in frames],
        "archive": [(".png", image_format.encode(frame, {})) for frame in frames],
    }


def make_archive(folder: Path, files: Sequence[tuple[str, bytes]], count: int) -> None:
    """So many names for these files, a thousand in each folder."""
    originals = folder.with_name(f"{folder.name}-originals")
    originals.mkdir()
    for number, (ending, content) in enumerate(files):
        (originals / f"{number}{ending}").write_bytes(content)
    for number in range(count):
        ending = files[number % len(files)][0]
        place = folder / f"{number // 1000:04d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:07d}{ending}").hardlink_to(originals / f"{number % len(files)}{ending}")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast the engine went between its first rows and its last, so that its start does not count.

    When one worker has done its first chunk the others are about as far: their first chunks do not count either.
    """

    images_per_s: float
    start_s: float
    whole_s: float
    parent_cpu_ms: float
    """Of the parent process, for each image."""
    cpu_ms: float
    """Of the parent and of all processes that it has started, likewise."""
    bytes_per_row: float


class _Clock:
    """A run's watcher that notes when how much was done."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, int]] = []
        self.own_cpu_s: list[float] = []
        self.workers_cpu_s: list[float] = []
        self.begun_s = 0.0

    def planned(self, parts: int) -> None: ...

    def begun(self, parts: int, done: int) -> None:
        self.begun_s = time.perf_counter()

    def judged(self, parts: int, unreadable: int) -> None:
        assert not unreadable
        self.marks.append((time.perf_counter(), parts))
        self.own_cpu_s.append(time.process_time())
        self.workers_cpu_s.append(_cpu_of_descendants_s())

    def writing(self, what: str) -> None: ...

    def drawing(self, parts: int) -> None: ...

    def drawn(self, parts: int) -> None: ...


def pace(archive: Path, station: Path, out: Path, engine: Engine) -> Pace:
    """Runs the whole of a re-inspection in this process, its engine's workers beside it."""
    job = Job(
        command="bench",
        place=str(archive),
        engine=type(engine).__name__,
        workers=cores(),
        source=open_source(str(archive)),
        selection=Selection(),
        judge=JudgeOrder(candidates=lettered([candidate_of_station(station)]), open_inspector=open_inspector),
        drawing=Drawing(),
    )
    clock = _Clock()
    run_job(job, out, engine, clock)
    (first_s, _), (last_s, _) = clock.marks[0], clock.marks[-1]
    images = sum(parts for _, parts in clock.marks[min(cores(), len(clock.marks) - 1) :])
    return Pace(
        images_per_s=images / (last_s - first_s),
        start_s=first_s - clock.begun_s,
        whole_s=last_s - clock.begun_s,
        parent_cpu_ms=(own_s := clock.own_cpu_s[-1] - clock.own_cpu_s[0]) / images * 1e3,
        cpu_ms=(own_s + clock.workers_cpu_s[-1] - clock.workers_cpu_s[0]) / images * 1e3,
        bytes_per_row=(out / "rows.parquet").stat().st_size / sum(parts for _, parts in clock.marks),
    )


@dataclass(frozen=True, kw_only=True)
class Round:
    """The engine, and the ideal from loops just before and just after it: a shared machine is a third slower at times,
    for seconds or minutes, which then meets both.
    """

    decode: Cost
    infer: Cost
    real: Pace

    @property
    def ideal_per_s(self) -> float:
        return cores() / (self.decode.clock_ms + self.infer.clock_ms) * 1e3

    @property
    def ideal_cpu_ms(self) -> float:
        return self.decode.cpu_ms + self.infer.cpu_ms


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The engine beside the ideal, for one format."""

    format: str
    file_bytes: float
    rounds: Sequence[Round]

    def middle(self, of: Callable[[Round], float]) -> float:
        """The median over the rounds."""
        return median([of(each) for each in self.rounds])

    def ratio(self, of: Callable[[Round], float], what: str) -> tuple[float, str]:
        """The median of the rounds' ratios, and all that they were, as words."""
        ratios = sorted(of(each) for each in self.rounds)
        return median(ratios), f"{what} of {len(ratios)} rounds: {ratios[0]:.3f} to {ratios[-1]:.3f}"


def speeds(folder: Path, station: Path, rounds: int, count: int, loop_s: float) -> Iterator[Speed]:
    """Ideal and engine in turn."""
    config = read_station(station, camera_config_classes=camera_config_classes()).camera_configs["face"]
    assert isinstance(config, SimulatedConfig)
    for name, files in encoded(frames_of(config)[:PICTURES]).items():
        archive = folder / name
        make_archive(archive, files, count)
        with Loops(cores(), sorted(archive.rglob("*.*"))[:PICTURES], station.parents[2] / "models/measured") as loops:
            measured = []
            for number in range(rounds):
                before = loops.decode(loop_s), loops.infer(loop_s)
                real = pace(archive, station, folder / f"out-{name}-{number}", LocalEngine())
                after = loops.infer(loop_s), loops.decode(loop_s)
                decode, infer = before[0].mean(after[1]), before[1].mean(after[0])
                measured.append(Round(decode=decode, infer=infer, real=real))
        yield Speed(format=name, file_bytes=sum(len(content) for _, content in files) / len(files), rounds=measured)


def report_speeds(report: Report, measured: Sequence[Speed], inference_ms: float) -> None:
    rows = []
    for each in measured:
        decode_ms, infer_ms = each.middle(lambda it: it.decode.clock_ms), each.middle(lambda it: it.infer.clock_ms)
        ratio, told = each.ratio(lambda it: it.real.images_per_s / it.ideal_per_s, "median")
        rows.append(
            Figure(
                section="1",
                what=f"{each.format}, {each.file_bytes / 1e3:.0f} kB a file: local",
                value=each.middle(lambda it: it.real.images_per_s),
                unit="images/s",
                beside=f"{cores()} cores / ({decode_ms:.2f} ms decode + {infer_ms:.2f} ms inference)",
                beside_value=each.middle(lambda it: it.ideal_per_s),
                ratio=ratio,
                note=told,
            )
        )
    for each in measured:
        ratio, told = each.ratio(lambda it: it.ideal_cpu_ms / it.real.cpu_ms, "ideal / real, median")
        parent_ms = each.middle(lambda it: it.real.parent_cpu_ms)
        rows.append(
            Figure(
                section="1",
                what=f"{each.format}: CPU time of parent and workers",
                value=each.middle(lambda it: it.real.cpu_ms),
                unit="ms an image",
                beside="decode + inference",
                beside_value=each.middle(lambda it: it.ideal_cpu_ms),
                ratio=ratio,
                note=f"{told}; {parent_ms:.2f} ms of the parent",
            )
        )
    report.add("1", rows, f"The engine local against the ideal, 640x480 Mono8, a model of about {inference_ms:g} ms")


def peak_memory(folder: Path, station: Path, archive: Path, name: str) -> dict[str, float]:
    """Peak resident MiB of the parent and of its largest worker, of a run of the command."""
    words = ["reinspect", str(archive), "-o", str(folder / f"memory-{name}"), "--station", str(station)]
    process = subprocess.Popen([sys.executable, "-m", "lineside", *words], stdout=subprocess.DEVNULL)
    peaks = {"parent": 0.0, "worker": 0.0}
    while process.poll() is None:
        for pid in (process.pid, *_children(process.pid)):
            role = "parent" if pid == process.pid else "worker"
            peaks[role] = max(peaks[role], _peak_mib(pid))
        time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"lineside {' '.join(words)} ended with {process.returncode}")
    return peaks


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _cpu_of_descendants_s() -> float:
    """User and system time of all processes below this one that are there now."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _peak_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def report_memory(report: Report, folder: Path, station: Path, images: int) -> None:
    few, many = folder / "few", folder / "many"
    files = [(".jpg", cv2.imencode(".jpg", cv2.imread(str(path), cv2.IMREAD_UNCHANGED))[1].tobytes())
             for path in sorted((folder / "JPEG-originals").iterdir())]  # fmt: skip
    make_archive(few, files, 1000)
    make_archive(many, files, images)
    base = peak_memory(folder, station, few, "few")
    long = peak_memory(folder, station, many, "many")
    rows = [
        Figure(
            section="2",
            what=f"{role}, {images:,} images",
            value=long[role],
            unit="MiB",
            beside="1,000 images",
            beside_value=base[role],
            ratio=long[role] / base[role],
        )
        for role in ("parent", "worker")
    ]
    report.add("2", rows, "Peak resident memory of a run")


def report_ten_million(report: Report, measured: Sequence[Speed], price: float, hours: float, node_cores: int) -> None:
    """What 10 million images take, were every one like those measured and every core like these."""
    names = ["10 million images", *(each.format for each in measured)]

    def row(what: str, value: Mapping[str, float], digits: int = 0) -> list[str]:
        return [what, *(f"{value[each.format]:,.{digits}f}" for each in measured)]

    core_s = {each.format: cores() / each.middle(lambda it: it.real.images_per_s) for each in measured}
    core_hours = {name: seconds * 1e6 / 3600 for name, seconds in core_s.items()}
    rate = 1e7 / (hours * 3600)
    nodes = {name: math.ceil(rate * seconds / node_cores) for name, seconds in core_s.items()}
    reads = {each.format: rate * each.file_bytes / 1e6 for each in measured}
    gets = 10 * GETS_PRICE_PER_MILLION
    row_bytes = {each.format: each.middle(lambda it: it.real.bytes_per_row) for each in measured}
    parent = {each.format: 1e3 / each.middle(lambda it: it.real.parent_cpu_ms) for each in measured}
    lines = [
        row("core hours a million", core_hours, 1),
        row(f"$ a million at {price} $ a core hour (assumed)", {n: h * price for n, h in core_hours.items()}, 2),
        row(f"nodes of {node_cores} cores for {hours:g} h", nodes),
        row(f"images/s for {hours:g} h", dict.fromkeys(core_s, rate)),
        row("read from the storage, MB/s", reads),
        row("read from the storage, TB", {each.format: each.file_bytes * 1e7 / 1e12 for each in measured}, 2),
        row(f"$ for GETs at {GETS_PRICE_PER_MILLION} $ a million (assumed)", dict.fromkeys(core_s, gets)),
        row("rows.parquet, GB", {name: count * 1e7 / 1e9 for name, count in row_bytes.items()}, 1),
        row("one parent's core is full at images/s", parent),
        row("... which is so many cores of workers", {name: parent[name] * core_s[name] for name in parent}),
    ]  # fmt: skip
    figures = [
        Figure(section="3", what=line[0], value=float(cell.replace(",", "")), unit=each.format)
        for line in lines
        for each, cell in zip(measured, line[1:], strict=True)
    ]
    report.add_lines("3", "Ten million images, from the figures above", names, lines, figures)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help="one round over few images")
    words.add_argument("--images", type=int, default=1500, help="of each format, in each round")
    words.add_argument("--rounds", type=int, default=9)
    words.add_argument("--memory-images", type=int, default=5000)
    words.add_argument("--inference-ms", type=float, nargs="+", default=INFERENCE_MS, help="the plan is of the last")
    words.add_argument("--core-hour-price", type=float, default=CORE_HOUR_PRICE)
    words.add_argument("--hours", type=float, default=8.0)
    words.add_argument("--node-cores", type=int, default=16)
    words.add_argument("--json", type=Path, default=None, help="write the figures there too")
    asked = words.parse_args()
    rounds, count, loop_s = (1, 600, 2.0) if asked.quick else (asked.rounds, asked.images, 1.5)
    report = Report()
    facts = machine()
    print(json.dumps(facts))
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        for inference_ms in asked.inference_ms:
            place = folder / f"{inference_ms:g}"
            station = make_project(place / "project", layers=ballast_layers(inference_ms))
            measured = list(speeds(place, station, rounds, count, loop_s))
            report_speeds(report, measured, inference_ms)
        report_memory(report, place, station, asked.memory_images)
        report_ten_million(report, measured, asked.core_hour_price, asked.hours, asked.node_cores)
    if asked.json:
        report.write(asked.json, facts)


if __name__ == "__main__":
    main()
