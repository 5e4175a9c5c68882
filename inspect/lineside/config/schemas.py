"""JSON Schemas of the two files, so that editors complete and check them while one types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from lineside.config.recipe_file import RecipeTable
from lineside.config.station_file import StationTable

__all__ = ["recipe_schema", "station_schema"]

_DIALECT = "http://json-schema.org/draft-07/schema#"
"""What the TOML extensions of editors read."""


def recipe_schema() -> str:
    """The schema of recipe files as JSON text."""
    return _text(RecipeTable.model_json_schema(by_alias=True))


def station_schema(camera_config_classes: Mapping[str, type[BaseModel]]) -> str:
    """The schema of station files as JSON text, with the keys of the given camera backends."""
    schema = StationTable.model_json_schema(by_alias=True)
    definitions = schema.setdefault("$defs", {})
    arms = []
    for backend, config_class in sorted(camera_config_classes.items()):
        camera = config_class.model_json_schema(by_alias=True)
        definitions |= camera.pop("$defs", {})
        camera["properties"]["backend"] = {"const": backend, "description": "Name of the camera backend."}
        camera["required"] = sorted({"backend", *camera.get("required", [])})
        definitions[config_class.__name__] = camera
        arms.append({"$ref": f"#/$defs/{config_class.__name__}"})
    cameras = schema["properties"]["cameras"]
    cameras["patternProperties"] = {key: {"oneOf": arms} for key in cameras["patternProperties"]}
    return _text(schema)


def _text(schema: dict[str, Any]) -> str:
    return json.dumps({"$schema": _DIALECT, **schema}, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
