"""A qualification by the station's own inspector over real files: what counts as what, and what is said apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from archive_project import make_project
from labelled_pictures import Shown, brightness_package, spot, write_data

from lineside.assemble import open_inspector
from lineside.core.errors import ConfigError
from lineside.core.finding import Defect
from lineside.qualify.document import By, Data, Qualification, read_qualification
from lineside.qualify.judging import Judge, JudgeOrder
from lineside.qualify.repeatability import RepeatOrder
from lineside.qualify.run import QualifyOrder, check_truth, qualify
from lineside.reinspect.candidate import Candidate, candidate_of
from lineside.train.dataset import read_dataset

NOT_INSPECTED = 255
"""A spot of this brightness is answered by NaN."""


def judge_of(candidate: Candidate, **changes: Any) -> Judge:
    inspector = open_inspector(
        candidate.recipe, candidate.calibration, candidate.packages, providers=("cpu",), intra_op_threads=1
    )
    order = JudgeOrder(
        label=candidate.label,
        recipe=candidate.recipe,
        calibration=candidate.calibration,
        any_size=candidate.any_size,
        **changes,
    )
    return Judge(order, inspector)


def order_of(judge: Judge, *, repeat: RepeatOrder | None = None, mm_per_px: float | None = None) -> QualifyOrder:
    return QualifyOrder(
        by=By(
            form="package",
            label=judge.order.label,
            package_id=judge.model.id,
            package_revision=judge.model.revision,
            package_sha256=judge.model.sha256,
            recipe_id="",
            recipe_sha256="",
            calibration_id="",
            calibration_sha256="",
            threshold=judge.threshold,
            threshold_set_by="by hand",
            decides_by_score=judge.decides_by_score,
            provider="",
        ),
        data=Data(
            name="data",
            split="test",
            split_by="split.csv",
            pictures=0,
            good_parts=0,
            bad_parts=0,
            grouped=False,
            sha256="",
            seen_in_training=(),
            training_known=True,
        ),
        command="lineside qualify",
        repeat=repeat,
        mm_per_px=mm_per_px,
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return brightness_package(tmp_path_factory.mktemp("models") / "tiny").folder


@pytest.fixture(scope="module")
def judge(package: Path) -> Judge:
    return judge_of(candidate_of(package))


def qualified(judge: Judge, folder: Path, shown: Sequence[Shown], **order: Any) -> Qualification:
    dataset = read_dataset(write_data(folder, shown))
    return qualify(judge, dataset.of("test"), order_of(judge, **order))


GOOD = [Shown(name=f"good/{index}.png", good=True, brightness=40 + index) for index in range(6)]
BAD = [Shown(name=f"bad/{index}.png", good=False, brightness=200 + index, class_name="spot") for index in range(4)]


def test_escapes_and_overkill_are_what_the_station_would_let_through_and_reject(judge: Judge, tmp_path: Path) -> None:
    dull = Shown(name="bad/dull.png", good=False, brightness=100, class_name="stain")
    bright = Shown(name="good/bright.png", good=True, brightness=180)
    told = qualified(judge, tmp_path, [*GOOD, bright, *BAD, dull])

    assert (told.escapes.parts.count, told.escapes.parts.of) == (1, 5)
    assert (told.overkill.parts.count, told.overkill.parts.of) == (1, 7)
    assert told.worst_escapes == ("bad/dull.png",)
    assert told.worst_overkill == ("good/bright.png",)
    assert [(each.class_name, each.escapes.parts.count) for each in told.escapes_by_class] == [
        ("spot", 0),
        ("stain", 1),
    ]
    assert "1 of 5 bad parts (20 %)" in told.answer
    assert "0.5 % to 72 %" in told.answer  # Clopper and Pearson, 1 of 5


def test_a_part_that_was_not_inspected_is_rejected_at_every_threshold_and_said_apart(
    judge: Judge, tmp_path: Path
) -> None:
    lost = [
        Shown(name="good/lost.png", good=True, brightness=NOT_INSPECTED),
        Shown(name="bad/lost.png", good=False, brightness=NOT_INSPECTED),
    ]
    told = qualified(judge, tmp_path, [*GOOD, *BAD, *lost])

    assert (told.escapes.parts.count, told.escapes.not_inspected) == (0, 1)
    assert (told.overkill.parts.count, told.overkill.not_inspected) == (1, 1)
    assert {each.name: each.score for each in told.pictures}["bad/lost.png"] is None
    assert told.roc[1].threshold is None  # the first that is rejected, whatever the threshold
    assert told.roc[1].overkill == pytest.approx(1 / 7)
    assert any("NOT_INSPECTED: 2 (1 of good parts, 1 of bad ones)" in line for line in told.more)


def test_a_file_that_is_no_picture_and_one_of_another_size_are_named_and_in_no_rate(
    judge: Judge, tmp_path: Path
) -> None:
    write_data(tmp_path, [*GOOD, *BAD])
    (tmp_path / "bad" / "0.png").write_bytes(b"no picture at all")
    cv2.imwrite(str(tmp_path / "bad" / "1.png"), spot(200, size_px=(60, 40)))
    told = qualify(judge, read_dataset(tmp_path).of("test"), order_of(judge, repeat=None))

    assert [each.name for each in told.not_judged] == ["bad/0.png", "bad/1.png"]
    assert "60 x 40 px" in told.not_judged[1].why
    assert (told.escapes.parts.count, told.escapes.parts.of) == (0, 2)
    assert any("could not be judged, and are in no rate: 2, the first bad/0.png" in line for line in told.more)


def test_where_every_picture_has_another_size_the_error_says_what_to_declare(package: Path, tmp_path: Path) -> None:
    write_data(tmp_path, [*GOOD, *BAD])
    for path in tmp_path.rglob("*.png"):
        cv2.imwrite(str(path), spot(200 if "bad" in str(path) else 40, size_px=(96, 64)))
    pictures = read_dataset(tmp_path).of("test")
    refusing = judge_of(candidate_of(package))

    with pytest.raises(ConfigError, match="none of the 6 good pictures could be judged") as refused:
        qualify(refusing, pictures, order_of(refusing))
    assert "--fit" in refused.value.remedy

    resizing = judge_of(candidate_of(package), fit="resize")
    assert qualify(resizing, pictures, order_of(resizing)).escapes.parts.of == 4


@pytest.mark.parametrize(("missing", "word"), [(GOOD, "bad"), (BAD, "good")])
def test_pictures_of_one_kind_tell_nothing_of_the_other(
    judge: Judge, tmp_path: Path, missing: list[Shown], word: str
) -> None:
    pictures = read_dataset(write_data(tmp_path, missing)).of("test")
    with pytest.raises(ConfigError, match=f"no picture of a {word} part in the split test"):
        check_truth(pictures, order_of(judge).data)


def test_a_part_with_several_pictures_counts_once_and_by_its_worst(judge: Judge, tmp_path: Path) -> None:
    shown = [
        *(replace(each, group=f"good {index // 3}") for index, each in enumerate(GOOD)),
        *(replace(each, group=f"bad {index // 2}") for index, each in enumerate(BAD)),
        Shown(name="bad/dull.png", good=False, brightness=100, class_name="spot", group="bad 0"),
    ]
    told = qualified(judge, tmp_path, shown)

    assert (told.data.good_parts, told.data.bad_parts, told.data.pictures) == (2, 2, 11)
    assert (told.escapes.parts.count, told.escapes.parts.of) == (1, 2)
    assert (told.escapes.pictures, told.escapes.of_pictures) == (1, 5)
    assert told.torn_parts == 1
    assert any("11 pictures show 4 parts" in line and "not independent" in line for line in told.more)


def test_copies_of_a_picture_are_said(judge: Judge, tmp_path: Path) -> None:
    copy = replace(GOOD[0], name="good/copy.png")
    told = qualified(judge, tmp_path, [*GOOD, copy, *BAD])

    assert any("copies of others, byte for byte: 1." in line for line in told.more)
    assert not any("copies" in line for line in qualified(judge, tmp_path / "b", [*GOOD, *BAD]).more)


def test_masks_give_pixel_figures_and_a_probability_by_size(judge: Judge, tmp_path: Path) -> None:
    """Spots of less than 3 px do not fill the model's 3x3 mean: they are missed."""
    bad = [
        Shown(name=f"bad/{side}-{index}.png", good=False, brightness=150 + 20 * index, side_px=side, mask=True)
        for side in (2, 3, 5, 8)
        for index in range(4)
    ]
    told = qualified(judge, tmp_path, [*GOOD, *bad], mm_per_px=0.1)

    assert told.pixels is not None
    assert (told.pixels.with_mask, told.pixels.regions, told.pixels.pictures) == (16, 16, 22)
    assert told.pixels.auroc > 0.95
    sizes = told.detection_probability
    assert sizes is not None and sizes.unit == "mm" and sizes.parts == 16
    assert (sizes.found, sizes.of) == (sum(len(s) for s in (sizes.sizes_found,)), 16)
    assert set(np.round(sizes.sizes_found + sizes.sizes_missed, 6)) == {0.2, 0.3, 0.5, 0.8}
    assert max(sizes.sizes_missed) < max(sizes.sizes_found)


