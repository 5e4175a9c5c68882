"""Profiles: the same handshake laid out in registers in three ways. Pure functions, no state of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from lineside.bridges.modbus.register_map import MAP_VERSION, NEUTRAL, Register, RegisterMap, Value
from lineside.bridges.plc import Command, Control, Controls, Display, Status
from lineside.core.verdict import Outcome

__all__ = ["PROFILES", "LinkCounts", "Profile", "ProfileName"]

ProfileName = Literal["neutral", "minimal", "cognex"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkCounts:
    """What the Modbus server knows of itself. `requests` counts all that came, which is a sign of life too."""

    requests: int = 0
    refused_requests: int = 0
    connections: int = 0
    unreported: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One layout. `read` makes the PLC's words neutral, `show` lays out what it sees, both by register name.

    `show` gets the PLC's words too: some layouts acknowledge there what needs nobody's answer.
    """

    map: RegisterMap
    read: Callable[[Mapping[str, Value], LinkCounts], Controls]
    show: Callable[[Display, LinkCounts, Mapping[str, Value]], Mapping[str, Value]]


def _read_neutral(words: Mapping[str, Value], _: LinkCounts) -> Controls:
    return Controls(
        bits=Control(int(words["control"]) & 0xFF),
        heartbeat=int(words["plc_heartbeat"]),
        command=int(words["command"]),
        recipe_number=int(words["recipe_number"]),
        part_id=int(words["part_id"]),
        serial=str(words["serial"]),
        encoder_count=int(words["encoder_count"]),
        deadline_ms=int(words["deadline_ms"]),
    )


def _show_neutral(display: Display, link: LinkCounts, _: Mapping[str, Value]) -> Mapping[str, Value]:
    shown: dict[str, Value] = {name: getattr(display, name) for name in _OF_DISPLAY}
    shown.update({name: getattr(link, name) for name in _OF_LINK})
    shown["map_version"] = MAP_VERSION
    return shown


_OF_DISPLAY = tuple(each.name for each in fields(Display))
_OF_LINK = tuple(each.name for each in fields(LinkCounts) if each.name in NEUTRAL.by_name)


def _row(address: int, name: str, kind: Literal["bits", "u16"], meaning: str, bits: str = "") -> Register:
    direction: Literal["plc", "vision"] = "plc" if address < _MINIMAL_STATUS_AT else "vision"
    names = tuple("" if bit == "-" else bit for bit in bits.split())
    return Register(name=name, direction=direction, address=address, kind=kind, meaning=meaning, bits=names)


_MINIMAL_STATUS_AT = 8

MINIMAL = RegisterMap(
    profile="minimal",
    registers=(
        _row(0, "control", "bits", "Held until answered", "TRIGGER RESULTS_ACK"),
        _row(1, "part_id", "u16", "The part at the trigger; comes back with the result"),
        _row(
            8, "status", "bits", "One of OK and NG, never both", "TRIGGER_READY TRIGGER_ACK RESULTS_READY OK NG ERROR"
        ),
        _row(9, "vision_heartbeat", "u16", "Counts up while the bridge lives; standing still: stop or reject"),
        _row(10, "result_part_id", "u16", "The part that this result is about"),
        _row(11, "reason", "u16", "Why it is not OK: see the reason codes"),
        _row(12, "fault_code", "u16", "Why ERROR: see the fault codes"),
    ),
)
"""For lines that know two bits: the trigger is always enabled, one part is under way at a time."""


def _read_minimal(words: Mapping[str, Value], link: LinkCounts) -> Controls:
    asked = int(words["control"])
    bits = Control.TRIGGER_ENABLE
    bits |= Control.TRIGGER if asked & 1 else Control(0)
    bits |= Control.RESULTS_ACK if asked & 2 else Control(0)
    return Controls(bits=bits, heartbeat=link.requests, part_id=int(words["part_id"]))


def _show_minimal(display: Display, _: LinkCounts, __: Mapping[str, Value]) -> Mapping[str, Value]:
    valid = Status.RESULTS_VALID in display.status
    unwell = Status.FAULT in display.status and not valid
    uninspected = valid and display.verdict == Outcome.NOT_INSPECTED
    error = Status.ACQUISITION_ERROR in display.status or unwell or uninspected
    ok = valid and display.verdict == Outcome.PASS and not error
    ng = error or (valid and not ok)
    flags = (
        Status.TRIGGER_READY in display.status,
        Status.TRIGGER_ACK in display.status,
        valid,
        ok,
        ng,
        error,
    )
    return {
        "status": _bits(flags),
        "vision_heartbeat": display.vision_heartbeat,
        "result_part_id": display.result_part_id,
        "reason": display.reason,
        "fault_code": display.fault_code,
    }


def _cognex(
    address: int,
    direction: Literal["plc", "vision"],
    name: str,
    kind: Literal["bits", "u16"],
    meaning: str,
    bits: str = "",
) -> Register:
    names = tuple("" if bit == "-" else bit for bit in bits.split())
    return Register(name=name, direction=direction, address=address, kind=kind, meaning=meaning, bits=names)


