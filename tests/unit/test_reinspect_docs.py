"""The guide to re-inspection names every option and every column."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main
from typer.core import TyperOption

from lineside.cli import app
from lineside.reinspect.row import ROW_SCHEMA

GUIDE = (Path(__file__).parents[2] / "docs" / "reinspection.md").read_text()


def test_every_option_is_in_the_guide() -> None:
    command = typer.main.get_command(app("reinspect")).commands["reinspect"]  # type: ignore[attr-defined]
    options = {
        max(each.opts, key=len) for each in command.params if isinstance(each, TyperOption) and each.name != "help"
    }

    assert not {option for option in options if not re.search(rf"{option}\b", GUIDE)}


def test_every_column_is_in_the_guide_in_order_and_no_other() -> None:
    table = GUIDE.partition("| column | type | is |")[2].partition("\n\n")[0]
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]

    assert ROW_SCHEMA.names == named
