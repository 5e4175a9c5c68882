"""run.json: what was asked of a run, so that only the same is gone on with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lineside.core.errors import ConfigError
from lineside.reinspect.whole_file import written_whole

__all__ = ["begun_utc_ns", "differences", "write_facts"]

_BEGUN = "begun_utc_ns"


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Writes what is asked, a JSON object, and the time. Raises: OSError."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps({**facts, _BEGUN: time.time_ns()}, indent=1) + "\n")


def begun_utc_ns(path: Path) -> int:
    """When it was written."""
    begun: int = json.loads(path.read_text())[_BEGUN]
    return begun


def differences(path: Path, facts: Mapping[str, Any]) -> list[str]:
    """What is asked now and was not asked then. Raises: ConfigError when run.json is damaged."""
    try:
        found = dict(_flat(json.loads(path.read_text())))
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path} is damaged: {error}", remedy="begin the run again in another folder") from error
    asked = dict(_flat(json.loads(json.dumps(facts))))
    found.pop(_BEGUN, None)
    return [
        f"{name} is {asked.get(name, 'not given')}, was {found.get(name, 'not given')}"
        for name in sorted(asked.keys() | found.keys())
        if asked.get(name) != found.get(name)
    ]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a JSON value by their place: ("candidates.0.recipe", "plate")."""
    match value:
        case dict():
            for key, each in value.items():
                yield from _flat(each, f"{name}.{key}" if name else key)
        case list():
            for index, each in enumerate(value):
                yield from _flat(each, f"{name}.{index}")
        case _:
            yield name, value
