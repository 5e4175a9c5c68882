"""Faults of the line, struck at a random part: the real demo from camera to gate, and what each fault costs."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from lineside.sim.faults import FaultKind

__all__ = ["measured", "struck"]

REPOSITORY = Path(__file__).parents[2]
PARTS = 24
measured: dict[str, str] = {}
"""By fault and the part at which it struck: what it has cost."""


def struck(folder: Path, kind: FaultKind, chance: random.Random) -> int:
    """Runs the demo's line with one fault; returns the number of parts. Raises: AssertionError."""
    for name in ("calibration", "models"):
        shutil.copytree(REPOSITORY / name, folder / name)
    fault = f"{kind}@{chance.randrange(4, PARTS - 4)}"
    command = [sys.executable, "-m", "lineside", "demo", "--line", "--count", str(PARTS), "--fault", fault]
    done = subprocess.run(
        [*command, "--project", folder, "--output", folder / "out"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [record] = (folder / "out").glob("line-*")
    summary: dict[str, Any] = json.loads((record / "summary.json").read_text())
    assert [] == summary["bad_accepted"]
    assert summary["complete"] and PARTS == summary["accepted"] + summary["rejected"]
    assert [] == [row for row in summary["good_rejected"] if not row["why"]]
    measured[fault] = _cost(summary)
    return PARTS


def _cost(summary: dict[str, Any]) -> str:
    why = Counter(row["why"] for row in summary["good_rejected"])
    reasons = "; ".join(f"{count} x {reason}" for reason, count in why.most_common())
    good = PARTS - summary["bad"]
    lost = f"{sum(why.values())} of {good} good rejected" + (f" ({reasons})" if reasons else "")
    return f"0 of {summary['bad']} bad accepted, {lost}"
