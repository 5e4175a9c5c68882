"""The limits: the graph alone in a loop, or the inspector alone, in a process of its own.

Run by the measurements as `python bare_loop.py PROJECT SECONDS graph|inspector`: says "ready", waits for a line, runs
for so long over the frames that the station's camera shows, and says how many there were and how long it took.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench_model import open_bare

from lineside.assemble import camera_config_classes
from lineside.cameras.simulated import SimulatedCamera, SimulatedConfig
from lineside.config.recipe_file import read_recipe
from lineside.config.station_file import read_station
from lineside.core.frame import Frame
from lineside.detectors.onnx_detector import open_detector
from lineside.detectors.package import load_package
from lineside.detectors.preparation import Preparation
from lineside.inspector import Inspector


def frames_of(config: SimulatedConfig) -> list[Frame]:
    camera = SimulatedCamera("face", config)
    camera.connect()
    frames = [camera.wait(1000) for _ in range(config.prerendered)]
    return [frame for frame in frames if isinstance(frame, Frame)]


def main() -> None:
    project, seconds, what = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    files = read_station(project / "calibration/stations/measured.toml", camera_config_classes=camera_config_classes())
    config = files.camera_configs["face"]
    assert isinstance(config, SimulatedConfig)
    frames = frames_of(config)
    package = load_package(files.package_folder("measured"))
    once: list[Callable[[], object]] = []
    if what == "graph":
        session, preparation = open_bare(package.graph_path), Preparation(package.manifest.input)
        for frame in frames:
            tensor = preparation.prepare(frame.pixels)[0].copy()
            once.append(lambda tensor=tensor: session.run(None, {"frame": tensor}))
    else:
        inspector = Inspector(read_recipe(files.recipe_path), files.calibration, {"face": open_detector(package)})
        once += [lambda frame=frame: inspector.judge({"face": frame}) for frame in frames]
    for run in once:
        run()
    print("ready", flush=True)
    sys.stdin.readline()
    begun, count = time.perf_counter(), 0
    for run in itertools.cycle(once):
        run()
        count += 1
        if time.perf_counter() - begun >= seconds:
            break
    print(count, time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main()
