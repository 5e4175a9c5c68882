"""What the whole station does on this machine, each figure with its limit or a peer measured in the same run.

`make bench`, or `python tests/bench/bench_station.py [--quick] [--long] [--only abcde] [--json FILE]`. It measures and
asserts nothing. Leave the machine alone while it runs: the load before it began is in the heading.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from measuring import Report, machine
from station_throughput import cost_per_part, throughput


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less than 2 minutes, rougher figures")
    parser.add_argument("--long", action="store_true", help="200,000 parts for memory")
    parser.add_argument("--only", default="abcde", help="sections, such as ac")
    parser.add_argument("--json", type=Path, help="write all figures there too")
    asked = parser.parse_args()
    quick, begun = asked.quick, time.monotonic()
    report, facts = Report(), machine()
    report.console.print(", ".join(f"{name} {value}" for name, value in facts.items()))
    sections = {
        "a": lambda: throughput(report, seconds=1.0 if quick else 4.0, rounds=1 if quick else 3),
        "b": lambda: cost_per_part(report, parts=1000 if quick else 4000, profile_lines=15 if quick else 25),
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
