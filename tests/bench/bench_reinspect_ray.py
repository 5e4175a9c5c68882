"""What Ray costs on one machine: python tests/bench/bench_reinspect_ray.py [--images N] [--inference-ms MS].

The engines `local` and `ray`, in turn, over the same files with the same model: images per second between the first
rows and the last, time to the first rows, and memory of the driver, of the workers and of Ray's own processes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from bare_loop import frames_of
from bench_model import ballast_layers, make_project
from bench_reinspect import INFERENCE_MS, PICTURES, Pace, encoded, make_archive, pace
from measuring import Figure, Report, machine, median

from lineside.assemble import camera_config_classes
from lineside.cameras.simulated import SimulatedConfig
from lineside.config.station_file import read_station
from lineside.reinspect.engine import Engine
from lineside.reinspect.local import LocalEngine, cores
from lineside.reinspect.ray import RayEngine

_LOOK_S = 0.5


class Memory:
    """The largest proportional share (PSS) seen of this process, of workers, and of all else that Ray has started."""

    def __init__(self) -> None:
        self.peaks_mib = {"driver": 0.0, "workers": 0.0, "Ray's own": 0.0}

    @contextmanager
    def watched(self) -> Iterator[None]:
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(over,))
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _watch(self, over: threading.Event) -> None:
        this = psutil.Process()
        while not over.wait(_LOOK_S):
            sums = dict.fromkeys(self.peaks_mib, 0.0)
            for process in (this, *this.children(recursive=True)):
                try:
                    sums[_role(process, this)] += process.memory_full_info().pss / 2**20
                except psutil.Error:
                    continue  # it has just ended
            self.peaks_mib = {role: max(peak, sums[role]) for role, peak in self.peaks_mib.items()}


def _role(process: psutil.Process, driver: psutil.Process) -> str:
    if process == driver:
        return "driver"
    words = " ".join(process.cmdline())
    return "workers" if "MapWorker" in words or "lineside.supervise" in words else "Ray's own"


def measured(archive: Path, station: Path, out: Path, engine: Engine) -> tuple[Pace, Memory]:
    memory = Memory()
    with memory.watched():
        return pace(archive, station, out, engine), memory


def report_engines(report: Report, folder: Path, archive: Path, station: Path, rounds: int) -> None:
    engines: dict[str, Engine] = {"local": LocalEngine(), "ray": RayEngine(workers=cores())}
    runs: dict[str, list[tuple[Pace, Memory]]] = {name: [] for name in engines}
    for number in range(rounds):
        for name, engine in engines.items():
            runs[name].append(measured(archive, station, folder / f"out-{name}-{number}", engine))
    figures = []
    for what, unit, of in (
        ("images between the first rows and the last", "images/s", lambda run: run[0].images_per_s),
        ("CPU time of all processes, between the same", "ms an image", lambda run: run[0].cpu_ms),
        ("CPU time of the driver, likewise", "ms an image", lambda run: run[0].parent_cpu_ms),
        ("time to the first rows", "s", lambda run: run[0].start_s),
        ("memory of the driver", "MiB", lambda run: run[1].peaks_mib["driver"]),
        ("memory of the workers", "MiB", lambda run: run[1].peaks_mib["workers"]),
        ("memory of Ray's own processes", "MiB", lambda run: run[1].peaks_mib["Ray's own"]),
    ):
        local, ray = (median([of(run) for run in runs[name]]) for name in engines)
        figures.append(
            Figure(
                section="1",
                what=f"ray: {what}",
                value=ray,
                unit=unit,
                beside="local",
                beside_value=local,
                ratio=ray / local if local else None,
            )
        )
    report.add("1", figures, f"The engine ray beside local, {cores()} workers each, on this machine")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--images", type=int, default=3000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--inference-ms", type=float, default=INFERENCE_MS[-1])
    asked = words.parse_args()
    print(json.dumps(machine()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        station = make_project(folder / "project", layers=ballast_layers(asked.inference_ms))
        config = read_station(station, camera_config_classes=camera_config_classes()).camera_configs["face"]
        assert isinstance(config, SimulatedConfig)
        archive = folder / "archive"
        make_archive(archive, encoded(frames_of(config)[:PICTURES])["JPEG"], asked.images)
        report_engines(Report(), folder, archive, station, asked.rounds)


if __name__ == "__main__":
    main()
