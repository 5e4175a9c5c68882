"""The full fault campaign: every fault again and again at seeded random moments, with real processes, and a table.

`make faults` runs it; `ARGS="--tries 20 --seed 7 --only clock"` makes it shorter, another one, or a part of it. Exit
code 1 when a promise was broken, and then the folder of that try stays where the table says.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

import line_faults
import test_changeover
import test_fault_archive
import test_fault_clock
import test_fault_disk
import test_fault_genicam
import test_fault_kill
import test_fault_memory
import test_fault_readers
import test_fault_triggers
import test_station_faults
import test_station_stop
from listener import violations

from lineside.sim.faults import FaultKind

OTHERS_SHARE = 100
"""Of the other faults there is one try for so many kills."""

Try = Callable[[Path, random.Random], Any]
"""One try in a folder of its own: a coroutine or the number of parts judged. Raises: AssertionError."""


@dataclass(kw_only=True, slots=True)
class Row:
    """One line of the table."""

    fault: str
    tries: int = 0
    parts: int = 0
    took_s: float = 0.0
    violations: list[str] = field(default_factory=list)
    skipped: str = ""


def scenarios() -> dict[str, Try]:
    """Every fault but the kill campaign, by what it is."""
    hour = test_fault_clock.HOUR_S
    tries: dict[str, Try] = {
        "4 disk full": lambda folder, chance: test_fault_disk.disk_takes_nothing(folder, "full"),
        "4 disk read-only": lambda folder, chance: test_fault_disk.disk_takes_nothing(folder, "read-only"),
        "4 disk takes 2 s to flush": lambda folder, chance: test_fault_disk.slow_disk(folder),
        "4 disk pressure on images": lambda folder, chance: test_fault_disk.pressure(folder),
        "7 clock an hour ahead and back": lambda folder, chance: test_fault_clock.clock_steps(
            folder, (hour, 0.0), chance
        ),
        "7 clock an hour behind and back": lambda folder, chance: test_fault_clock.clock_steps(
            folder, (-hour, 0.0), chance
        ),
        "7 clock to and fro": lambda folder, chance: test_fault_clock.clock_steps(
            folder, (hour, -hour, hour, -hour), chance
        ),
    }
    for damage in (test_fault_disk.cut, test_fault_disk.garble, test_fault_disk.grow):
        tries[f"4 journal's log: {damage.__name__} at its tail"] = lambda folder, chance, damage=damage: (
            test_fault_disk.damaged_tail(folder, damage, chance)
        )
    for attack, grows_mb in test_fault_readers.ATTACKS.items():
        tries[f"6 {in_words(attack.__name__)}"] = lambda folder, chance, attack=attack, grows_mb=grows_mb: (
            test_fault_readers.attacked(folder, attack, grows_mb=grows_mb)
        )
    for kind in FaultKind:
        tries[f"line: {kind}"] = lambda folder, chance, kind=kind: line_faults.struck(folder, kind, chance)
    numbered = (
        (test_station_faults, "1-3"),
        (test_fault_genicam, "1-3"),
        (test_fault_memory, "1-3"),
        (test_fault_triggers, "1-3"),
        (test_fault_archive, "4"),
        (test_station_stop, "9"),
        (test_changeover, "8"),
    )
    for module, number in numbered:
        for name, test in vars(module).items():
            if name.startswith("test_") and list(inspect.signature(test).parameters) == ["tmp_path"]:
                tries.setdefault(
                    f"{number} {in_words(name.removeprefix('test_'))}", lambda folder, chance, test=test: test(folder)
                )
    return dict(sorted(tries.items()))


def in_words(name: str) -> str:
    return name.replace("_", " ")


def parts_in(folder: Path) -> int:
    """Verdicts in the journals below a folder."""
    count = 0
    for path in folder.rglob("journal.sqlite"):
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        count += connection.execute("SELECT count(*) FROM verdicts").fetchone()[0]
        connection.close()
    return count


def one_try(row: Row, run: Try, chance: random.Random) -> None:
    """Runs a try and adds it to its row. The folder stays when a promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    begun = time.monotonic()
    try:
        result = run(folder, chance)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        row.parts += result if isinstance(result, int) else len(result) if result is not None else parts_in(folder)
        row.tries += 1
    except pytest.skip.Exception as skipped:
        row.skipped = str(skipped)
    except Exception:  # noqa: BLE001 - whatever a try raises is what it has found
        row.tries += 1
        row.violations.append(f"{folder}: {traceback.format_exc(limit=-3)}")
        row.took_s += time.monotonic() - begun
        return
    row.took_s += time.monotonic() - begun
    shutil.rmtree(folder)


def kill_campaign(row: Row, kills: int, chance: random.Random, on_progress: Callable[[int], None]) -> None:
    """The kills, one journal and one reader throughout."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    begun = time.monotonic()

    def note(done: int) -> None:
        row.tries = done
        on_progress(done)

    try:
        heard = test_fault_kill.kills(folder, kills, chance, note)
        row.parts = len(heard)
        row.violations = violations(heard, folder / "var")
    except Exception:  # noqa: BLE001 - whatever a try raises is what it has found
        row.violations.append(f"{folder}: {traceback.format_exc(limit=-3)}")
    row.took_s = time.monotonic() - begun
    if not row.violations:
        shutil.rmtree(folder)


def table_of(rows: list[Row]) -> Table:
    table = Table("fault", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("tries", "parts", "violations", "seconds"):
        table.add_column(column, justify="right")
    for row in [*rows, total_of(rows)]:
        found = f"[bold red]{len(row.violations)}[/]" if row.violations else "0"
        table.add_row(row.fault, str(row.tries), str(row.parts), row.skipped or found, f"{row.took_s:.0f}")
    return table


def total_of(rows: list[Row]) -> Row:
    return Row(
        fault="all",
        tries=sum(row.tries for row in rows),
        parts=sum(row.parts for row in rows),
        took_s=sum(row.took_s for row in rows),
        violations=[violation for row in rows for violation in row.violations],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=200, help="kills; other faults: one try for each 100 of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="faults with this word in their name")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    console = Console(width=None if sys.stdout.isatty() else 120)
    others = {name: run for name, run in scenarios().items() if options.only in name}
    each = max(1, options.tries // OTHERS_SHARE)
    killed = Row(fault="5 kill -9 at random moments under load")
    rows: list[Row] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        if options.only in killed.fault:
            rows.append(killed)
            task = progress.add_task(killed.fault, total=options.tries)
            kill_campaign(killed, options.tries, chance, lambda done: progress.update(task, completed=done))
        for name, run in others.items():
            row = Row(fault=name)
            rows.append(row)
            for _ in progress.track(range(each), description=name[:60]):
                one_try(row, run, chance)
    rows.sort(key=lambda row: row.fault)
    console.print(f"seed {options.seed}, {options.tries} kills, {each} of each other fault")
    console.print(table_of(rows))
    for attack, said in {**test_fault_readers.measured, **line_faults.measured}.items():
        console.print(f"{in_words(attack)}: {said}", highlight=False)
    broken = total_of(rows).violations
    for violation in broken:
        console.print(violation, markup=False, highlight=False)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
