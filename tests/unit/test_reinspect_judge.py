"""One part in, one row per candidate out; a bad file is a row, and the memory of what waits is bounded."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_project import HEIGHT_PX, WIDTH_PX, colour_package, make_project, picture, resizing_package, written
from model_graphs import blur_package

from lineside.assemble import open_inspector
from lineside.cameras.fit import Fit
from lineside.core.errors import ConfigError, FrameError
from lineside.core.frame import Frame
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.core.reason import Reason
from lineside.core.trigger import Trigger
from lineside.core.verdict import ImageReference, Judgement, Latency, Outcome, Verdict
from lineside.journal import image_format
from lineside.reinspect.candidate import Candidate, candidate_of, lettered
from lineside.reinspect.judge import ArchiveJudge, JudgeOrder
from lineside.reinspect.part import ONLY_VIEW, ImageRef, OriginalVerdict, Part, RawFormat, Truth
from lineside.reinspect.reading import ReadLimits
from lineside.reinspect.reading_ahead import Wanted, read_ahead
from lineside.reinspect.row import TIMING_COLUMNS, Row, State, table_of
from lineside.wire.codec import encode_verdict, journalled_judgement_bytes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def plate(project: Path) -> Candidate:
    return candidate_of(project / "models" / "recipes" / "plate.toml")


def open_judge(*candidates: Candidate, **limits: int) -> ArchiveJudge:
    order = JudgeOrder(candidates=lettered(candidates), open_inspector=open_inspector, limits=ReadLimits(**limits))
    opened: ArchiveJudge = pickle.loads(pickle.dumps(order))()
    return opened


def part_of(*urls: str, key: str = "part", views: Sequence[str] = (ONLY_VIEW,), **more: Any) -> Part:
    images = {view: ImageRef(url=url) for view, url in zip(views, urls, strict=True)}
    return Part(key=key, images=images, **more)


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


# What the station said then


def archived(pixels: Any, view: str = "face") -> bytes:
    frame = Frame(
        view=view,
        pixels=pixels,
        pixel_format=PixelFormat.MONO8,
        frame_id=1,
        captured_utc_ns=77,
        captured_mono_ns=1,
        camera_serial="",
        part_id="P-1",
    )
    return image_format.encode(frame, {})


def verdict_of(judgement: Judgement, candidate: Candidate, *, views: Sequence[str] = ("face",)) -> Verdict:
    return Verdict(
        sequence=9,
        boot_id="b",
        line_id="l",
        station_id="one",
        trigger=Trigger(number=4, part_id="P-1", received_utc_ns=1, received_mono_ns=0, due_mono_ns=10**9),
        part_id="P-1",
        judgement=judgement,
        captured_utc_ns=77,
        decided_utc_ns=99,
        decided_mono_ns=10**6,
        latency=Latency(),
        recipe=candidate.recipe.identity,
        calibration=candidate.calibration.identity,
        config_fingerprint="f",
        simulated=False,
        images=tuple(ImageReference(view=view, image_id=view, kept=True) for view in views),
    )


def judged_live(candidate: Candidate, pixels: Any) -> Judgement:
    """What a station's inspector makes of the frame."""
    inspector = open_inspector(
        candidate.recipe, candidate.calibration, candidate.packages, providers=("cpu",), intra_op_threads=1
    )
    frame, _ = image_format.decode(archived(pixels))
    return inspector.judge({"face": frame})


def again(candidate: Candidate, verdict: Verdict, **part: Any) -> Row:
    original = OriginalVerdict(sequence=9, trigger_number=4, payload=encode_verdict(verdict))
    (row,) = open_judge(candidate).chunk([Part(key="9", original=original, **part)])
    return row


def kept(folder: Path, pixels: Any) -> Mapping[str, ImageRef]:
    path = folder / "kept.png"
    path.write_bytes(archived(pixels))
    return {"face": ImageRef(url=str(path))}


@pytest.mark.parametrize("spots", [0, 2])
def test_the_same_hashes_give_the_same_bytes(project: Path, tmp_path: Path, spots: int) -> None:
    candidate = plate(project)
    verdict = verdict_of(judged_live(candidate, picture(spots)), candidate)

    row = again(candidate, verdict, images=kept(tmp_path, picture(spots)))

    assert (row.reproduces, row.difference) == (True, "")
    assert journalled_judgement_bytes(encode_verdict(verdict)) == row.judgement
    assert (row.original_outcome, row.original_sequence, row.original_trigger_number) == (row.outcome, 9, 4)
    assert row.original_reason == ("DEFECTS" if spots else "")


def test_what_is_another_than_it_was_is_named_hashes_first_then_fields(project: Path, tmp_path: Path) -> None:
    candidate = plate(project)
    judgement = judged_live(candidate, picture(2))
    verdict = verdict_of(replace(judgement, provider="cuda"), candidate)
    recipe = project / "models" / "recipes" / "plate.toml"
    recipe.write_text(recipe.read_text().replace("revision = 1", "revision = 2") + "max_count = 2\n")

    row = again(plate(project), verdict, images=kept(tmp_path, picture(2)))

    assert row.reproduces is False
    assert "recipe plate r1 (" in row.difference
    assert " → plate r2 (" in row.difference
    assert "calibration" not in row.difference
    assert "model" not in row.difference
    assert "provider cuda → cpu; outcome FAIL → PASS; reason DEFECTS → NONE" in row.difference


