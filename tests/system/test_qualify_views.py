"""`lineside qualify` over a recipe of several views: one of them at a time, with the limits that hold there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from archive_project import make_project
from labelled_pictures import Shown, write_data

LIMITS = """[[limits]]
name = "large spots"
view = "face"
max_length_px = 6.0
[[limits]]
name = "any spot"
view = "back"
[[limits]]
name = "nothing at the rim"
region = "rim"
"""
RIM = '[[views.back.regions]]\nname = "rim"\ninclude = [[[0, 0], [48, 0], [48, 4], [0, 4]]]\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A spot of 4 px is allowed on the face, and nowhere else."""
    folder = make_project(tmp_path, views=("face", "back"))
    recipe = folder / "models" / "recipes" / "plate.toml"
    text = recipe.read_text().partition("[[limits]]")[0]
    recipe.write_text(text + RIM + '[[views.back.regions]]\nname = "rest"\n' + LIMITS)
    good = [Shown(name=f"good/{index}.png", good=True, brightness=40 + index) for index in range(6)]
    small = [Shown(name=f"bad/small-{index}.png", good=False, brightness=254, side_px=4) for index in range(3)]
    large = [Shown(name=f"bad/large-{index}.png", good=False, brightness=254, side_px=9) for index in range(3)]
    write_data(folder / "data", [*good, *small, *large])
    return folder


def qualified(project: Path, what: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lineside", "qualify", what, "data", "--repeat-parts", "0", *words]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=100)


def test_each_view_is_judged_by_the_limits_that_hold_there(project: Path) -> None:
    escapes = {}
    for view in ("face", "back"):
        told = qualified(project, "models/recipes/plate.toml", "--view", view)
        assert told.returncode == 0, told.stderr
        (document,) = (project / "models" / "qualifications").glob(f"plate-{view}-*.json")
        read = json.loads(document.read_text())
        assert (read["by"]["recipe_id"], read["by"]["view"]) == ("plate", view)
        assert f">{view}<" in document.with_suffix(".html").read_text()
        escapes[view] = sorted(read["worst_escapes"])

    assert {"face": [f"bad/small-{index}.png" for index in range(3)], "back": []} == escapes


def test_which_view_the_pictures_show_has_to_be_said(project: Path) -> None:
    for words, error in (
        ((), "recipe plate has the views face, back expected: one of them"),
        (("--view", "top"), "recipe plate has the views face, back, not top expected: one of them"),
    ):
        told = qualified(project, "models/recipes/plate.toml", *words)
        assert told.returncode == 2
        assert error in " ".join(told.stderr.split())

    told = qualified(project, "models/tiny", "--view", "face")
    assert told.returncode == 2 and "--view face beside a package" in told.stderr
