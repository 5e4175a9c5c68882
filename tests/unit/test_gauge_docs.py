"""docs/gauge.md names every option, and every figure that can be measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from lineside.commands.gauge import gauge_app
from lineside.gauge.measurand import Quantity

PAGE = (Path(__file__).parents[2] / "docs" / "gauge.md").read_text()
COMMANDS = typer.main.get_command(gauge_app).commands  # type: ignore[attr-defined] # a group


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_in_the_guide(command: str) -> None:
    options = [parameter.opts for parameter in COMMANDS[command].params if parameter.param_type_name == "option"]

    assert options
    assert [] == [names for names in options if not any(f"{name}" in PAGE for name in (*names, f"--no-{names[0][2:]}"))]


@pytest.mark.parametrize("quantity", Quantity)
def test_every_figure_that_can_be_measured_is_in_the_guide(quantity: Quantity) -> None:
    assert f"`{quantity}`" in PAGE
