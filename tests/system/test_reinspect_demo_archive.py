"""A station's archive made by the demo: every judgement again, and what another recipe would have changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PARTS = 200


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's project, at a faster takt and with all images kept, after a run."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("calibration", "models"):
        shutil.copytree(ROOT / name, folder / name)
    replaced(folder / "calibration/stations/demo.toml", "takt_ms = 100", "takt_ms = 40")
    replaced(folder / "models/recipes/demo-plate.toml", "pass_share = 0.02", "pass_share = 1.0")
    assert 0 == lineside("demo", "--project", folder, "--output", folder, "--count", PARTS)
    (run,) = folder.glob("run-*")
    run.rename(folder / "run")
    return folder


@pytest.mark.slow
def test_every_judgement_of_the_demos_station_comes_out_again(project: Path) -> None:
    assert 0 == reinspect(
        project, "proof", "--station", project / "calibration/stations/demo.toml", "--expect-reproduced"
    )

    summary = summary_of(project, "proof")
    (candidate,) = summary["candidates"]
    assert PARTS == summary["parts"]
    assert (
        PARTS - summary["not_kept"] - summary["original_verdicts"].get("NOT_INSPECTED", 0)
        <= (candidate["reproduction"]["identical"])
    )
    assert 0 < candidate["reproduction"]["identical"]
    assert 0 == candidate["reproduction"]["different"]


@pytest.mark.slow
def test_what_another_recipe_changes_is_told_both_ways_with_pictures(project: Path) -> None:
    recipe = project / "models/recipes/demo-plate-2.toml"
    shutil.copy(project / "models/recipes/demo-plate.toml", recipe)
    replaced(recipe, 'recipe_id = "demo-plate"', 'recipe_id = "demo-plate-2"')
    replaced(
        recipe,
        "max_length_mm = 0.8",
        "max_length_mm = 9.5\nerrs = 'neither'\n\n[[limits]]\nname = 'many'\nmin_score = 0.52\nmax_count = 2",
    )
    station = project / "calibration/stations/demo.toml"

    assert 0 == reinspect(project, "changed", "--against", station, "--recipe", recipe, "--scales", station)

    comparisons = summary_of(project, "changed")["comparisons"]
    changes = {(each["changes"]["before"], each["changes"]["after"]): each["changes"] for each in comparisons}
    against_station = changes["the station", "B"]
    assert 0 < against_station["newly_rejected"]["total"]
    assert 0 < against_station["newly_passed"]["total"]
    page = (project / "changed/report.html").read_text()
    for change in ("newly_rejected", "newly_passed"):
        assert all(each["part_id"] in page for each in against_station[change]["parts"])
    assert "data:image/" in page, "their pictures"


def reinspect(project: Path, out: str, *words: object) -> int:
    return lineside("reinspect", project / "run/station", "-o", project / out, *words)


def lineside(*words: object) -> int:
    return subprocess.run([sys.executable, "-m", "lineside", *map(str, words)], check=False).returncode


def summary_of(project: Path, out: str) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((project / out / "summary.json").read_text())
    return summary


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert 1 == text.count(old), f"{path} has no {old}"
    path.write_text(text.replace(old, new))
