"""docs/train-networks.md names every option of the methods that fit networks, and every kind of painted defect."""

import re
from pathlib import Path

import pytest
import typer

from lineside.commands.train import train_app
from lineside.train.defects import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "train-networks.md").read_text()
BEFORE, _, AFTER = PAGE.partition("## Options of these three")
COMMANDS = typer.main.get_command(train_app).commands  # type: ignore[attr-defined] # a group


@pytest.mark.parametrize("command", ["segment", "synthetic", "defects", "patch", "backbone", "classify"])
def test_every_option_is_in_the_guide(command: str) -> None:
    options = [parameter.opts for parameter in COMMANDS[command].params if parameter.param_type_name == "option"]

    assert options
    assert [] == [names for names in options if not any(re.search(rf"[` ]{name}[` ]", PAGE) for name in names)]


def test_the_defaults_in_the_guide_are_those_of_the_commands() -> None:
    for command in ("segment", "synthetic"):
        defaults = {parameter.opts[0]: parameter.default for parameter in COMMANDS[command].params}
        for option in ("--device", "--minutes", "--steps", "--patience", "--long-side", "--overkill"):
            (row,) = [line for line in BEFORE.splitlines() if line.startswith(f"| `{option}` |")]
            shown = row.split("|")[2].strip().strip("`")
            assert shown == (defaults[option] if option == "--device" else f"{defaults[option]:g}")


def test_the_defaults_of_the_other_three_are_theirs_too() -> None:
    rows = {
        tuple(part.strip().strip("`") for part in line.split("|")[1].split(", ")): line.split("|")[2:5]
        for line in AFTER.splitlines()
        if line.startswith("| `--")
    }
    for column, command in enumerate(("patch", "backbone", "classify")):
        defaults = {parameter.opts[0]: parameter.default for parameter in COMMANDS[command].params}
        shown = {option: rows[options][column].strip() for options in rows for option in options}
        for option in ("--model", "--dimensions", "--remembered", "--steps", "--patience", "--overkill", "--long-side"):
            (options,) = [options for options in rows if option in options]
            told = shown[option].split(", ")
            expected = f"{defaults[option]}" if option in defaults else "-"
            assert expected == (told[options.index(option)] if len(told) > 1 else told[0]), (command, option)


def test_every_kind_of_defect_is_in_the_guide() -> None:
    several = {"moved piece": "moved pieces", "scratch": "scratches"}
    words = several | {"missing material": "missing and extra material", "extra material": "missing and extra material"}

    assert [] == [kind for kind in KINDS if words.get(kind, kind) not in PAGE]
