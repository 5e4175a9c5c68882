"""One verdict of a real station again: byte for byte, or what differs by name; and why it was given."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_project import HEIGHT_PX, WIDTH_PX, make_project, running

from lineside.assemble import open_inspector
from lineside.client import StationClient
from lineside.core.errors import ConfigError
from lineside.reinspect.candidate import candidate_of_station
from lineside.reinspect.judge import JudgeOrder
from lineside.reinspect.replay import replay as judge_again
from lineside.reinspect.sources.source import SourceOptions
from lineside.reinspect.sources.station import open_station

CAMERA = 'backend = "folder"\npath = "pictures"\nfile_pixel_format = "Mono8"'
KEEP_ALL = "[images]\npass_share = 1.0"
DAMAGED = 3
"""The verdict of the picture that is none."""


def replay(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and all that was printed."""
    command = [sys.executable, "-m", "lineside", "replay", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose station has judged six pictures: dark ones pass, three bright spots and more fail."""
    project = tmp_path_factory.mktemp("inspected")
    pictures = project / "pictures"
    pictures.mkdir()
    for number in range(1, 7):
        picture = np.full((HEIGHT_PX, WIDTH_PX), 40, np.uint8)
        for spot in range(number):
            picture[40:60, 8 + 24 * spot : 24 + 24 * spot] = 250 - spot
        cv2.imwrite(str(pictures / f"part{number}.png"), picture)
    (pictures / f"part{DAMAGED}.png").write_bytes(b"no picture at all")
    station = make_project(project, camera=CAMERA, recipe=KEEP_ALL)
    with running(station, "--until-end") as process:
        assert process.wait() == 0
    return project


@pytest.fixture
def project(inspected: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy that a test may spoil."""
    yield Path(shutil.copytree(inspected, tmp_path / "project"))


def station_file(project: Path) -> Path:
    return project / "calibration" / "stations" / "small.toml"


def image_of(project: Path, sequence: int) -> Path:
    with closing(sqlite3.connect(project / "var" / "journal.sqlite")) as journal:
        (path,) = journal.execute(
            "SELECT path FROM images JOIN verdicts USING (trigger_number) WHERE sequence = ?", (sequence,)
        ).fetchone()
    return project / "var" / "images" / str(path)


def test_a_failed_part_is_reproduced_byte_for_byte_and_it_says_why_it_failed(inspected: Path) -> None:
    code, told = replay(4, "--station", station_file(inspected))

    assert code == 0, told
    assert "verdict 4, trigger 4, part part4.png: FAIL: anomaly in top, 4 of them (limit 3), score 0.98" in told
    assert "reproduced, byte for byte, by recipe small (" in told
    assert re.search(r"view top: score 0\.980\d*, at or above the threshold 0\.7", told)
    assert "limit any: broken by 4, 3 allowed (class *, view *, region *, score from the threshold)" in told
    assert re.search(r"anomaly in top/all: score 0\.980\d*, .* 16 x 20 px at 8, 40", told)


def test_a_passed_part_is_reproduced_and_it_says_what_was_found_all_the_same(inspected: Path) -> None:
    code, told = replay(2, "--station", station_file(inspected))

    assert code == 0, told
    assert "verdict 2, trigger 2, part part2.png: PASS" in told
    assert "limit any: holds, 2 found, 2 of them beyond it, 3 allowed" in told


def test_the_findings_and_the_scores_are_drawn(inspected: Path, tmp_path: Path) -> None:
    code, told = replay(4, "--station", station_file(inspected), "--draw", tmp_path / "drawn")

    assert code == 0
    assert {"4-top.png", "4-top-map.png"} == {path.name for path in (tmp_path / "drawn").iterdir()}
    assert str(tmp_path / "drawn" / "4-top.png") in told
    findings, scores = (cv2.imread(str(tmp_path / "drawn" / name)) for name in ("4-top.png", "4-top-map.png"))
    assert findings.shape == scores.shape == (HEIGHT_PX + 34, WIDTH_PX, 3)
    taken = cv2.imread(str(inspected / "pictures" / "part4.png"))
    below = findings[34:]
    assert (below != taken).any(axis=2).sum() > 100, "boxes are drawn"
    assert not np.array_equal(findings, scores)


def test_the_station_file_is_found_by_the_data_dir_alone(inspected: Path) -> None:
    code, told = replay(1, "--data-dir", inspected / "var")

    assert code == 0, told


def test_a_record_that_was_taken_elsewhere_is_judged_by_the_station_that_is_named(
    inspected: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(inspected / "var", tmp_path / "fetched"))

    assert replay(4, "--data-dir", moved, "--station", station_file(inspected))[0] == 0
    code, told = replay(4, "--data-dir", moved)
    assert code == 2
    assert "no station file of small" in told


def test_a_part_without_a_frame_is_reproduced_while_there_is_still_none(inspected: Path) -> None:
    code, told = replay(DAMAGED, "--station", station_file(inspected))

    assert code == 0, told
    assert f"part part{DAMAGED}.png: NOT_INSPECTED" in told
    assert "reproduced: there is still no image (top: there is no frame" in told


def test_an_altered_image_is_named_and_nothing_is_reproduced(project: Path) -> None:
    image = image_of(project, 4)
    content = bytearray(image.read_bytes())
    content[-30] ^= 1
    image.write_bytes(content)

    code, told = replay(4, "--station", station_file(project))

    assert code == 1
    assert "cannot be judged again: top: file is damaged" in told
    assert "as was recorded" in told


def test_an_image_that_is_gone_is_named(project: Path) -> None:
    image_of(project, 4).unlink()

    code, told = replay(4, "--station", station_file(project))

    assert code == 1
    assert "is not there, or no longer" in told


def test_after_the_recipe_has_changed_it_is_named_and_then_what_it_changes(project: Path) -> None:
    recipe = project / "models" / "recipes" / "small.toml"
    recipe.write_text(
        recipe.read_text().replace("revision = 1", "revision = 2").replace("max_count = 3", "max_count = 4")
    )

    code, told = replay(4, "--station", station_file(project))

    assert code == 1
    assert re.search(r"not reproduced: recipe small r1 \([0-9a-f]{12}\) → small r2 \([0-9a-f]{12}\)", told)
    assert "outcome FAIL → PASS" in told
    assert "defects_total 4 → 0" in told


def test_the_same_answer_by_another_recipe_is_no_reproduction(project: Path) -> None:
    recipe = project / "models" / "recipes" / "small.toml"
    recipe.write_text(recipe.read_text().replace("due_ms = 2000", "due_ms = 3000"))

    code, told = replay(1, "--station", station_file(project))

    assert code == 1
    assert "the same answer, otherwise judged: recipe small r1" in told


def test_the_whole_archive_gives_every_judgement_again(inspected: Path) -> None:
    candidate = candidate_of_station(station_file(inspected))
    parts = list(open_station(str(station_file(inspected)), SourceOptions()).parts())
    judge = JudgeOrder(candidates=(candidate,), open_inspector=open_inspector)()

    rows = judge.chunk(parts)

    assert [(True, "")] * 6 == [(row.reproduces, row.difference) for row in rows]
    assert ["PASS", "PASS", "", "FAIL", "FAIL", "FAIL"] == [row.outcome for row in rows]
    assert [row.original_outcome for row in rows] == ["PASS", "PASS", "NOT_INSPECTED", "FAIL", "FAIL", "FAIL"]


@pytest.mark.parametrize(
    ("sequence", "where", "why"),
    [
        (1, {}, "neither a station file nor a data_dir"),
        (99, {"data_dir": "var"}, "99"),
        (1, {"data_dir": "nothing"}, "nothing"),
        (1, {"station": "nothing.toml"}, "nothing.toml"),
    ],
)
def test_wrong_usage_is_a_wrong_declaration(inspected: Path, sequence: int, where: dict[str, str], why: str) -> None:
    places = {name: inspected / place for name, place in where.items()}

    with pytest.raises(ConfigError, match=why):
        judge_again(sequence, **places, open_inspector=open_inspector)


async def test_while_the_station_runs_and_for_a_part_that_it_never_judged(tmp_path: Path) -> None:
    station = make_project(tmp_path, trigger='source = "software"', recipe=KEEP_ALL)
    with running(station) as process:
        async with StationClient(process.address) as client:
            judged = (await client.trigger("judged", wait=True)).verdict
            await client.pause(requested_by="test", why="the belt is cleaned")
            never = (await client.trigger("never", wait=True)).verdict
            code, told = replay(never.sequence, "--station", station)
            assert code == 1
            assert "never judged by the station: NOT_INSPECTED OPERATOR_OFFLINE, the belt is cleaned" in told
        code, told = replay(judged.sequence, "--station", station)
        assert code == 0, told
        assert process.terminate() == 0