def test_a_difference_without_another_hash_is_named_by_its_field(project: Path, tmp_path: Path) -> None:
    candidate = plate(project)
    judgement = judged_live(candidate, picture(1))
    finding = replace(judgement.defects[0].finding, score=0.5)
    altered = replace(judgement, defects=(replace(judgement.defects[0], finding=finding),))

    row = again(candidate, verdict_of(altered, candidate), images=kept(tmp_path, picture(1)))

    assert row.reproduces is False
    assert row.difference.startswith("defects[0].finding.score 0.5 → 0.94")


@pytest.mark.parametrize("reason", [Reason.DUE_TIME, Reason.QUEUE_FULL, Reason.STATION_RESTARTED, Reason.DEVICE_LOST])
def test_what_the_station_never_judged_is_said_by_name_and_is_no_difference(
    project: Path, tmp_path: Path, reason: Reason
) -> None:
    candidate = plate(project)
    verdict = verdict_of(Judgement.not_inspected(reason), candidate)

    row = again(candidate, verdict, images=kept(tmp_path, picture(2)))

    assert row.reproduces is None
    assert row.difference == f"never judged by the station: NOT_INSPECTED {reason.name}, {reason.sentence}"
    assert (row.outcome, row.original_outcome, row.original_reason) == ("FAIL", "NOT_INSPECTED", reason.name)


def test_a_view_that_never_came_is_reproduced_while_it_is_missing(project: Path) -> None:
    candidate = plate(project)
    inspector = open_inspector(
        candidate.recipe, candidate.calibration, candidate.packages, providers=("cpu",), intra_op_threads=1
    )
    lost = verdict_of(inspector.judge({}), candidate, views=())
    shed = verdict_of(judged_live(candidate, picture()), candidate)
    missing = {"face": "there is no frame"}

    row, other = (again(candidate, verdict, images={}, missing=missing) for verdict in (lost, shed))

    assert (row.state, row.reproduces, row.difference) == (State.NOT_KEPT, True, "")
    assert (other.state, other.reproduces, other.difference) == (State.NOT_KEPT, None, "")


def test_a_package_alone_claims_nothing_of_an_image_that_was_seen_and_is_not_kept(project: Path) -> None:
    package = candidate_of(project / "models" / "tiny")
    damaged = replace(judged_live(plate(project), picture()), outcome=Outcome.NOT_INSPECTED, reason=Reason.MODEL_ERROR)

    row = again(package, verdict_of(damaged, package), images={}, missing={"face": "it was given up"})

    assert (row.state, row.reproduces, row.detail) == (State.NOT_KEPT, None, "face: it was given up")


def test_a_verdict_that_cannot_be_read_is_said_and_its_part_is_judged(project: Path, tmp_path: Path) -> None:
    original = OriginalVerdict(sequence=9, trigger_number=4, payload=b"\xff\xff")

    (row,) = open_judge(plate(project)).chunk([Part(key="9", original=original, images=kept(tmp_path, picture(1)))])

    assert (row.outcome, row.reproduces) == ("FAIL", None)
    assert "the journalled verdict cannot be read" in row.difference
    assert row.original_sequence == 9


def test_another_model_is_named_from_what_to_what(project: Path, tmp_path: Path) -> None:
    candidate = plate(project)
    judgement = judged_live(candidate, picture(1))
    then = replace(judgement, models=(Identity(id="tiny", revision=7, sha256="0" * 64),))

    row = again(candidate, verdict_of(then, candidate), images=kept(tmp_path, picture(1)))

    assert row.reproduces is True, "the answer itself is the same"
    assert row.difference == f"model tiny r7 (000000000000) → tiny r1 ({candidate.models['face'].sha256[:12]})"


# Reading ahead


def waiting_images(folder: Path, count: int) -> list[Wanted]:
    """Pictures of 10,000 bytes each."""
    urls = [written(folder, f"{number}.png", np.zeros((100, 100), np.uint8)) for number in range(count)]
    return [Wanted(ref=ImageRef(url=url), formats=[PixelFormat.MONO8]) for url in urls]


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        (ReadLimits(window_images=3, readers=2), 3),
        (ReadLimits(window_images=50, window_bytes=40_000, readers=3), 4 + 3),  # each reader has one in its hands
        (ReadLimits(window_images=50, window_bytes=1, readers=3), 1 + 3),  # the oldest gets in whatever its size
    ],
)
def test_no_more_images_are_read_ahead_than_the_window_holds(tmp_path: Path, limits: ReadLimits, most: int) -> None:
    wanted = waiting_images(tmp_path, 20)
    images = read_ahead(wanted, limits)
    first = next(images)
    time.sleep(0.2)  # the readers have their chance to go too far
    for image in wanted:
        Path(image.ref.url).unlink()

    read = [image for image in (first, *images) if image.sha256]

    assert 1 <= len(read) <= most


def test_closing_midway_ends_every_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    images = read_ahead(waiting_images(tmp_path, 100), ReadLimits(window_images=2, window_bytes=1, readers=4))
    next(images)

    images.close()

    assert before == set(threading.enumerate())


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
