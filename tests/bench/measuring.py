"""What the measurements share: figures and their table, a station as a process, and what its processes use."""

from __future__ import annotations

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lineside.wire.v1 import inspection_pb2 as pb

__all__ = [
    "BenchStation",
    "Figure",
    "Report",
    "Use",
    "busy_cores",
    "machine",
    "median",
    "percentile",
    "serving",
    "slope",
    "thread_cpu_ns",
    "verdicts_of",
]

_START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure; `beside` is the limit or peer that was measured in the same run."""

    section: str
    what: str
    value: float | None
    unit: str
    beside: str = ""
    beside_value: float | None = None
    ratio: float | None = None
    note: str = ""


@dataclass
class Report:
    """All figures of one run, printed as they come."""

    figures: list[Figure] = field(default_factory=list)
    console: Console = field(default_factory=lambda: Console(width=max(150, Console().width)))

    def add(self, section: str, rows: Sequence[Figure], title: str) -> None:
        """Prints one section's table and keeps its figures."""
        table = Table(title=f"{section}. {title}", title_justify="left", title_style="bold", min_width=140)
        for name, justify in (("measured", "left"), ("figure", "right"), ("limit or peer, same run", "left"),
                              ("its figure", "right"), ("ratio", "right"), ("", "left")):  # fmt: skip
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        for row in rows:
            ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
            table.add_row(row.what, _told(row.value, row.unit), row.beside, _told(row.beside_value, row.unit), ratio,
                          row.note)  # fmt: skip
        self.figures += rows
        self.console.print(table)

    def add_lines(
        self, section: str, title: str, names: Sequence[str], lines: Sequence[Sequence[str]], figures: Sequence[Figure]
    ) -> None:
        """Prints a table with columns of its own and keeps its figures."""
        table = Table(title=f"{section}. {title}", title_justify="left", title_style="bold", min_width=140)
        for index, name in enumerate(names):
            table.add_column(name, justify="right" if index else "left")
        for line in lines:
            table.add_row(*line)
        self.figures += figures
        self.console.print(table)

    def write(self, path: Path, facts: dict[str, object]) -> None:
        """The figures as JSON, with the facts of the machine and the run."""
        path.write_text(json.dumps({**facts, "figures": [asdict(figure) for figure in self.figures]}, indent=1))


def _told(value: float | None, unit: str) -> str:
    if value is None or math.isnan(value):
        return ""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 0.1 else 3
    return f"{value:,.{digits}f} {unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of all values does not exceed (nearest rank); NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else math.nan


def median(values: Sequence[float]) -> float:
    return percentile(values, 0.5)


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least-squares slope of y over x, and its standard error from the scatter of four blocks' own slopes.

    Samples of memory hang together in time, so the textbook error of a straight line would be far too small.
    """

    def fitted(part: Sequence[tuple[float, float]]) -> float:
        mean_x, mean_y = (sum(p[axis] for p in part) / len(part) for axis in (0, 1))
        spread = sum((x - mean_x) ** 2 for x, _ in part)
        return sum((x - mean_x) * (y - mean_y) for x, y in part) / spread if spread else 0.0

    size = len(points) // 4
    if size < 3:
        return fitted(points), math.nan
    blocks = [fitted(points[start : start + size]) for start in range(0, 4 * size, size)]
    mean = sum(blocks) / 4
    return fitted(points), math.sqrt(sum((each - mean) ** 2 for each in blocks) / 3) / 2


def machine() -> dict[str, object]:
    """The machine and how busy others keep it, for whoever reads the figures."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown",
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
        "load_1min": os.getloadavg()[0],
        "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@dataclass(frozen=True)
class Use:
    """What one process uses at one moment."""

    pid: int
    cpu_ns: int
    rss_kib: int
    shared_kib: int
    fds: int

    @classmethod
    def of(cls, pid: int) -> Use:
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        return cls(
            pid=pid,
            cpu_ns=sum(thread_cpu_ns(pid).values()),
            rss_kib=int(fields["VmRSS"].split()[0]),
            shared_kib=int(fields["RssShmem"].split()[0]),
            fds=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        )


def thread_cpu_ns(pid: int) -> dict[int, int]:
    """Time on a processor for each living thread; the main thread's id is `pid`."""
    return {
        int(task.name): int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()
    }


class BenchStation:
    """`lineside run` as a process; with `profile`, under cProfile, which writes there when the station ends."""

    def __init__(self, station: Path, *options: str, profile: Path | None = None) -> None:
        self.project = station.parents[2]
        self.address = f"unix://{self.project / 's.sock'}"
        self._log_path = self.project / "station.log"
        before = ["-m", "cProfile", "-o", str(profile)] if profile else []
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *before, "-m", "lineside", "run", str(station), *options], stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def tcp_address(self) -> str:
        """The address of its TCP port."""
        line = next(line for line in self.log().splitlines() if " serves on " in line)
        return line.rpartition(" serves on ")[2].split(", ")[0]

    def children(self) -> dict[str, int]:
        """Its processes by name, itself first."""
        named = {"station": self.pid}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().strip("\0").split("\0")
                named[words[-1]] = int(child)
        return named

    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def wait_until_serving(self) -> None:
        deadline = time.monotonic() + _START_S
        while " serves on " not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the station did not start:\n{self.log()}")
            time.sleep(0.02)

    def end(self) -> None:
        """Ends it in order, if it has not ended by itself."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60):
            raise RuntimeError(f"the station ended with {self.process.returncode}:\n{self.log()}")


@contextmanager
def serving(station: Path, *options: str, profile: Path | None = None) -> Iterator[BenchStation]:
    """A station that serves, ended afterwards."""
    process = BenchStation(station, *options, profile=profile)
    try:
        process.wait_until_serving()
        yield process
    finally:
        process.end()


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Others that want all of so many cores, at the same priority as the station."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def verdicts_of(project: Path) -> list[pb.Verdict]:
    """All verdicts in the journal of a station that has ended, in order."""
    connection = sqlite3.connect(f"file:{project / 'var' / 'journal.sqlite'}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT payload FROM verdicts ORDER BY sequence").fetchall()
    finally:
        connection.close()
    return [pb.Verdict.FromString(payload) for (payload,) in rows]
