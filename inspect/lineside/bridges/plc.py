"""The words between a bridge and its PLC, whatever the fieldbus: what the PLC asks, what it is shown."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Self

from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

__all__ = [
    "Abandon",
    "Command",
    "Control",
    "Controls",
    "Display",
    "Effect",
    "FaultCode",
    "LoadRecipe",
    "PartAtTrigger",
    "RecordMissed",
    "Release",
    "Result",
    "RunSelfTest",
    "StationView",
    "Status",
    "TakeTrigger",
]


class Control(enum.IntFlag):
    """Bits that the PLC holds until they are answered."""

    TRIGGER_ENABLE = 1 << 0
    TRIGGER = 1 << 1
    RESULTS_ACK = 1 << 2
    EXECUTE = 1 << 3
    CLEAR_ERROR = 1 << 4
    BUFFER_ENABLE = 1 << 5
    OFFLINE_REQUEST = 1 << 6
    CLEAR_EXPOSURE = 1 << 7


_NO_BITS = Control(0)


class Status(enum.IntFlag):
    """Bits that the PLC reads."""

    ONLINE = 1 << 0
    TRIGGER_READY = 1 << 1
    TRIGGER_ACK = 1 << 2
    ACQUIRING = 1 << 3
    EXPOSURE_DONE = 1 << 4
    BUSY = 1 << 5
    RESULTS_VALID = 1 << 6
    OVERRUN = 1 << 7
    ACQUISITION_ERROR = 1 << 8
    COMMAND_BUSY = 1 << 9
    COMMAND_DONE = 1 << 10
    COMMAND_FAILED = 1 << 11
    WARNING = 1 << 12
    FAULT = 1 << 13
    SELF_TEST_OK = 1 << 14
    PAUSED_BY_OPERATOR = 1 << 15


class Command(enum.IntEnum):
    """What the PLC can have done with EXECUTE."""

    NONE = 0
    LOAD_RECIPE = 1
    SELF_TEST = 2
    CLEAR_QUEUE = 3
    ABORT = 4


class FaultCode(enum.IntEnum):
    """Why FAULT, WARNING, an error or a failed command is shown. Numbers are in PLC programs: never reuse one."""

    NONE = 0
    STATION_UNREACHABLE = 1
    STATION_NOT_READY = 2
    STATE_NOT_DURABLE = 3
    PLC_SILENT = 10
    ACK_OVERDUE = 11
    TRIGGER_NOT_READY = 12
    QUEUE_FULL = 13
    TRIGGER_REFUSED = 14
    UNKNOWN_RECIPE = 15
    RECIPE_REFUSED = 16
    SELF_TEST_FAILED = 17
    UNKNOWN_COMMAND = 18
    TRIGGERED_ELSEWHERE = 19

    @property
    def sentence(self) -> str:
        """The code in words for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    FaultCode.NONE: "nothing is wrong",
    FaultCode.STATION_UNREACHABLE: "the station is not there, or its stream is cut",
    FaultCode.STATION_NOT_READY: "the station cannot judge: its status says why",
    FaultCode.STATE_NOT_DURABLE: "the bridge cannot write its state file: disk full or read-only",
    FaultCode.PLC_SILENT: "the PLC's heartbeat stands still",
    FaultCode.ACK_OVERDUE: "the PLC has not acknowledged a result in time; it is kept",
    FaultCode.TRIGGER_NOT_READY: "a trigger came while TRIGGER_READY was 0",
    FaultCode.QUEUE_FULL: "a trigger came while the results queue had no room",
    FaultCode.TRIGGER_REFUSED: "the station did not take the trigger, or not in time",
    FaultCode.UNKNOWN_RECIPE: "the recipe number is not in the bridge's file",
    FaultCode.RECIPE_REFUSED: "the recipe could not be loaded; the old one stays",
    FaultCode.SELF_TEST_FAILED: "the self-test failed or could not run",
    FaultCode.UNKNOWN_COMMAND: "no such command",
    FaultCode.TRIGGERED_ELSEWHERE: "the station is triggered by its camera or takt: the PLC's trigger is not taken",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """All that the PLC says, as of one moment. All zero is the safe idle: nothing enabled, nothing asked."""

    bits: Control = _NO_BITS
    heartbeat: int = 0
    command: int = 0
    recipe_number: int = 0
    part_id: int = 0
    serial: str = ""
    encoder_count: int | None = None
    deadline_ms: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PartAtTrigger:
    """What was latched when the trigger came. `number` counts all triggers of this start, missed ones included."""

    number: int
    acquisition_id: int
    part_id: int
    serial: str
    encoder_count: int | None
    deadline_ms: int

    @property
    def name(self) -> str:
        """The part's id in the records: its serial where it has one, else its number."""
        return self.serial or str(self.part_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One answer to one trigger, as far as a PLC cares. `due_ns` is how long after the trigger it may be used."""

    acquisition_id: int
    part_id: int = 0
    encoder_count: int | None = None
    outcome: Outcome
    reason: Reason = Reason.NONE
    defect_class: int = 0
    score_x1000: int = 0
    processing_ms: int = 0
    slack_ms: int = 0
    recipe_used: int = 0
    due_ns: int = 0

    def not_inspected(self, reason: Reason) -> Self:
        """The same part without a usable verdict."""
        return replace(self, outcome=Outcome.NOT_INSPECTED, reason=reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class StationView:
    """The station as the bridge sees it now."""

    connected: bool = False
    ready: bool = False
    paused: bool = False
    recipe_number: int = 0
    config_fingerprint: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeTrigger:
    """Trigger the station and write the part down; answer with `taken` or `not_taken`."""

    part: PartAtTrigger


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordMissed:
    """Let the station record the part as NOT_INSPECTED: it came while nothing could be inspected."""

    part: PartAtTrigger


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """The PLC has the result: write that down, then answer with `released`."""

    acquisition_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Abandon:
    """The PLC has ordered these answers to be given up: write that down."""

    acquisition_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadRecipe:
    """Change the recipe; answer with `command_ended`."""

    recipe_number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSelfTest:
    """Run the self-test; answer with `command_ended`."""


Effect = TakeTrigger | RecordMissed | Release | Abandon | LoadRecipe | RunSelfTest


@dataclass(frozen=True, kw_only=True, slots=True)
class Display:
    """All that the PLC is shown, as of one moment. Field for field the registers of the neutral map."""

    status: Status
    vision_heartbeat: int
    acquisition_id: int
    result_acquisition_id: int
    result_part_id: int
    result_encoder_count: int
    verdict: int
    reason: int
    defect_class: int
    score_x1000: int
    processing_ms: int
    slack_ms: int
    recipe_current: int
    recipe_used: int
    config_fingerprint: int
    queue_free: int
    fault_code: int
    triggers: int
    passed: int
    failed: int
    not_inspected: int
    missed: int
    boot_id: int
    results_waiting: int
    results_shown: int
    acknowledged: int
    dropped: int
    late: int
