"""One part in, one row per candidate out; a bad file is a row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import fsspec
import numpy as np
import pytest
from archive_project import HEIGHT_PX, WIDTH_PX, colour_package, make_project, picture, resizing_package, written
from fsspec.implementations.memory import MemoryFileSystem
from judged_parts import archived, kept, open_judge, part_of, plate
from model_graphs import blur_package

from lineside.assemble import open_inspector
from lineside.cameras.fit import Fit
from lineside.core.errors import ConfigError, FrameError
from lineside.core.pixel_format import PixelFormat
from lineside.reinspect.candidate import candidate_of, lettered
from lineside.reinspect.judge import JudgeOrder
from lineside.reinspect.part import ImageRef, Part, RawFormat, Truth
from lineside.reinspect.row import TIMING_COLUMNS, Row, State, table_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def without_times(rows: Sequence[Row]) -> list[Row]:
    return [replace(row, **dict.fromkeys(TIMING_COLUMNS, 0.0)) for row in rows]


def test_each_part_has_one_row_per_candidate_in_order(project: Path, tmp_path: Path) -> None:
    stricter = blur_package(tmp_path / "stricter", threshold=0.05).folder
    judge = open_judge(plate(project), candidate_of(stricter))
    parts = [
        part_of(written(tmp_path, f"{spots}.png", picture(spots)), key=str(spots), part_id=f"P{spots}")
        for spots in range(3)
    ]

    rows = judge.chunk(parts)

    assert [("0", "A: plate r1"), ("0", "B: package tiny r1"), ("1", "A: plate r1")] == [
        (row.part_key, row.candidate) for row in rows[:3]
    ]
    assert ["PASS", "FAIL", "FAIL", "FAIL", "FAIL", "FAIL"] == [row.outcome for row in rows]
    assert all(row.state is State.JUDGED and row.error == "" for row in rows)
    two_spots = rows[4]
    assert (two_spots.defects_total, len(two_spots.defects), two_spots.reason) == (2, 2, "DEFECTS")
    assert two_spots.detail == "anomaly in face, score 0.94"
    assert two_spots.score == pytest.approx(240 / 255 / 0.5)
    assert {each.limit for each in two_spots.defects} == {"spots"}
    assert two_spots.part_id == "P2"
    assert two_spots.provider == "cpu"
    assert two_spots.models[0].id == "tiny"
    assert all(row.judge_ms >= row.infer_ms > 0 and row.read_ms > 0 and row.decode_ms > 0 for row in rows)
    assert table_of(rows).num_rows == 6


def test_the_same_parts_give_the_same_rows_but_for_the_times(project: Path, tmp_path: Path) -> None:
    parts = [part_of(written(tmp_path, f"{n}.png", picture(n % 4)), key=str(n)) for n in range(30)]
    parts[7] = part_of(str(tmp_path / "gone.png"), key="7")

    all_at_once = open_judge(plate(project), readers=4, window_images=4).chunk(parts)
    one_reader = open_judge(plate(project), readers=1, window_images=1, window_bytes=1)
    one_by_one = [row for part in parts for row in one_reader.chunk([part])]

    assert without_times(all_at_once) == without_times(one_by_one)
    assert [row.part_key for row in all_at_once] == [part.key for part in parts]


def test_a_bad_image_is_a_row_with_its_reason_and_the_others_go_on(project: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    good = written(tmp_path, "good.png", picture())
    urls = [good, str(tmp_path / "torn.png"), str(tmp_path / "gone.png"), good]

    rows = open_judge(plate(project)).chunk([part_of(url, key=str(n)) for n, url in enumerate(urls)])

    assert [State.JUDGED, State.UNREADABLE, State.UNREADABLE, State.JUDGED] == [row.state for row in rows]
    assert rows[1].error.startswith("face: file of 4 bytes is not a picture")
    assert rows[2].error.startswith(f"face: {tmp_path}/gone.png is not there")
    assert (rows[1].outcome, rows[1].judgement, rows[1].score) == ("", b"", None)
    assert len(rows[1].images[0].sha256) == 64
    assert rows[2].images[0].sha256 == ""


@pytest.mark.parametrize("size", [(WIDTH_PX + 1, HEIGHT_PX), (1, 1)])
def test_another_size_than_the_recipe_declares_is_refused_by_name(
    project: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    pixels = np.zeros(size[::-1], np.uint8)

    (row,) = open_judge(plate(project)).chunk([part_of(written(tmp_path, "p.png", pixels))])

    assert row.state is State.UNREADABLE
    assert f"Mono8 of {size[0]}x{size[1]} px; expected Mono8 of {WIDTH_PX}x{HEIGHT_PX} px" in row.error
    assert row.outcome == ""


def test_another_size_is_fitted_only_by_declaration_and_where_that_leads_to_the_recipes(
    project: Path, tmp_path: Path
) -> None:
    large = written(tmp_path, "large.png", picture(width_px=WIDTH_PX * 2, height_px=HEIGHT_PX * 2))

    rows = {}
    fits: tuple[Fit, ...] = ("resize", "crop", "pad")
    for fit in fits:
        order = JudgeOrder(candidates=lettered([plate(project)]), open_inspector=open_inspector, fit=fit)
        (rows[fit],) = order().chunk([part_of(large)])

    assert State.JUDGED is rows["resize"].state is rows["crop"].state
    assert f"{WIDTH_PX * 2} x {HEIGHT_PX * 2} px; expected {WIDTH_PX} x {HEIGHT_PX} px" in rows["pad"].error


def test_a_package_that_resizes_judges_pictures_of_all_sizes_and_says_where(tmp_path: Path) -> None:
    judge = open_judge(candidate_of(resizing_package(tmp_path / "resizing")))
    sizes = [(96, 64), (48, 32), (30, 200), (1, 1), (3000, 2)]
    parts = []
    for number, (width_px, height_px) in enumerate(sizes):
        pixels = np.full((height_px, width_px), 240, np.uint8)
        parts.append(part_of(written(tmp_path, f"{number}.png", pixels), key=str(number)))

    rows = judge.chunk(parts)

    assert ["FAIL"] * len(sizes) == [row.outcome for row in rows]
    for row, (width_px, height_px) in zip(rows, sizes, strict=True):
        box = row.defects[0]
        assert box.x_px + box.width_px <= width_px + 1e-6
        assert box.y_px + box.height_px == pytest.approx(height_px, rel=0.1)


def test_grey_is_no_colour_and_colour_is_right_in_either_order(tmp_path: Path) -> None:
    colours = [candidate_of(colour_package(tmp_path / form, form)) for form in (PixelFormat.BGR8, PixelFormat.RGB8)]
    judge = open_judge(*colours)
    grey = part_of(written(tmp_path, "grey.png", picture()), key="grey")
    colour = part_of(written(tmp_path, "colour.jpg", np.dstack([picture(2)] * 3)), key="colour")

    rows = judge.chunk([grey, colour])

    assert ["unreadable", "unreadable", "judged", "judged"] == [row.state for row in rows]
    assert "frame declared BGR8 is an array uint8" in rows[0].error
    assert "frame declared RGB8 is an array uint8" in rows[1].error


def test_views_are_joined_and_one_that_was_not_kept_is_told_without_fault(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", views=("face", "side"))
    good, bad = written(tmp_path, "good.png", picture()), written(tmp_path, "bad.png", picture(1))
    parts = [
        part_of(good, bad, key="both", views=("face", "side")),
        part_of(good, key="shed", views=("face",), missing={"side": "it was given up"}),
        part_of(good, key="nameless"),
        part_of(good, str(tmp_path / "gone.png"), key="gone", views=("face", "side")),
    ]

    both, shed, nameless, gone = open_judge(plate(project)).chunk(parts)

    assert (both.outcome, both.defects[0].view) == ("FAIL", "side")
    assert [each.view for each in both.view_scores] == ["face", "side"]
    assert (shed.state, shed.detail, shed.error) == (State.NOT_KEPT, "side: it was given up", "")
    assert nameless.state is State.UNREADABLE
    assert "face: the part has no image of this view" in nameless.error
    assert (gone.state, gone.error[:6]) == (State.UNREADABLE, "side: ")


def test_a_package_alone_looks_at_the_one_picture_whatever_its_view_is_called(project: Path, tmp_path: Path) -> None:
    judge = open_judge(candidate_of(project / "models" / "tiny"))
    good = written(tmp_path, "good.png", picture())

    one, several = judge.chunk([part_of(good, views=("top",)), part_of(good, good, views=("top", "side"))])

    assert one.outcome == "PASS"
    assert several.state is State.UNREADABLE
    assert "only of top, side" in several.error


def test_a_row_says_what_the_part_is_known_to_be_and_what_the_archived_image_says(
    project: Path, tmp_path: Path
) -> None:
    judge = open_judge(plate(project))
    path = tmp_path / "kept.png"
    path.write_bytes(archived(picture(1)))

    (row,) = judge.chunk([part_of(str(path), truth=Truth(bad=True, class_name="spot"))])

    assert (row.truth_bad, row.truth_class) == (True, "spot")
    assert (row.part_id, row.captured_utc_ns) == ("P-1", 77)


def test_a_part_that_is_given_up_is_not_read_at_all(project: Path, tmp_path: Path) -> None:
    rows = open_judge(plate(project), candidate_of(project / "models" / "tiny")).given_up(
        part_of(str(tmp_path / "kills.png")), "three processes died"
    )

    assert [(State.UNREADABLE, "three processes died")] * 2 == [(row.state, row.error) for row in rows]
    assert rows[0].images[0].url.endswith("kills.png")


def test_what_the_models_see_can_be_looked_at(project: Path, tmp_path: Path) -> None:
    judge = open_judge(plate(project), candidate_of(project / "models" / "tiny"))

    seen = judge.look(part_of(written(tmp_path, "p.png", picture(1))))

    assert {"A: plate r1": {"face"}, "B: package tiny r1": {"picture"}} == {
        label: set(views) for label, views in seen.items()
    }
    frame, detection = seen["A: plate r1"]["face"]
    assert np.array_equal(picture(1), frame.pixels)
    assert detection.maps[0].values.max() == pytest.approx(240 / 255)
    with pytest.raises(FrameError, match="is not there"):
        judge.look(part_of(str(tmp_path / "gone.png")))


def test_another_package_than_when_the_run_was_begun_is_refused(project: Path, tmp_path: Path) -> None:
    candidate = plate(project)
    blur_package(tmp_path / "other", threshold=0.9)
    moved = replace(candidate, packages={"face": tmp_path / "other"})

    with pytest.raises(ConfigError, match="as when the run was begun"):
        open_judge(moved)


def test_labels_must_tell_the_candidates_apart(project: Path) -> None:
    with pytest.raises(ConfigError, match="each with a label of its own"):
        JudgeOrder(candidates=(plate(project), plate(project)), open_inspector=open_inspector)


def test_views_that_share_a_package_share_its_session(tmp_path: Path) -> None:
    candidate = plate(make_project(tmp_path / "project", views=("face", "side")))

    inspector = open_inspector(
        candidate.recipe, candidate.calibration, candidate.packages, providers=("cpu",), intra_op_threads=1
    )

    assert inspector.detectors["face"] is inspector.detectors["side"]
    assert inspector.models == (candidate.models["face"],)


def test_raw_pixels_are_judged_as_the_same_picture_in_a_file_is(project: Path, tmp_path: Path) -> None:
    (tmp_path / "p.raw").write_bytes(picture(1).tobytes())
    raw = RawFormat(pixel_format=PixelFormat.MONO8, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    of_pixels = Part(key="raw", images={"face": ImageRef(url=str(tmp_path / "p.raw"), raw=raw)})
    of_file = part_of(written(tmp_path, "p.png", picture(1)), key="file")

    raw_row, file_row = open_judge(plate(project)).chunk([of_pixels, of_file])

    assert raw_row.outcome == "FAIL"
    assert raw_row.judgement == file_row.judgement


def test_raw_pixels_of_another_format_than_the_recipe_wants_are_refused_by_name(project: Path, tmp_path: Path) -> None:
    (tmp_path / "p.raw").write_bytes(bytes(WIDTH_PX * HEIGHT_PX * 2))
    raw = RawFormat(pixel_format=PixelFormat.MONO16, width_px=WIDTH_PX, height_px=HEIGHT_PX)

    (row,) = open_judge(plate(project)).chunk(
        [Part(key="raw", images={"face": ImageRef(url=str(tmp_path / "p.raw"), raw=raw)})]
    )

    assert row.state is State.UNREADABLE
    assert "frame in Mono16 of 48x32 px; expected Mono8 of 48x32 px" in row.error


def test_colour_files_become_the_grey_that_a_recipe_wants_only_by_declaration(project: Path, tmp_path: Path) -> None:
    order = JudgeOrder(
        candidates=lettered([plate(project)]), open_inspector=open_inspector, files_hold=PixelFormat.RGB8
    )
    parts = [
        part_of(written(tmp_path, "colour.png", np.dstack([picture(2)] * 3)), key="colour"),
        part_of(written(tmp_path, "grey.png", picture(2)), key="grey"),
        Part(key="archived", images=kept(tmp_path, picture(2))),
    ]

    colour, grey, own = order().chunk(parts)

    assert (colour.outcome, colour.defects_total) == ("FAIL", 2)
    assert grey.state is State.UNREADABLE
    assert "picture is an array uint8[32, 48]; expected BGR8" in grey.error
    assert own.outcome == "FAIL", "the archive's own files say themselves what they are"
    assert open_judge(plate(project)).chunk(parts[:1])[0].state is State.UNREADABLE


def test_a_conversion_that_there_is_not_is_refused_before_anything_runs(project: Path) -> None:
    with pytest.raises(ConfigError, match="Mono16 from the camera cannot become Mono8"):
        JudgeOrder(candidates=lettered([plate(project)]), open_inspector=open_inspector, files_hold=PixelFormat.MONO16)


class SlowStorage(MemoryFileSystem):  # type: ignore[misc]
    """A storage that takes half a second for each file."""

    protocol = "slow"

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **more: object) -> bytes:
        time.sleep(0.5)
        return bytes(super().cat_file(path, start, end, **more))


def test_a_sign_of_life_comes_after_each_part_while_a_storage_is_slow(project: Path, tmp_path: Path) -> None:
    fsspec.register_implementation("slow", SlowStorage, clobber=True)
    parts = []
    picture_file = Path(written(tmp_path, "p.png", picture())).read_bytes()
    for number in range(8):
        storage, path = fsspec.url_to_fs(url := f"slow:///{number}.png")
        storage.pipe_file(path, picture_file)
        parts.append(Part(key=str(number), images={"face": ImageRef(url=url)}))
    signs: list[float] = []

    rows = open_judge(plate(project)).chunk(parts, lambda: signs.append(time.monotonic()))

    assert ["PASS"] * 8 == [row.outcome for row in rows], [row.error for row in rows]
    assert len(signs) == 8
    assert max(after - before for before, after in pairwise(signs)) < 1.2
