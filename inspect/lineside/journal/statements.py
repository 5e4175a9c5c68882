"""What the journal writes: one statement per kind of entry, and the rows that go with them."""

from __future__ import annotations

from lineside.core.record import ImageRecord, ImageState, VerdictRecord
from lineside.core.trigger import Trigger

__all__ = [
    "ACKNOWLEDGE",
    "APPEND_VERDICT",
    "NOTE_EVENT",
    "NOTE_EXPIRED",
    "NOTE_IMAGE",
    "NOTE_LATE",
    "NOTE_STOP",
    "OPEN_TRIGGER",
    "image_row",
    "trigger_row",
    "verdict_row",
]

OPEN_TRIGGER = "INSERT INTO open_triggers VALUES (?, ?, ?, ?, ?, ?, ?)"
APPEND_VERDICT = "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
NOTE_LATE = "INSERT INTO late_answers (trigger_number, noted_utc_ns, detail) VALUES (?, ?, ?)"
NOTE_EVENT = "INSERT INTO events (utc_ns, kind, detail) VALUES (?, ?, ?)"
NOTE_IMAGE = "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
NOTE_EXPIRED = f"UPDATE images SET state = '{ImageState.EXPIRED}', detail = ? WHERE image_id = ?"
NOTE_STOP = "UPDATE boots SET stopped_utc_ns = ? WHERE boot_id = ?"
ACKNOWLEDGE = """
    INSERT INTO readers VALUES (?, ?, ?) ON CONFLICT (reader) DO UPDATE
    SET sequence = excluded.sequence, acknowledged_utc_ns = excluded.acknowledged_utc_ns
    WHERE excluded.sequence > readers.sequence
"""


def trigger_row(trigger: Trigger) -> tuple[object, ...]:
    """For OPEN_TRIGGER."""
    return (
        trigger.number,
        trigger.part_id,
        trigger.received_utc_ns,
        trigger.received_mono_ns,
        trigger.due_mono_ns,
        trigger.encoder_count,
        int(trigger.simulated),
    )


def verdict_row(record: VerdictRecord, chain: bytes) -> tuple[object, ...]:
    """For APPEND_VERDICT."""
    return (
        record.sequence,
        record.trigger_number,
        record.part_id,
        int(record.outcome),
        int(record.reason),
        record.decided_utc_ns,
        record.payload,
        chain,
    )


def image_row(record: ImageRecord) -> tuple[object, ...]:
    """For NOTE_IMAGE."""
    return (
        record.image_id,
        record.trigger_number,
        record.view,
        record.state.value,
        int(record.outcome),
        record.pixel_format.value,
        record.width_px,
        record.height_px,
        record.path,
        record.sha256,
        record.size_bytes,
        record.detail,
    )
