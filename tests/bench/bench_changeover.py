"""Whether a change of recipe and model shows in the latency of the parts that go on meanwhile.

`make bench BENCH=changeover`, or `python tests/bench/bench_changeover.py [--changes N] [--per-s N] [--loaded]`. Parts
come at a takt; a reader over the unix socket notes when it hears each verdict, and one change is asked for after the
other: a new inspector process that loads, warms up and judges the golden parts, beside the one at work. Each change has
two quiet windows before it; how far these two are apart is the noise. It measures and asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench_model import DEMO, ballast_layers, make_project
from measuring import Figure, Report, busy_cores, machine, median, percentile, serving

from lineside.client.station_client import StationClient
from lineside.client.verdicts import VerdictReader

_SETTLES_S = 2.0
_RESAMPLES = 2000


@dataclass
class Run:
    """When each part was triggered (UTC ns) and how long until it was heard; windows by name, from and to (UTC ns)."""

    heard: list[tuple[int, float]] = field(default_factory=list)
    windows: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @contextlib.contextmanager
    def window(self, name: str) -> Iterator[None]:
        """Parts triggered while this is open are in the window."""
        begun = time.time_ns()
        yield
        self.windows.setdefault(name, []).append((begun, time.time_ns()))

    def latencies_ms(self, name: str) -> list[float]:
        return [ms for at, ms in self.heard if any(begun <= at < ended for begun, ended in self.windows[name])]


def with_two_recipes(folder: Path, layers: int, per_s: float) -> Path:
    """The measured project, the same recipe under another name, and the demo's golden parts."""
    station = make_project(folder, layers=layers, trigger=f'source = "takt"\ntakt_ms = {1000 / per_s}')
    recipes = folder / "models" / "recipes"
    recipe = (recipes / "demo-plate.toml").read_text()
    (recipes / "other.toml").write_text(recipe.replace('recipe_id = "demo-plate"', 'recipe_id = "other"'))
    shutil.copytree(DEMO.parents[1] / "calibration" / "golden", folder / "calibration" / "golden")
    return station


async def listen(reader: VerdictReader, run: Run) -> None:
    async for verdict in reader:
        run.heard.append((verdict.triggered_utc_ns, (time.time_ns() - verdict.triggered_utc_ns) / 1e6))


async def changed_again_and_again(address: str, changes: int, window_s: float) -> Run:
    run = Run()
    async with StationClient(address) as client, client.verdicts() as reader:
        listening = asyncio.create_task(listen(reader, run))
        await asyncio.sleep(_SETTLES_S)
        for number in range(changes):
            for quiet in ("quiet", "before"):
                with run.window(quiet):
                    await asyncio.sleep(window_s)
            with run.window("during"):
                await client.change_recipe(("other", "demo-plate")[number % 2], requested_by="the measurement")
            with run.window("after"):
                await asyncio.sleep(window_s)
        await asyncio.sleep(0.5)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return run


def noise_of_p99(quiet_ms: Sequence[float], count: int) -> tuple[float, float]:
    """Between which values the p99 of so many quiet parts lies, nine times out of ten, by drawing them anew."""
    chance = random.Random(1)
    drawn = [percentile(chance.choices(quiet_ms, k=count), 0.99) for _ in range(_RESAMPLES)]
    return percentile(drawn, 0.05), percentile(drawn, 0.95)


def show(report: Report, run: Run, title: str) -> None:
    quiet_ms = run.latencies_ms("quiet") + run.latencies_ms("before")
    figures, lines = [], []
    for name in run.windows:
        ms = run.latencies_ms(name)
        low, high = noise_of_p99(quiet_ms, len(ms))
        tail = {"p50": median(ms), "p90": percentile(ms, 0.9), "p99": percentile(ms, 0.99), "max": max(ms)}
        figures += [
            Figure(section="changeover", what=f"{title}, {name}, {what}", value=value, unit="ms")
            for what, value in tail.items()
        ]
        lines.append([name, str(len(ms)), *(f"{value:.1f}" for value in tail.values()), f"{low:.1f} to {high:.1f}"])
    took_s = median([(ended - begun) / 1e9 for begun, ended in run.windows["during"]])
    names = ["parts triggered", "parts", "p50", "p90", "p99", "max", "p99 of as many quiet parts"]
    changes = len(run.windows["during"])
    heading = f"Trigger to reader in ms, {title}; {changes} changes of {took_s:.2f} s each (p50)"
    report.add_lines("changeover", heading, names, lines, figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--changes", type=int, default=20, help="changes of recipe for each model")
    parser.add_argument("--per-s", type=float, default=20.0, help="parts a second")
    parser.add_argument("--window-s", type=float, default=1.0, help="each quiet window, and the one after a change")
    parser.add_argument("--models", default="0,15", help="ms that the model takes; 0: the demo's model")
    parser.add_argument("--loaded", action="store_true", help="beside two processes that want both cores")
    parser.add_argument("--json", type=Path, help="write all figures there too")
    asked = parser.parse_args()
    report, facts = Report(), machine()
    report.console.print(", ".join(f"{name} {value}" for name, value in facts.items()))
    for wanted_ms in map(float, asked.models.split(",")):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            layers = ballast_layers(wanted_ms) if wanted_ms else 0
            station = with_two_recipes(Path(folder), layers, asked.per_s)
            with serving(station) as process, busy_cores(2) if asked.loaded else contextlib.nullcontext():
                run = asyncio.run(changed_again_and_again(process.address, asked.changes, asked.window_s))
        model = f"model of {wanted_ms:g} ms" if wanted_ms else "demo model"
        show(report, run, f"{model}, {asked.per_s:g} parts/s{', both cores wanted by others' * asked.loaded}")
    if asked.json:
        report.write(asked.json, facts)


if __name__ == "__main__":
    main()
