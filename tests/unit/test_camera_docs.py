"""docs/cameras.md says everything that a station file may say about a camera."""

import re
import tomllib
from pathlib import Path

import pytest

from lineside.cameras.camera_config import CameraConfig
from lineside.cameras.folder import FolderConfig
from lineside.cameras.genicam import GenicamConfig
from lineside.cameras.opencv import OpencvConfig

PAGE = (Path(__file__).parents[2] / "docs" / "cameras.md").read_text(encoding="utf-8")
CONFIGS = {"folder": FolderConfig, "opencv": OpencvConfig, "genicam": GenicamConfig}
SNIPPETS = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)


def section_of(backend: str) -> str:
    return PAGE.split(f"\n## `{backend}`", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]


@pytest.mark.parametrize("backend", CONFIGS)
def test_every_key_of_a_backend_has_a_row_in_its_table(backend: str) -> None:
    own = CONFIGS[backend].model_fields.keys() - CameraConfig.model_fields.keys()

    assert own == set(re.findall(r"^\| `(\w+)` \|", section_of(backend), flags=re.MULTILINE))


def test_the_shared_keys_have_a_table_of_their_own() -> None:
    shared = PAGE.split("\n## Keys that all cameras share", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]

    assert CameraConfig.model_fields.keys() <= set(re.findall(r"^\| `(\w+)` \|", shared, flags=re.MULTILINE))


def test_there_are_snippets_to_check() -> None:
    assert len(SNIPPETS) >= len(CONFIGS)


@pytest.mark.parametrize("snippet", [text for text in SNIPPETS if 'backend = "simulated"' not in text])
def test_every_snippet_is_a_camera(snippet: str) -> None:
    for camera in tomllib.loads(snippet)["cameras"].values():
        config = CONFIGS[camera["backend"]].model_validate(camera)

        assert config.backend == camera["backend"]
