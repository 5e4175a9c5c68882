"""The guides and the schemas say what the files really take."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from lineside.assemble import camera_config_classes
from lineside.config import recipe_file, station_file
from lineside.config.recipe_file import read_recipe
from lineside.config.schemas import recipe_schema, station_schema
from lineside.config.station_file import read_station
from lineside.config.table import Table

ROOT = Path(__file__).parents[2]
UNITS = {"_ms": "ms", "_px": "px", "_mm": "mm", "_mm2": "mm²", "_bytes": "bytes", "_days": "d", "mm_per_px": "mm/px"}


def unit_of(key: str) -> str:
    if key.startswith("mm_per_px"):
        return "mm/px"
    return next((unit for ending, unit in UNITS.items() if key.endswith(ending)), "–")  # noqa: RUF001


def default_of(field) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default in (None, (), {}) or isinstance(default, Table):
        return "none"
    if isinstance(default, tuple):
        (default,) = default
    assert default is not PydanticUndefined
    return f"`{json.dumps(default)}`"


def rows():
    for module, guide in ((recipe_file, "recipes.md"), (station_file, "stations.md")):
        for table in vars(module).values():
            if isinstance(table, type) and issubclass(table, Table) and table.__module__ == module.__name__:
                for name, field in table.model_fields.items():
                    key = field.alias or name
                    meaning = field.description.replace("\n", " ")
                    yield pytest.param(
                        guide,
                        f"| `{key}` | {unit_of(key)} | {default_of(field)} | {meaning} |",
                        id=f"{table.__name__}.{key}",
                    )


@pytest.mark.parametrize(("guide", "row"), list(rows()))
def test_every_key_stands_in_its_guide_with_unit_default_and_meaning(guide: str, row: str):
    assert row in (ROOT / "docs" / guide).read_text().splitlines()


def test_the_guides_examples_are_good(tmp_path: Path):
    for guide, name in (
        ("recipes.md", "models/recipes/bracket.toml"),
        ("stations.md", "calibration/stations/press.toml"),
    ):
        example = (ROOT / "docs" / guide).read_text().split("```toml\n")[1].split("```")[0]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(example)

    station = read_station(tmp_path / "calibration/stations/press.toml", camera_config_classes=camera_config_classes())

    assert read_recipe(station.recipe_path).views.keys() == station.camera_configs.keys()


def test_the_committed_schemas_are_fresh():
    remedy = "run `lineside schema recipe > docs/schemas/recipe.schema.json`, and the same for station"

    assert (ROOT / "docs/schemas/recipe.schema.json").read_text() == recipe_schema(), remedy
    assert (ROOT / "docs/schemas/station.schema.json").read_text() == station_schema(camera_config_classes()), remedy


@pytest.mark.parametrize("name", ["recipe", "station"])
def test_every_key_of_our_tables_is_described_in_the_schema(name: str):
    document = json.loads((ROOT / "docs/schemas" / f"{name}.schema.json").read_text())
    tables = [document, *(each for name, each in document["$defs"].items() if name.endswith("Table"))]

    undescribed = [key for table in tables for key, value in table["properties"].items() if "description" not in value]

    assert len(tables) > 3
    assert undescribed == []


@pytest.mark.parametrize("path", ["models/recipes/demo-plate.toml", "calibration/stations/demo.toml"])
def test_a_shipped_file_tells_editors_its_schema(path: str):
    first = (ROOT / path).read_text().splitlines()[0]
    schema = (ROOT / path).parent / first.removeprefix("#:schema ")

    document = json.loads(schema.read_text())

    assert set(tomllib.loads((ROOT / path).read_text())) <= set(document["properties"])
