"""docs/train-networks.md names every option of the methods that fit networks, and every kind of painted defect."""

import re
from pathlib import Path

import pytest
import typer

from lineside.commands.train import train_app
from lineside.train.defects import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "train-networks.md").read_text()
COMMANDS = typer.main.get_command(train_app).commands  # type: ignore[attr-defined] # a group


@pytest.mark.parametrize("command", ["segment", "synthetic", "defects"])
def test_every_option_is_in_the_guide(command: str) -> None:
    options = [parameter.opts for parameter in COMMANDS[command].params if parameter.param_type_name == "option"]

    assert options
    assert [] == [names for names in options if not any(re.search(rf"[` ]{name}[` ]", PAGE) for name in names)]


def test_the_defaults_in_the_guide_are_those_of_the_commands() -> None:
    for command in ("segment", "synthetic"):
        defaults = {parameter.opts[0]: parameter.default for parameter in COMMANDS[command].params}
        for option in ("--device", "--minutes", "--steps", "--patience", "--long-side", "--overkill"):
            (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{option}` |")]
            shown = row.split("|")[2].strip().strip("`")
            assert shown == (defaults[option] if option == "--device" else f"{defaults[option]:g}")


def test_every_kind_of_defect_is_in_the_guide() -> None:
    several = {"moved piece": "moved pieces", "scratch": "scratches"}
    words = several | {"missing material": "missing and extra material", "extra material": "missing and extra material"}

    assert [] == [kind for kind in KINDS if words.get(kind, kind) not in PAGE]
