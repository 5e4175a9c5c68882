"""The wall clock is stepped by an hour, either way, while parts are judged: people see it, the line does not."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from disk_and_clock import disk_and_clock
from listener import listening, payloads_of, violations
from small_project import journal_rows, make_project, running

from lineside.client import Outcome

TAKT = 'source = "takt"\ntakt_ms = 25'
CAMERA = 'backend = "simulated"\nprerendered = 8'
HOUR_S = 3600.0


@pytest.mark.parametrize("steps_s", [(HOUR_S, 0.0), (-HOUR_S, 0.0), (HOUR_S, -HOUR_S, HOUR_S, -HOUR_S)], ids=str)
def test_no_verdict_is_late_early_or_out_of_order_because_the_clock_was_stepped(
    tmp_path: Path, steps_s: tuple[float, ...]
) -> None:
    assert clock_steps(tmp_path, steps_s, random.Random(7)) >= 40


def clock_steps(folder: Path, steps_s: tuple[float, ...], chance: random.Random) -> int:
    """Steps the clock at these offsets, each at a random moment; returns how many parts were judged."""
    station_file = make_project(folder, trigger=TAKT, camera=CAMERA, due_ms=2000)
    with (
        disk_and_clock(folder) as clock,
        running(station_file) as station,
        listening(station.address, folder / "heard") as listener,
    ):
        listener.wait_for(10)
        for ahead_s in steps_s:
            clock.step_clock(ahead_s)
            listener.wait_for(listener.count + chance.randint(10, 30))
        station.terminate()
        told = listener.wait_for(len(payloads_of(folder / "var")))
    verdicts = [heard.verdict for heard in told]
    decided_utc_ns = [verdict.decided_utc_ns for verdict in verdicts]
    jumps_s = [abs(later - earlier) / 1e9 for earlier, later in itertools.pairwise(decided_utc_ns)]

    assert violations(told, folder / "var") == []
    assert sum(jump > HOUR_S / 2 for jump in jumps_s) >= len(steps_s), "the station saw every step"
    assert [verdict.sequence for verdict, heard in zip(verdicts, told, strict=True) if heard.late] == []
    assert {Outcome(verdict.outcome) for verdict in verdicts} <= {Outcome.PASS, Outcome.FAIL}
    assert [verdict.trigger_number for verdict in verdicts] == sorted(verdict.trigger_number for verdict in verdicts)
    assert all(0 < verdict.latency.decide_ns < verdict.due_ns for verdict in verdicts)
    assert journal_rows(folder, "SELECT count(*) FROM late_answers") == [(0,)]
    return len(told)
