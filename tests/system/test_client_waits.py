"""A call that waits for a verdict waits for as long as the verdict may take."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from small_project import child_named, make_project, running, why

from lineside.client import StationClient


async def test_a_trigger_is_not_given_up_before_its_verdict_is_due(tmp_path: Path) -> None:
    """The inspector stands still, so that the verdict comes when it is due: long after a call may usually take."""
    with running(make_project(tmp_path, trigger='source = "software"')) as station:
        os.kill(child_named(station, "inspector 1"), signal.SIGSTOP)
        async with StationClient(station.address, timeout_s=1.0) as client:
            told = await client.trigger("patient", wait=True, due_ms=2_500)

    assert why(told.verdict) == "NOT_INSPECTED DUE_TIME"
