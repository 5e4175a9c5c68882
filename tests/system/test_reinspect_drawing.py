"""`--draw`: pictures of really judged parts, under names that no part id can abuse."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reinspected_plates import Plates, reinspected_plates
from small_project import descendants_of

from lineside.core.errors import FrameError
from lineside.core.finding import Detection
from lineside.core.frame import Frame
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.drawing import Chosen, Drawing, choose, draw, file_name
from lineside.reinspect.drawing_crew import draw_by_crew
from lineside.reinspect.row import Row, State, table_of


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Plates:
    return reinspected_plates(tmp_path_factory.mktemp("plates"), 12)


def pictures_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_every_chosen_part_is_drawn_under_candidate_and_outcome(plates: Plates, tmp_path: Path, suffix: str) -> None:
    told: list[str] = []
    chosen = choose(Drawing(at_most=100, suffix=suffix), plates.rows_path)  # type: ignore[arg-type]
    count = draw(chosen, plates.look, tmp_path, drawn=told.append)

    judged = [row for row in plates.rows if row.state is State.JUDGED]
    names = {"A: demo-plate r1": "A_demo-plate_r1", "B: package demo-plate r1": "B_package_demo-plate_r1"}
    expected = {f"{names[row.candidate]}/{row.outcome}/{file_name(row.part_key, suffix)}" for row in judged}
    assert expected == pictures_in(tmp_path)
    assert len(expected) == count == 22  # of 12 parts one is unreadable
    assert told == list(chosen.keys)
    for name in expected:
        picture = cv2.imread(str(tmp_path / name))
        assert (480 + 34, 640) == picture.shape[:2], "the picture in its own size, and the banner on top"


def test_a_defect_is_marked_where_it_is(plates: Plates, tmp_path: Path) -> None:
    worst = max((row for row in plates.rows if row.defects), key=lambda row: row.defects[0].score)
    draw(choose(Drawing(at_most=100, suffix="png"), plates.rows_path), plates.look, tmp_path)
    letter = worst.candidate[0]
    (path,) = tmp_path.glob(f"{letter}_*/FAIL/{file_name(worst.part_key, 'png')}")
    drawn = cv2.imread(str(path))[34:]
    view = next(iter(plates.look(worst.part_key)[worst.candidate].values()))
    plain = cv2.cvtColor(view[0].pixels, cv2.COLOR_GRAY2BGR)

    defect = worst.defects[0]
    x, y = round(defect.x_px - 4), round(defect.y_px + defect.height_px / 2)
    assert np.any(drawn != plain)
    assert (drawn[y, x].astype(int)[2] - drawn[y, x].astype(int)[0]) > 100, "red, at the left edge of the box"


def test_only_parts_with_the_asked_outcome_are_chosen_and_no_more_than_asked_for(plates: Plates) -> None:
    failed = list(dict.fromkeys(row.part_key for row in plates.rows if row.outcome == "FAIL"))

    assert failed == list(choose(Drawing(at_most=100, outcomes=("FAIL",)), plates.rows_path))
    assert failed[:2] == list(choose(Drawing(at_most=2, outcomes=("FAIL",)), plates.rows_path))
    assert [] == list(choose(Drawing(), plates.rows_path))


def test_a_picture_that_is_there_is_not_drawn_again(plates: Plates, tmp_path: Path) -> None:
    chosen = choose(Drawing(at_most=3), plates.rows_path)
    count = draw(chosen, plates.look, tmp_path)
    asked: list[str] = []

    def look(key: str) -> dict[str, dict[str, tuple[Frame, Detection]]]:
        asked.append(key)
        raise FrameError("must not be asked")

    assert count == draw(chosen, look, tmp_path)
    assert not asked


def test_a_part_that_has_gone_is_left_out_and_the_others_are_drawn(plates: Plates, tmp_path: Path) -> None:
    chosen = choose(Drawing(at_most=100), plates.rows_path)
    gone = chosen.keys[0]

    def look(key: str) -> object:
        if key == gone:
            raise FrameError("plate-0000.png: vanished")
        return plates.look(key)

    assert 20 == draw(chosen, look, tmp_path)  # type: ignore[arg-type]


def row(key: str, **facts: object) -> Row:
    return Row(**{"part_key": key, "candidate": "only", "state": State.JUDGED, "outcome": "PASS", **facts})  # type: ignore[arg-type]


def grey_views(*sizes: tuple[int, int]) -> dict[str, dict[str, tuple[Frame, Detection]]]:
    def frame(view: str, size: tuple[int, int]) -> Frame:
        return Frame(
            view=view,
            pixels=np.full(size, 3000, np.uint16),
            pixel_format=PixelFormat.MONO12,
            frame_id=0,
            captured_utc_ns=0,
            captured_mono_ns=0,
            camera_serial="",
        )

    return {"only": {f"view{n}": (frame(f"view{n}", size), Detection(score=0.1)) for n, size in enumerate(sizes)}}


def written(folder: Path, *rows: Row) -> Chosen:
    path = folder / "rows.parquet"
    pq.write_table(table_of(rows), path)
    return choose(Drawing(at_most=9, suffix="png"), path)


def test_views_of_different_sizes_and_16_bits_stand_side_by_side(tmp_path: Path) -> None:
    draw(written(tmp_path, row("p", score=0.5)), lambda key: grey_views((40, 300), (90, 200)), tmp_path / "drawn")

    assert (90 + 34, 500, 3) == cv2.imread(str(tmp_path / "drawn" / "PASS" / "p.png")).shape


def test_several_processes_draw_the_same_pictures_and_one_that_is_killed_costs_its_share_until_the_next_time(
    plates: Plates, tmp_path: Path
) -> None:
    chosen = choose(Drawing(at_most=100, suffix="png"), plates.rows_path)
    draw(chosen, plates.look, tmp_path / "alone")
    killed: list[int] = []

    def crew(drawn: Callable[[int], None]) -> int:
        return draw_by_crew(
            chosen, plates.parts, plates.order, tmp_path / "crew", look=plates.look, workers=2, few=2, drawn=drawn
        )

    def kill_all(parts: int) -> None:
        if not killed:
            killed.extend(descendants_of(os.getpid()))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    crew(kill_all)
    count = crew(lambda parts: None)

    alone = pictures_in(tmp_path / "alone")
    assert count == len(alone) == 22
    assert alone == pictures_in(tmp_path / "crew")
    assert all((tmp_path / "alone" / name).read_bytes() == (tmp_path / "crew" / name).read_bytes() for name in alone)


HARMFUL = [
    "../../up",
    "/etc/passwd",
    "a/b/c.png",
    "CON:<>|?*",
    ".hidden",
    "..",
    "",
    "x" * 400,
    "naïve\\xff",
    "a\nb",
    "\0",
]


@pytest.mark.parametrize("key", HARMFUL)
def test_no_key_leads_out_of_the_folder_or_hides(key: str, tmp_path: Path) -> None:
    name = file_name(key, "png")
    path = tmp_path / name
    path.write_bytes(b"")

    assert path.parent == tmp_path
    assert [name] == [each.name for each in tmp_path.iterdir()]
    assert not name.startswith(".")
    assert len(name) <= 140
    assert name.isascii()


def some_keys() -> Iterator[st.SearchStrategy[str]]:
    yield st.text(max_size=300)
    yield st.sampled_from([*HARMFUL, "a_b", "a/b", "a b", "a-b"])


@given(first=st.one_of(*some_keys()), second=st.one_of(*some_keys()))
def test_no_two_parts_share_a_name(first: str, second: str) -> None:
    assert (first == second) is (file_name(first, "png") == file_name(second, "png"))
