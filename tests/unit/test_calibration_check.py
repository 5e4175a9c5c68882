"""The daily check: each thing that can have changed is told by its name and size, and nothing else is."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from calibrated_project import Setting, calibrate_project
from numpy.typing import NDArray
from simulated_part import part

from lineside.calibrate.checking import CheckOrder, check_view
from lineside.config.calibration_check import CheckItem, CheckRecord, CheckTable, last_checks, why_due, write_check
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    calibrate_project(folder)
    return folder


def order(project: Path, shows: str = "target", **limits: object) -> CheckOrder:
    return CheckOrder(
        project=project,
        station="press-4",
        view="face" if shows == "target" else "face-part",
        limits=CheckTable.model_validate({"shows": shows, **limits}),
        folder=project / "checks",
        made_utc=NOW,
        made_by="b. worker",
        report=CameraReport(
            serial="A7", model="", pixel_format=PixelFormat.MONO8,
            width_px=640 if shows == "target" else 480, height_px=480 if shows == "target" else 360,
        ),
    )  # fmt: skip


def checked(project: Path, pixels: NDArray[np.uint8], shows: str = "target", **limits: object) -> CheckRecord:
    return check_view(order(project, shows, **limits), pixels).record


def failed(record: CheckRecord) -> set[str]:
    return {item.name for item in record.items if not item.passed}


def item(record: CheckRecord, name: str) -> CheckItem:
    return next(item for item in record.items if item.name == name)


# The target


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_camera_that_nobody_touched_passes(project: Path, seed: int) -> None:
    record = checked(project, Setting(seed=seed).target())

    assert record.passed, record.summary
    assert abs(item(record, "scale").change) < 0.02
    assert item(record, "shift").change < 0.1
    assert record.summary == "face: all within limits"
    assert record.calibrations.keys() == {"lens", "plane"}


@pytest.mark.parametrize(
    ("setting", "name", "expected", "within"),
    [
        (Setting(focal=1.006), "scale", 0.6, 0.05),
        (Setting(across_mm=2.0), "shift", 2.0 / 0.29, 0.1),
        (Setting(turn_deg=0.6), "rotation", 0.6, 0.02),
        (Setting(tilt_deg=3.0), "tilt", 3.0, 0.4),
        (Setting(light=0.75), "brightness", -25.0, 1.5),
        (Setting(shadow=0.3), "evenness", 30.0, 6.0),
    ],
)
def test_what_was_changed_is_told_by_its_size(
    project: Path, setting: Setting, name: str, expected: float, within: float
) -> None:
    record = checked(project, setting.target())

    assert failed(record) == {name}
    assert abs(item(record, name).change - expected) < within
    assert item(record, name).todo
    assert name in record.summary


def test_a_lens_out_of_focus_is_told(project: Path) -> None:
    record = checked(project, Setting(blur_px=1.4).target())

    assert failed(record) == {"focus"}
    assert item(record, "focus").change > 25


def test_a_target_that_may_lie_anywhere_is_not_judged_by_its_place(project: Path) -> None:
    record = checked(project, Setting(across_mm=4.0, turn_deg=3.0, light=0.7).target(), same_place=False)

    assert record.passed, record.summary
    assert not item(record, "shift").judged
    assert item(record, "shift").change > 5
    assert "shift" in {item.name for item in checked(project, Setting(across_mm=4.0).target()).items if not item.passed}


def test_a_picture_without_the_target_fails_and_says_why(project: Path) -> None:
    record = checked(project, np.full((480, 640), 120, np.uint8))

    assert failed(record) == {"target"}
    assert "of 120 points found" in record.summary


def test_a_knocked_camera_may_not_pass_by_larger_limits_than_the_station_allows(project: Path) -> None:
    knocked = Setting(focal=1.006).target()

    assert not checked(project, knocked).passed
    assert checked(project, knocked, max_scale=0.01).passed


@pytest.mark.parametrize("pixel_format", [PixelFormat.RGB8, PixelFormat.BGR8])
def test_a_lamp_that_has_turned_yellow_is_told_by_its_colour(tmp_path: Path, pixel_format: PixelFormat) -> None:
    """The same target by a camera of three colours, with a quarter less blue than when the plane was calibrated."""
    calibrate_project(tmp_path, light=False, pixel_format=pixel_format)
    grey = Setting().target()
    blue = 2 if pixel_format is PixelFormat.RGB8 else 0
    yellow = np.stack([grey * (0.75 if channel == blue else 1.0) for channel in range(3)], axis=-1).astype(np.uint8)
    camera = CameraReport(serial="A7", model="", pixel_format=pixel_format, width_px=640, height_px=480)
    colour = item(check_view(replace(order(tmp_path), report=camera), yellow).record, "colour")

    assert not colour.passed
    assert colour.words.startswith("share of blue: 27.")
    assert colour.change == pytest.approx(100 * (0.75 / 2.75 - 1 / 3), abs=0.3)


# A golden part


def test_a_golden_part_like_the_good_ones_passes(project: Path) -> None:
    record = checked(project, part(seed=50), "part")

    assert record.passed, record.summary
    assert record.calibrations.keys() == {"light"}


@pytest.mark.parametrize(
    ("picture", "name", "expected", "within"),
    [
        (part(seed=50, scale=1.01), "scale", 1.0, 0.1),
        (part(seed=50, shift=(6.0, 8.0)), "shift", 10.0, 0.3),
        (part(seed=50, turn_deg=0.8), "rotation", 0.8, 0.06),
        (part(seed=50, light=0.7), "brightness", -30.0, 1.5),
    ],
)
def test_what_was_changed_is_seen_on_a_golden_part(
    project: Path, picture: NDArray[np.uint8], name: str, expected: float, within: float
) -> None:
    record = checked(project, picture, "part", max_unevenness=0.5)

    assert failed(record) == {name}
    assert abs(item(record, name).change - expected) < within


def test_blur_and_a_shadow_are_seen_on_a_golden_part(project: Path) -> None:
    shadow = part(seed=50).astype(float)
    shadow[:, :120] *= 0.7

    assert "focus" in failed(checked(project, part(seed=50, blur=2.8), "part"))
    assert "evenness" in failed(checked(project, shadow.astype(np.uint8), "part"))


def test_another_thing_than_the_golden_part_fails(project: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (360, 480)).astype(np.uint8)

    assert "place" in failed(checked(project, noise, "part"))


# What is refused


def test_a_view_without_calibration_is_refused_with_what_to_do(project: Path) -> None:
    with pytest.raises(ConfigError, match="no calibration of kind light") as refused:
        check_view(replace(order(project, "part"), view="face"), part())
    assert "lineside calibrate light" in refused.value.remedy


def test_a_picture_of_another_camera_or_size_is_refused(project: Path) -> None:
    other = CameraReport(serial="B9", model="", pixel_format=PixelFormat.MONO8, width_px=640, height_px=480)
    with pytest.raises(ConfigError, match="calibrated with serial A7, the camera has B9"):
        check_view(replace(order(project), report=other), Setting().target())
    with pytest.raises(ConfigError, match="picture of 320 x 240 px"):
        checked(project, np.zeros((240, 320), np.uint8))


# The records, and what a station makes of them


def record(view: str = "face", *, passed: bool = True, made: datetime = NOW, plane: str = "b" * 64,
           counts: bool = True) -> CheckRecord:  # fmt: skip
    return CheckRecord(
        station="press-4", view=view, shows="target", made_utc=made, made_by="b. worker", camera_serial="A7",
        picture_sha256="a" * 64, calibrations={"plane": plane}, passed=passed, counts=counts,
        items=(CheckItem(name="scale", change=0.1 if passed else 0.9, limit=0.3, unit="%"),),
    )  # fmt: skip


def test_a_record_leaves_a_file_and_a_page_for_the_auditor(project: Path) -> None:
    done = check_view(order(project), Setting(focal=1.006).target())
    assert done.page is not None
    page, content = done.page.read_text(), json.loads(done.path.read_text())

    assert last_checks(project / "checks", ["face"])[0]["face"] == done.record
    assert content["made_by"] == "b. worker"
    assert "NOT PASSED" in page
    assert "data:image/jpeg;base64," in page
    assert "tighten it" in page


def test_a_record_that_was_changed_by_hand_counts_for_nothing_and_is_named(tmp_path: Path) -> None:
    path = write_check(tmp_path, record(passed=False))
    path.write_text(path.read_text().replace('"passed": false', '"passed": true'))
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "torn.json").write_text("{")

    assert last_checks(tmp_path, ["face"]) == ({}, (tmp_path / "torn.json", tmp_path / "list.json", path))


def test_the_last_check_of_a_view_is_the_one_that_counts(tmp_path: Path) -> None:
    write_check(tmp_path, record())
    write_check(tmp_path, record(passed=False, made=NOW + timedelta(hours=1)))

    assert not last_checks(tmp_path, ["face"])[0]["face"].passed


def test_a_check_of_a_file_or_by_other_limits_makes_no_station_ready(tmp_path: Path, project: Path) -> None:
    own = order(project)
    for loosened in (replace(own, report=None), replace(own, own_settings=False)):
        done = check_view(replace(loosened, folder=tmp_path), Setting().target())
        assert done.record.passed and not done.record.counts

    assert last_checks(tmp_path, ["face"]) == ({}, ())


REQUIRED = CheckTable(required=True, max_age_h=9)
PLANE = {"face": ["b" * 64]}


@pytest.mark.parametrize(
    ("last", "after_h", "said"),
    [
        (record(), 1, ""),
        (record(), 8.9, ""),
        (record(), 9.1, "was checked 9.1 h ago, 9 h are allowed"),
        (record(), -1, "in the future: see the clocks"),
        (record(passed=False), 1, "failed its last"),
        (record(plane="c" * 64), 1, "was calibrated anew since"),
        (None, 1, "was never checked"),
    ],
)
def test_a_station_says_why_it_needs_a_check(last: CheckRecord | None, after_h: float, said: str) -> None:
    now = NOW + timedelta(hours=after_h)
    why = why_due(REQUIRED, ["face"], {"face": last} if last else {}, PLANE, now)

    assert (said in why) if said else not why
    assert not said or why.endswith("run `lineside check-calibration`")
    assert why_due(CheckTable(), ["face"], {}, PLANE, now) == "", "not required"
