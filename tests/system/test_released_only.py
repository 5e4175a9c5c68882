"""A station that is told to run released packages only refuses any other one: at start, and at a change of recipe."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import make_project, running

from lineside.client import StationClient
from lineside.core.errors import LinesideError
from lineside.detectors.declaration import read_declaration
from lineside.detectors.release import ReleasedRate, ReleaseRecord, write_release


def small_station(folder: Path) -> Path:
    station = make_project(folder, trigger='source = "software"')
    station.write_text(station.read_text() + "[inspector]\nreleased_only = true\n")
    return station


def add_package(folder: Path, name: str) -> None:
    """A copy of the small package that is another one by its threshold, and a recipe for it."""
    from lineside.detectors.manifest import Threshold
    from lineside.detectors.package import load_package
    from lineside.detectors.revision import revised

    package = load_package(folder / "models" / "small")
    other = Threshold(value=package.threshold * 0.99, set_by="the test")
    revised(package, other, record={}, files={}, folder=folder / "models" / name)
    recipes = folder / "models" / "recipes"
    text = (recipes / "small.toml").read_text().replace('"small"', f'"{name}"')
    (recipes / f"{name}.toml").write_text(text)


def release(folder: Path, name: str) -> Path:
    identity = read_declaration(folder / "models" / name).identity
    shown = ReleasedRate(count=0, of=300, at_most=0.00994, asked=0.01)
    record = ReleaseRecord(
        package_id=identity.id,
        package_revision=identity.revision,
        package_sha256=identity.sha256,
        recipe_id="",
        recipe_sha256="",
        confidence=0.95,
        escapes=shown,
        overkill=shown,
        data_name="data",
        data_split="test",
        data_sha256="0" * 64,
        qualification_file="q.json",
        qualification_sha256="0" * 64,
        released_by="the test",
        released_utc="2026-11-27T12:00:00Z",
        lineside="0",
    )
    return write_release(folder / "models", record.sealed())


def refusal(station: Path) -> str:
    command = [sys.executable, "-m", "lineside", "run", str(station)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert " serves on " not in ended.stderr
    return ended.stderr


def test_it_does_not_start_with_a_package_that_is_not_released(tmp_path: Path) -> None:
    station = small_station(tmp_path)
    said = refusal(station)

    assert "released_only = true, and package small revision 1" in said
    assert "lineside models release small --max-escape 1%" in said


def test_it_does_not_start_by_a_release_that_was_altered(tmp_path: Path) -> None:
    station = small_station(tmp_path)
    record = release(tmp_path, "small")
    record.write_text(record.read_text().replace('"of": 300', '"of": 900'))

    assert "has been altered" in refusal(station)


async def test_it_runs_what_is_released_and_changes_to_nothing_else(tmp_path: Path) -> None:
    station = small_station(tmp_path)
    add_package(tmp_path, "other")
    release(tmp_path, "small")
    with running(station) as process:
        async with StationClient(process.address) as client:
            with pytest.raises(LinesideError, match=r"package other revision 2 \(\w{12}\) is not released"):
                await client.change_recipe("other", requested_by="the test")
            status = await client.status()
            assert (status.recipe.id, status.ready) == ("small", True)

            release(tmp_path, "other")
            assert (await client.change_recipe("other", requested_by="the test")).id == "other"
    shutil.rmtree(tmp_path / "models" / "releases")
    assert "package small revision 1" in refusal(station)