def test_without_masks_it_says_so(judge: Judge, tmp_path: Path) -> None:
    told = qualified(judge, tmp_path, [*GOOD, *BAD])

    assert told.pixels is None and "no picture has a mask" in told.pixels_why_not
    assert told.detection_probability is None and "mask" in told.detection_why_not


def test_a_mask_of_another_size_than_its_picture_is_no_truth(judge: Judge, tmp_path: Path) -> None:
    write_data(tmp_path, [*GOOD, *BAD, Shown(name="bad/m.png", good=False, brightness=200, mask=True)])
    cv2.imwrite(str(tmp_path / "masks" / "m.png"), np.zeros((7, 9), np.uint8))
    told = qualify(judge, read_dataset(tmp_path).of("test"), order_of(judge))

    assert [(each.name, "9 x 7 px" in each.why) for each in told.not_judged] == [("bad/m.png", True)]


def test_a_recipe_judges_by_its_limits_and_not_by_the_threshold_alone(tmp_path: Path) -> None:
    recipe = make_project(tmp_path / "project") / "models" / "recipes" / "plate.toml"
    recipe.write_text(recipe.read_text() + "max_length_px = 3.0\n")
    judge = judge_of(candidate_of(recipe))
    # Above the threshold in 2 x 2 px, which the recipe allows.
    small = Shown(name="bad/small.png", good=False, brightness=255, side_px=2)
    told = qualified(judge, tmp_path / "data", [*GOOD, *BAD, small])

    assert not told.by.decides_by_score
    assert told.worst_escapes == ("bad/small.png",)
    assert {each.name: each.score or 0 for each in told.pictures}["bad/small.png"] > judge.threshold


