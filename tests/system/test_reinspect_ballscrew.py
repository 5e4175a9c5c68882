"""Real pictures with known truth: packages made from good ones, held against each other over the archive."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import imagesize
import pytest

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "ballscrew"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (DATA / "split.csv").exists(), reason="the real pictures are not beside the project"),
]

ROWS: list[dict[str, str]] = []
if (DATA / "split.csv").exists():
    with (DATA / "split.csv").open() as table:
        ROWS = [row for row in csv.DictReader(table) if row["split"] == "train"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template that takes one size and a bank that takes all, of forty good pictures of the most frequent size."""
    folder = tmp_path_factory.mktemp("models")
    size = sizes()[0]
    good = [row["file"] for row, each in zip(ROWS, sizes(), strict=True) if row["label"] == "good" and each == size]
    pictures = folder / "pictures" / "good"
    pictures.mkdir(parents=True)
    for file in good[:40]:
        (pictures / Path(file).name).symlink_to(DATA / file)
    assert 0 == lineside("train", "template", pictures, "-o", folder / "template", "--pixel-format", "BGR8")
    assert 0 == lineside("train", "bank", pictures.parent, "-o", folder / "bank", "--pixel-format", "BGR8")
    return folder


def test_pictures_of_another_size_are_named_and_the_others_are_judged(models: Path, tmp_path: Path) -> None:
    words = ("--package", models / "template", "--split", "train", "--draw", "fail", "--draw-most", "2")
    assert 1 == lineside("reinspect", DATA, "-o", tmp_path / "out", *words), "some are of another size"

    summary = summary_of(tmp_path / "out")
    (candidate,) = summary["candidates"]
    of_another_size = sum(size != sizes()[0] for size in sizes())
    assert (len(ROWS), of_another_size) == (summary["parts"], summary["unreadable"])
    assert sum(row["label"] == "good" for row in ROWS) == summary["known_good"]
    assert 0 < candidate["truth"]["escapes"]["of"] < summary["known_bad"]
    assert 2 == len([path for path in (tmp_path / "out" / "drawn").rglob("*.*") if path.is_file()])


def test_two_packages_are_held_against_each_other_over_all_sizes(models: Path, tmp_path: Path) -> None:
    words = ("--package", models / "template", "--package", models / "bank", "--split", "train", "--fit", "resize")
    assert 0 == lineside("reinspect", DATA, "-o", tmp_path / "out", *words, "--sample", "60")

    summary = summary_of(tmp_path / "out")
    (comparison,) = summary["comparisons"]
    assert (60, 0, 60) == (summary["parts"], summary["unreadable"], comparison["changes"]["compared"])
    assert "truth" == comparison["significance"]["on"]
    assert {"sample": len(ROWS) - 60} == summary["run"]["left_out"]
    for candidate in summary["candidates"]:
        assert 60 == candidate["truth"]["escapes"]["of"] + candidate["truth"]["overkill"]["of"]


def sizes() -> list[tuple[int, int]]:
    return [imagesize.get(DATA / row["file"]) for row in ROWS]


def summary_of(out: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def lineside(*words: object) -> int:
    return subprocess.run([sys.executable, "-m", "lineside", *map(str, words)], check=False).returncode