COGNEX = RegisterMap(
    profile="cognex",
    registers=(
        _cognex(
            *(0, "plc", "control_0", "bits", "Vision Control, bytes 0 (low) and 1"),
            "TriggerEnable Trigger BufferResultsEnable InspectionResultsAck ExecuteCommand - - SetOffline",
        ),
        _cognex(
            *(1, "plc", "control_1", "bits", "Vision Control, bytes 2 (low) and 3"),
            "SetUserData InitiateStringCommand ClearError ClearExposureComplete",
        ),
        _cognex(
            2, "plc", "command", "u16", "Input block, word 0: job to load, 1 to 999; 4103 test run, 4097 clear queue"
        ),
        _cognex(3, "plc", "part_id", "u16", "Input block, user data word 1: the part at the trigger"),
        _cognex(
            *(32, "vision", "status_0", "bits", "Vision Status, bytes 0 (low) and 1"),
            "TriggerReady TriggerAck - AcqError - - - Online SystemBusy InspectionCompleted ResultsBufferOverrun"
            " ResultsValid CommandExecuting CommandCompleted CommandFailed Error",
        ),
        _cognex(
            *(33, "vision", "status_1", "bits", "Vision Status, bytes 2 (low) and 3"),
            "SetUserDataAck StringCommandAck StringCommandError ExposureComplete JobPass",
        ),
        _cognex(34, "vision", "current_job_id", "u16", "Output block, word 0"),
        _cognex(35, "vision", "error_code", "u16", "Output block, word 1: see the fault codes"),
        _cognex(36, "vision", "acquisition_id", "u16", "Output block, word 2; note it at TriggerAck"),
        _cognex(37, "vision", "inspection_id", "u16", "Output block, word 3: the acquisition that this result answers"),
        _cognex(38, "vision", "result_code", "u16", "Output block, word 4: 1 PASS, 2 FAIL, 3 NOT_INSPECTED"),
        _cognex(39, "vision", "result_part_id", "u16", "Output block, result word 0: the part of this result"),
        _cognex(40, "vision", "reason", "u16", "Output block, result word 1: see the reason codes"),
        _cognex(41, "vision", "defect_class", "u16", "Output block, result word 2: worst defect, as numbered"),
        _cognex(42, "vision", "score_x1000", "u16", "Output block, result word 3: worst score times 1000"),
        _cognex(43, "vision", "vision_heartbeat", "u16", "Output block, result word 4: ours; In-Sight has none"),
    ),
)
"""The signals of In-Sight's Modbus blocks, firmware 5.x. There the user chooses where they begin; here it is fixed."""

_TEST_RUN = 0x1007
_CLEAR_QUEUE = 0x1001
"""Ours: In-Sight clears its buffer otherwise."""


def _read_cognex(words: Mapping[str, Value], link: LinkCounts) -> Controls:
    low, high, job = int(words["control_0"]), int(words["control_1"]), int(words["command"])
    bits = Control(0)
    for mask, control in (
        (0x01, Control.TRIGGER_ENABLE),
        (0x02, Control.TRIGGER),
        (0x04, Control.BUFFER_ENABLE),
        (0x08, Control.RESULTS_ACK),
        (0x10, Control.EXECUTE),
        (0x80, Control.OFFLINE_REQUEST),
    ):
        bits |= control if low & mask else Control(0)
    bits |= Control.CLEAR_ERROR if high & 0x04 else Control(0)
    bits |= Control.CLEAR_EXPOSURE if high & 0x08 else Control(0)
    command = {_TEST_RUN: Command.SELF_TEST, _CLEAR_QUEUE: Command.CLEAR_QUEUE}.get(job, Command.LOAD_RECIPE)
    return Controls(
        bits=bits,
        heartbeat=link.requests,
        command=command,
        recipe_number=job,
        part_id=int(words["part_id"]),
    )


def _show_cognex(display: Display, _: LinkCounts, asked: Mapping[str, Value]) -> Mapping[str, Value]:
    status, asked_1 = display.status, int(asked["control_1"])
    user_data, string_command = bool(asked_1 & 0x01), bool(asked_1 & 0x02)
    flags = {
        0: Status.TRIGGER_READY in status,
        1: Status.TRIGGER_ACK in status,
        3: Status.ACQUISITION_ERROR in status,
        7: Status.ONLINE in status,
        8: Status.BUSY in status,
        9: bool(display.results_shown % 2),
        10: Status.OVERRUN in status,
        11: Status.RESULTS_VALID in status,
        12: Status.COMMAND_BUSY in status,
        13: Status.COMMAND_DONE in status,
        14: Status.COMMAND_FAILED in status,
        15: Status.FAULT in status,
    }
    passed = Status.RESULTS_VALID in status and display.verdict == Outcome.PASS
    return {
        "status_0": sum(1 << place for place, on in flags.items() if on),
        # User data need no handshake here: they are what stands there at the trigger. String commands there are none.
        "status_1": _bits((user_data, string_command, string_command, Status.EXPOSURE_DONE in status, passed)),
        "current_job_id": display.recipe_current,
        "error_code": display.fault_code,
        "acquisition_id": display.acquisition_id,
        "inspection_id": display.result_acquisition_id,
        "result_code": display.verdict,
        "result_part_id": display.result_part_id,
        "reason": display.reason,
        "defect_class": display.defect_class,
        "score_x1000": display.score_x1000,
        "vision_heartbeat": display.vision_heartbeat,
    }


def _bits(flags: tuple[bool, ...]) -> int:
    return sum(1 << place for place, on in enumerate(flags) if on)


PROFILES: Mapping[ProfileName, Profile] = {
    "neutral": Profile(map=NEUTRAL, read=_read_neutral, show=_show_neutral),
    "minimal": Profile(map=MINIMAL, read=_read_minimal, show=_show_minimal),
    "cognex": Profile(map=COGNEX, read=_read_cognex, show=_show_cognex),
}
"""The one table of layouts."""
