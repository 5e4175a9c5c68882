"""A station over a folder of real photographs: one verdict for each, in order, by name."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import image_states, journal_rows, make_project, running, status_when, why

from lineside.client import Outcome, StationClient
from lineside.wire.v1 import inspection_pb2 as pb

PHOTOGRAPHS = Path(__file__).parents[2].parent / "shared" / "data" / "ballscrew"
SIZE_PX = (280, 114)
"""A quarter of the photographs' size: quick, and they are still worth looking at."""
CAMERA = """backend = "folder"
path = "{folder}"
file_pixel_format = "BGR8"
fit = "resize"
{more}
"""

pytestmark = pytest.mark.skipif(not PHOTOGRAPHS.exists(), reason="the photographs of ball screws are not here")


def lineside(*arguments: str | Path) -> str:
    """Runs the command as a process; it must succeed. Returns its standard output."""
    command = [sys.executable, "-m", "lineside", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def listed(**wanted: tuple[str, ...]) -> list[str]:
    """The files of the list whose columns hold one of the values wanted, in the list's order."""
    with (PHOTOGRAPHS / "split.csv").open(newline="") as file:
        rows = csv.DictReader(file)
        return [row["file"] for row in rows if all(row[column] in values for column, values in wanted.items())]


def template_project(folder: Path, camera: str) -> Path:
    """A project whose package is trained on good photographs, and whose recipe allows no defect."""
    station = make_project(folder, camera=camera, size_px=SIZE_PX, due_ms=10_000)
    good = [PHOTOGRAPHS / name for name in listed(split=("train",), label=("good",))]
    size = f"{SIZE_PX[0]}x{SIZE_PX[1]}"
    options = [
        "--size",
        size,
        "--fit",
        "resize",
        "--file-pixel-format",
        "BGR8",
        "--output",
        folder / "models" / "screw",
    ]
    lineside("train", "template", *good, *options)
    recipe = folder / "models" / "recipes" / "small.toml"
    text = (
        recipe.read_text().replace('package = "small"', 'package = "screw"').replace("max_count = 3", "max_count = 0")
    )
    recipe.write_text(text)
    return station


@pytest.mark.slow
async def test_each_photograph_gets_one_verdict_in_order_and_each_reject_is_archived(tmp_path: Path) -> None:
    where = "list_file = \"{}\"\nwhere = {{ split = ['val', 'test'] }}".format(PHOTOGRAPHS / "split.csv")
    station_file = template_project(tmp_path, CAMERA.format(folder=PHOTOGRAPHS, more=where))
    names = listed(split=("val", "test"))
    with running(station_file) as station:
        watched = lineside("watch", "--json", "--after", "0", "--count", str(len(names)), "--station", station.address)
        verdicts = [json.loads(line) for line in watched.splitlines()]
        assert [verdict["part_id"] for verdict in verdicts] == names
        assert [verdict["sequence"] for verdict in verdicts] == list(range(1, len(names) + 1))
        rejects = [verdict for verdict in verdicts if verdict["outcome"] != "PASS"]
        assert {verdict["outcome"] for verdict in verdicts} == {"PASS", "FAIL"}, "it tells some from others"

        async with StationClient(station.address) as client:
            archived = await status_when(client, lambda status: status.archive.kept >= len(rejects))
            assert (archived.archive.kept, archived.archive.shed, archived.archive.failed) == (len(rejects), 0, 0)
            assert archived.counters.triggers == len(names)
            for verdict in rejects:
                (image,) = verdict["images"]
                assert await image_states(client, pb.Verdict(sequence=verdict["sequence"])) == ["kept"]
                assert image["kept"]
                description, content = await client.image(image["image_id"])  # checks the checksum
                assert (description.width_px, description.height_px) == SIZE_PX
                assert description.sha256 == hashlib.sha256(content).hexdigest()
        fetched = tmp_path / "fetched.png"
        lineside("image", rejects[-1]["images"][0]["image_id"], "--output", fetched, "--station", station.address)
        assert fetched.read_bytes() == content
        assert station.terminate() == 0
    failed = sum(verdict["outcome"] == "FAIL" for verdict in verdicts)
    told = f"triggers {len(names)} = pass {len(names) - failed} + fail {failed} + not inspected 0"
    assert told in station.log()
    rows = journal_rows(tmp_path, "SELECT path, sha256 FROM images WHERE state = 'kept'")
    assert len(rows) == len(rejects)
    for path, sha256 in rows:
        assert hashlib.sha256((tmp_path / "var" / "images" / path).read_bytes()).hexdigest() == sha256


async def test_damaged_pictures_are_not_inspected_by_name_and_the_others_are(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    names = [f"part{number}.jpg" for number in range(12)]
    for name, photograph in zip(names, listed(split=("test",)), strict=False):
        shutil.copyfile(PHOTOGRAPHS / photograph, folder / name)
    whole = (folder / names[1]).read_bytes()
    (folder / names[2]).write_bytes(whole[: len(whole) // 2])
    (folder / names[5]).write_bytes(b"")
    (folder / names[7]).write_bytes(b"no picture at all")
    (folder / names[9]).write_bytes(whole[:200] + bytes(len(whole) - 200))
    damaged = {names[number] for number in (2, 5, 7, 9)}
    more_than_may_be_in_flight = [f"part{number}.jpg" for number in range(20, 60)]
    for name in more_than_may_be_in_flight:
        (folder / name).write_bytes(b"no picture at all")
    names += [*more_than_may_be_in_flight, "part99.jpg"]
    (folder / "part99.jpg").write_bytes(whole)
    damaged.update(more_than_may_be_in_flight)

    station_file = make_project(tmp_path, camera=CAMERA.format(folder="pictures", more=""))
    with running(station_file) as station:
        async with StationClient(station.address) as client, client.verdicts(after_sequence=0) as reader:
            verdicts = [await anext(aiter(reader)) for _ in names]
        assert station.terminate() == 0
    assert [verdict.part_id for verdict in verdicts] == names
    for verdict in verdicts:
        if verdict.part_id in damaged:
            assert why(verdict) == "NOT_INSPECTED FRAME_DAMAGED"
            assert verdict.part_id in verdict.detail
        else:
            assert verdict.outcome in (Outcome.PASS, Outcome.FAIL)
    assert "triggers 53 = " in station.log()
