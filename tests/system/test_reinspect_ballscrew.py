"""Real pictures with known truth: a package made from good ones, held against the whole archive."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import imagesize
import pytest

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "ballscrew"


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "split.csv").exists(), reason="the real pictures are not beside the project")
def test_real_pictures_with_truth_are_judged_and_those_of_another_size_are_named(tmp_path: Path) -> None:
    with (DATA / "split.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "train"]
    sizes = [imagesize.get(DATA / row["file"]) for row in rows]
    good = [row for row, size in zip(rows, sizes, strict=True) if row["label"] == "good" and size == sizes[0]]
    package = tmp_path / "models" / "template"
    pictures = [str(DATA / row["file"]) for row in good[:40]]
    assert 0 == lineside("train", "template", *pictures, "-o", str(package), "--pixel-format", "BGR8")

    words = ("--package", str(package), "--split", "train", "--draw", "fail", "--draw-most", "2")
    assert 1 == lineside("reinspect", str(DATA), "-o", str(tmp_path / "out"), *words), "some are of another size"

    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    (candidate,) = summary["candidates"]
    of_another_size = sum(size != sizes[0] for size in sizes)
    assert (len(rows), of_another_size) == (summary["parts"], summary["unreadable"])
    assert sum(row["label"] == "good" for row in rows) == summary["known_good"]
    assert 0 < candidate["truth"]["escapes"]["of"] < summary["known_bad"]
    assert 2 == len([path for path in (tmp_path / "out" / "drawn").rglob("*.*") if path.is_file()])


def lineside(*words: str) -> int:
    return subprocess.run([sys.executable, "-m", "lineside", *words], check=False).returncode
