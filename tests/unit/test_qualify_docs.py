"""The guide to qualifying names every option; the schema is that of the code."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from lineside.cli import app
from lineside.qualify.document import qualification_schema

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "qualify.md").read_text()


@pytest.mark.parametrize("path", [("qualify",), ("models", "threshold"), ("models", "release"), ("models", "releases")])
def test_every_option_is_in_the_guide(path: tuple[str, ...]) -> None:
    command = typer.main.get_command(app(path[0]))
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined] # a group
    options = [max(each.opts, key=len) for each in command.params if each.param_type_name == "option"]

    assert options
    assert [] == [option for option in options if f"`{option}`" not in GUIDE]


def test_the_committed_schema_is_that_of_the_code() -> None:
    committed = ROOT / "docs" / "schemas" / "qualification.schema.json"

    assert qualification_schema() == committed.read_text(), (
        "run `lineside schema qualification > docs/schemas/qualification.schema.json`"
    )
