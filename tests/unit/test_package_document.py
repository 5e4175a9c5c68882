"""docs/model-packages.md names every key of the manifest and every option of the command."""

import re
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from lineside.commands.models import models_app
from lineside.detectors.manifest import (
    AnomalyMapOutput,
    BoxesOutput,
    ClassesOutput,
    InputSpec,
    Manifest,
    Reference,
    SegmentationOutput,
    Threshold,
)

PAGE = (Path(__file__).parents[2] / "docs" / "model-packages.md").read_text()
TABLES = (Manifest, InputSpec, AnomalyMapOutput, SegmentationOutput, BoxesOutput, ClassesOutput, Threshold, Reference)
FIELDS = [(table, name) for table in TABLES for name in table.model_fields]


@pytest.mark.parametrize(("table", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_key_of_the_manifest_is_explained(table: type[BaseModel], name: str) -> None:
    assert f"`{name}`" in PAGE, f"{table.__name__}.{name}"


def test_every_option_that_the_page_uses_exists() -> None:
    group = typer.main.get_command(models_app)
    known = {option for command in group.commands.values() for each in command.params for option in each.opts}
    commands = re.sub(r"yolo export.*|anomalib export.*", "", PAGE)
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", commands))

    assert len(used) > 10
    assert used <= known
