"""The three layouts, and the page that shows them."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lineside.bridges.handshake import Handshake
from lineside.bridges.modbus.bridge_file import TimesTable, _File, read_modbus_bridge
from lineside.bridges.modbus.map_document import as_csv, as_markdown
from lineside.bridges.modbus.profiles import PROFILES, LinkCounts, ProfileName
from lineside.bridges.modbus.register_map import WordOrder
from lineside.bridges.plc import Command, Control, Display, FaultCode, Status
from lineside.core.errors import ConfigError
from lineside.core.reason import Reason
from lineside.core.verdict import Outcome

PAGE = (Path(__file__).parents[2] / "docs" / "plc.md").read_text()
IDLE = Handshake(boot_id=1).display


def display(status: Status, verdict: int = 0, **others: int) -> Display:
    return replace(IDLE, status=status, verdict=verdict, **others)


def bits(profile: ProfileName, register: str, shown: Display, **asked: int) -> set[str]:
    """The names of the bits that are on in a layout's register."""
    words = {each.name: 0 for each in PROFILES[profile].map.written_by("plc")} | asked
    word = int(PROFILES[profile].show(shown, LinkCounts(), words)[register])
    names = PROFILES[profile].map.by_name[register].bits
    assert word >> len(names) == 0
    return {name for place, name in enumerate(names) if word >> place & 1}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_page_shows_the_map_that_the_code_runs_on(profile: ProfileName) -> None:
    shown = PAGE.split(f"<!-- map {profile} -->\n")[1].split(f"<!-- end map {profile} -->")[0]

    assert as_markdown(PROFILES[profile].map).strip() == shown.strip()


@pytest.mark.parametrize(("mark", "codes"), [("reason codes", Reason), ("fault codes", FaultCode)])
def test_the_page_shows_every_code(mark: str, codes: type[Reason] | type[FaultCode]) -> None:
    shown = PAGE.split(f"<!-- {mark} -->\n")[1].split(f"<!-- end {mark} -->")[0]
    rows = [f"| {code.value} | `{code.name}` | {code.sentence} |" for code in codes]

    assert [row for row in shown.splitlines() if re.match(r"\| \d", row)] == rows


def test_every_key_of_a_bridge_file_has_its_row() -> None:
    keys = set(re.findall(r"^\| `([\w.]+)` \|", PAGE, flags=re.MULTILINE))
    own = _File.model_fields.keys() - {"times"} | {f"times.{name}" for name in TimesTable.model_fields}

    assert own <= keys


def test_the_csv_has_a_row_for_each_register_and_each_named_bit() -> None:
    for profile in PROFILES.values():
        rows = list(csv.DictReader(io.StringIO(as_csv(profile.map))))
        named = sum(1 for register in profile.map.registers for bit in register.bits if bit)
        assert len(rows) == len(profile.map.registers) + named
        assert len({row["name"] for row in rows}) == len(rows)


def test_a_bridge_file_is_read_and_what_is_wrong_in_it_is_said_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(PAGE.split("<!-- file: bridge.toml -->\n```toml\n")[1].split("```")[0])
    file = read_modbus_bridge(path)
    assert (file.port, file.word_order, file.numbering.recipes) == (502, WordOrder.CDAB, {1: "demo-plate"})

    path.write_text('station = "x"\nstate_file = "s"\nword_ordr = "ABCD"\nlisten = "nowhere"\n[recipes]\n0 = "a"\n')
    with pytest.raises(ConfigError) as refused:
        read_modbus_bridge(path)
    text = str(refused.value)
    assert all(f":{line}: " in text for line in (3, 4)) and "did you mean" in text and "recipe number" in text


# minimal

MINIMAL = PROFILES["minimal"]


def test_minimal_is_always_enabled_and_any_request_is_a_sign_of_life() -> None:
    words = {"control": 0, "part_id": 5}

    assert MINIMAL.read(words, LinkCounts(requests=7)).heartbeat == 7
    assert MINIMAL.read(words, LinkCounts()).bits == Control.TRIGGER_ENABLE
    both = MINIMAL.read({"control": 3, "part_id": 5}, LinkCounts())
    assert both.bits == Control.TRIGGER_ENABLE | Control.TRIGGER | Control.RESULTS_ACK and both.part_id == 5


@pytest.mark.parametrize("verdict", list(Outcome))
@pytest.mark.parametrize("status", [Status(0), Status.FAULT, Status.ACQUISITION_ERROR])
def test_minimal_shows_error_always_with_ng_and_never_ok_and_ng_together(verdict: Outcome, status: Status) -> None:
    for valid in (Status(0), Status.RESULTS_VALID):
        on = bits("minimal", "status", display(status | valid, verdict if valid else 0))
        assert "ERROR" not in on or "NG" in on
        assert not {"OK", "NG"} <= on
        assert ("OK" in on) == (verdict is Outcome.PASS and bool(valid) and Status.ACQUISITION_ERROR not in status)
        assert not valid or {"OK", "NG"} & on


# cognex

COGNEX = PROFILES["cognex"]


def test_cognex_reads_the_control_bytes_where_in_sight_has_them() -> None:
    words = {"control_0": 0b1001_1111, "control_1": 0b1100, "command": 12, "part_id": 3}
    controls = COGNEX.read(words, LinkCounts())

    assert controls.bits == Control(0xFF)
    assert (controls.command, controls.recipe_number, controls.part_id) == (Command.LOAD_RECIPE, 12, 3)
    assert COGNEX.read(words | {"command": 0x1007}, LinkCounts()).command == Command.SELF_TEST


@pytest.mark.parametrize(
    ("neutral", "register", "name"),
    [
        (Status.TRIGGER_READY, "status_0", "TriggerReady"),
        (Status.TRIGGER_ACK, "status_0", "TriggerAck"),
        (Status.ACQUISITION_ERROR, "status_0", "AcqError"),
        (Status.ONLINE, "status_0", "Online"),
        (Status.BUSY, "status_0", "SystemBusy"),
        (Status.OVERRUN, "status_0", "ResultsBufferOverrun"),
        (Status.RESULTS_VALID, "status_0", "ResultsValid"),
        (Status.COMMAND_BUSY, "status_0", "CommandExecuting"),
        (Status.COMMAND_DONE, "status_0", "CommandCompleted"),
        (Status.COMMAND_FAILED, "status_0", "CommandFailed"),
        (Status.FAULT, "status_0", "Error"),
        (Status.EXPOSURE_DONE, "status_1", "ExposureComplete"),
    ],
)
def test_cognex_shows_each_bit_under_its_own_name(neutral: Status, register: str, name: str) -> None:
    assert bits("cognex", register, display(neutral)) == {name}


def test_cognex_acknowledges_user_data_and_refuses_string_commands() -> None:
    assert {"SetUserDataAck"} == bits("cognex", "status_1", display(Status(0)), control_1=0b01)
    assert {"StringCommandAck", "StringCommandError"} == bits("cognex", "status_1", display(Status(0)), control_1=0b10)


def test_cognex_job_pass_needs_a_valid_pass_and_inspection_completed_toggles() -> None:
    valid = Status.RESULTS_VALID

    assert "JobPass" in bits("cognex", "status_1", display(valid, Outcome.PASS))
    assert "JobPass" not in bits("cognex", "status_1", display(valid, Outcome.FAIL))
    assert "JobPass" not in bits("cognex", "status_1", display(Status(0), Outcome.PASS))
    toggled = [
        "InspectionCompleted" in bits("cognex", "status_0", display(valid, results_shown=shown)) for shown in range(3)
    ]
    assert toggled == [False, True, False]