def test_the_same_part_shown_again_is_the_same_and_a_close_call_is_not(judge: Judge, tmp_path: Path) -> None:
    close = Shown(name="bad/close.png", good=False, brightness=128)
    order = RepeatOrder(parts=12, trials=3, shift_px=1.0, light=0.1, noise=2.0)
    told = qualified(judge, tmp_path, [*GOOD, *BAD, close], repeat=order).repeatability

    assert told is not None
    flips = {part.name: part.flips for part in told.parts}
    assert flips["bad/close.png"] > 0
    assert {name for name, count in flips.items() if count} == {"bad/close.png"}
    as_taken = {part.name: part.presentations[0] for part in told.parts}["bad/close.png"]
    assert set(as_taken.rejected) == {True} and len(set(as_taken.scores)) == 1
    assert told.between.kappa is not None and 0.5 < told.between.kappa < 1
    assert told.between.of == 11


def test_of_a_part_with_several_pictures_the_closest_call_is_shown_again(judge: Judge, tmp_path: Path) -> None:
    close = Shown(name="good/close.png", good=True, brightness=120, group="one")
    shown = [*(replace(each, group="one") for each in GOOD), close, *BAD]
    told = qualified(judge, tmp_path, shown, repeat=RepeatOrder(parts=20, trials=1)).repeatability

    assert told is not None
    assert [part.name for part in told.parts if part.good] == ["good/close.png"]
    assert told.within == ()  # one trial has nothing to agree with


def test_the_same_pictures_and_package_give_the_same_figures_and_the_same_hash_of_data(
    judge: Judge, tmp_path: Path
) -> None:
    order = RepeatOrder(parts=4, trials=2)
    first = qualified(judge, tmp_path / "a", [*GOOD, *BAD], repeat=order)
    again = qualified(judge, tmp_path / "b", [*BAD, *GOOD], repeat=order)
    other = qualified(judge, tmp_path / "c", [*GOOD, *BAD[:-1], replace(BAD[-1], brightness=199)], repeat=order)

    assert first.data.sha256 == again.data.sha256 != other.data.sha256
    assert first.escapes == again.escapes
    assert first.repeatability is not None and again.repeatability is not None
    assert {part.name: part for part in first.repeatability.parts} == {
        part.name: part for part in again.repeatability.parts
    }


def test_a_document_that_was_changed_is_refused(judge: Judge, tmp_path: Path) -> None:
    told = qualified(judge, tmp_path, [*GOOD, *BAD])
    path = tmp_path / "q.json"
    path.write_text(told.to_json())
    assert read_qualification(path) == told

    path.write_text(told.to_json().replace('"not_inspected": 0', '"not_inspected": 1', 1))
    with pytest.raises(ConfigError, match="has been changed"):
        read_qualification(path)


def test_a_defect_is_found_where_something_was_told_and_not_elsewhere(judge: Judge) -> None:
    from lineside.qualify.defects import defects_of

    looked = judge.look(judge.frame_of(spot(220)))
    assert all(isinstance(defect, Defect) for defect in looked.judgement.defects)
    here, elsewhere = np.zeros((32, 48), np.bool_), np.zeros((32, 48), np.bool_)
    here[10:18, 12:20] = True
    elsewhere[25:29, 40:45] = True

    ((on, off),) = [defects_of(looked, here | elsewhere, "part")]
    assert (on.found, on.length_px) == (True, pytest.approx(8))
    assert (off.found, off.length_px) == (False, pytest.approx(5))
