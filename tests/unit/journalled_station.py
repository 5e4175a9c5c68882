"""What a station leaves behind: journal and image archive, filled as its own code fills them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lineside.core.clock import SystemClock
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.record import VerdictRecord, image_id
from lineside.core.trigger import Trigger
from lineside.core.verdict import ImageReference, Judgement, Latency, Outcome, Verdict
from lineside.journal.archive import ImageArchive
from lineside.journal.journal import Journal
from lineside.journal.ladder import ArchiveLimits
from lineside.wire.codec import encode_verdict

__all__ = ["CAPTURED_UTC_NS", "IDENTITY", "frame_of", "opened", "record_of", "trigger_of"]

IDENTITY = Identity(id="plate", revision=1, sha256="a" * 64)
CAPTURED_UTC_NS = 1_700_000_000_000_000_000


def trigger_of(number: int) -> Trigger:
    return Trigger(number=number, part_id=f"part-{number}", received_utc_ns=7, received_mono_ns=1, due_mono_ns=2000)


def record_of(
    number: int,
    outcome: Outcome,
    reason: Reason,
    *,
    kept: Sequence[str] = (),
    seen: Sequence[str] = (),
    decided_mono_ns: int = 1000,
) -> VerdictRecord:
    """Verdict `number`, in which the archive was asked to keep the views `kept` of those `seen`."""
    verdict = Verdict(
        sequence=number,
        boot_id="boot",
        line_id="line",
        station_id="station",
        trigger=trigger_of(number),
        part_id=f"part-{number}",
        judgement=Judgement(outcome=outcome, reason=reason),
        captured_utc_ns=CAPTURED_UTC_NS + number if seen else 0,
        decided_utc_ns=1000 + number,
        decided_mono_ns=decided_mono_ns,
        latency=Latency(),
        recipe=IDENTITY,
        calibration=IDENTITY,
        config_fingerprint="f",
        simulated=True,
        images=tuple(ImageReference(view=view, image_id=image_id(number, view), kept=view in kept) for view in seen),
    )
    return VerdictRecord(
        sequence=number,
        trigger_number=number,
        part_id=verdict.part_id,
        outcome=outcome,
        reason=reason,
        decided_utc_ns=verdict.decided_utc_ns,
        payload=encode_verdict(verdict),
    )


def frame_of(number: int, view: str) -> Frame:
    return Frame(
        view=view,
        pixels=np.full((8, 12), number, np.uint8),
        pixel_format=PixelFormat.MONO8,
        frame_id=number,
        captured_utc_ns=CAPTURED_UTC_NS + number,
        captured_mono_ns=1,
        camera_serial="S",
    )


def opened(data_dir: Path) -> tuple[Journal, ImageArchive]:
    """Where all this is put; whoever opens the journal closes it."""
    journal = Journal.open(
        data_dir / "journal.sqlite", boot_id="boot", station_id="station", line_id="line", clock=SystemClock()
    )
    limits = ArchiveLimits(max_bytes=1 << 30, min_free_bytes=0)
    return journal, ImageArchive(data_dir / "images", limits=limits, clock=SystemClock())
