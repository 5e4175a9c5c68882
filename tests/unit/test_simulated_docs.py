"""docs/simulated-camera.md says everything that may be said about a simulated camera."""

import re
import tomllib
from pathlib import Path
from typing import get_args

from lineside.cameras.camera_config import CameraConfig
from lineside.cameras.simulated import Fault, SimulatedConfig

PAGE = (Path(__file__).parents[2] / "docs" / "simulated-camera.md").read_text(encoding="utf-8")


def test_every_key_and_every_fault_has_a_row_in_its_table() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE))
    kinds = set(get_args(Fault.model_fields["kind"].annotation))

    assert (SimulatedConfig.model_fields.keys() - CameraConfig.model_fields.keys()) | kinds == rows


def test_the_example_is_a_valid_configuration() -> None:
    (snippet,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)

    config = SimulatedConfig.model_validate(tomllib.loads(snippet)["cameras"]["face"])

    assert ["lost_frame", "stall"] == [fault.kind for fault in config.faults]
