"""What the whole station does on this machine, each figure with its limit or a peer measured in the same run.

`make bench`, or `python tests/bench/bench_station.py [--quick] [--long] [--only abcde] [--json FILE]`. It measures and
asserts nothing. Leave the machine alone while it runs: the load before it began is in the heading.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import structlog
from measuring import Report, machine
from station_feed import feed, journal
from station_latency import after_a_pause, latency
from station_memory import growth
from station_throughput import cost_per_part, throughput, two_cameras


def _latencies(report: Report, *, quick: bool) -> None:
    latency(report, seconds_at={10: 3.0, 50: 3.0} if quick else {1: 10.0, 10: 15.0, 50: 20.0})
    after_a_pause(report, pause_s=3.0 if quick else 30.0, times=1 if quick else 2)


def _throughputs(report: Report, *, quick: bool) -> None:
    seconds, rounds = (1.0, 1) if quick else (3.0, 2)
    throughput(report, seconds=seconds, rounds=rounds)
    two_cameras(report, seconds=seconds, rounds=rounds)


def _records(report: Report, *, quick: bool) -> None:
    journal(report, rates=(1000,) if quick else (100, 1000), count=4_000 if quick else 40_000)
    readers = (1, 32) if quick else (1, 8, 32)
    feed(report, readers=readers, rates=(100, 1000), seconds=1.5 if quick else 5.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less than 2 minutes, rougher figures")
    parser.add_argument("--long", action="store_true", help="200,000 parts for memory")
    parser.add_argument("--only", default="abcde", help="sections, such as ac")
    parser.add_argument("--json", type=Path, help="write all figures there too")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    quick, begun = asked.quick, time.monotonic()
    report, facts = Report(), machine()
    report.console.print(", ".join(f"{name} {value}" for name, value in facts.items()))
    sections = {
        "a": lambda: _throughputs(report, quick=quick),
        "b": lambda: cost_per_part(report, parts=1000 if quick else 4000, profile_lines=15 if quick else 25),
        "c": lambda: _latencies(report, quick=quick),
        "d": lambda: _records(report, quick=quick),
        "e": lambda: growth(report, parts=200_000 if asked.long else 2_000 if quick else 20_000),
    }
    for name, measure in sections.items():
        if name in asked.only:
            since = time.monotonic()
            measure()
            report.console.print(f"section {name}: {time.monotonic() - since:.0f} s\n")
    report.console.print(f"{time.monotonic() - begun:.0f} s in all")
    if asked.json:
        report.write(asked.json, facts)


if __name__ == "__main__":
    main()
