"""A limit that nothing could break, and a camera that nothing would trigger, are refused before the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.assemble import camera_config_classes
from lineside.config.cross_check import check_together
from lineside.config.polygon import area
from lineside.config.recipe_file import read_recipe
from lineside.config.station_file import read_station
from lineside.core.identity import Identity
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.declaration import DeclaredPackage
from lineside.detectors.manifest import (
    AnomalyMapOutput,
    BoxesOutput,
    ClassesOutput,
    InputSpec,
    Manifest,
    Output,
    Reference,
    SegmentationOutput,
    Threshold,
)

SIMULATED = """backend = "simulated"
pixel_format = "Mono8"
size_px = [64, 48]
"""
GENICAM = """backend = "genicam"
serial = "1"
pixel_format = "Mono8"
size_px = [64, 48]
"""
SCALE = "[scales.face]\nmm_per_px = 0.1\nmm_per_px_uncertainty = 0.0"
RIM = """[[views.face.regions]]
name = "rim"
include = [[[10, 10], [30, 10], [30, 20], [10, 20]]]
"""
TWO_PATCHES = """[[views.face.regions]]
name = "rim"
include = [[[0, 0], [6, 0], [6, 8], [0, 8]]]
[[views.face.regions]]
name = "spot"
include = [[[54, 40], [64, 40], [64, 48]]]
"""
SIDE = """[views.side]
package = "model"
pixel_format = "Mono8"
size_px = [64, 48]
"""

MAP = AnomalyMapOutput(map="map")
SEGMENTS = SegmentationOutput(map="map", classes=("scratch", "good"), activation="softmax", background="good")
BOXES = BoxesOutput(
    variant="yolo", boxes="out", classes=("scratch", "dent"), min_score=0.2, nms_iou=0.5, max_findings=5
)
CLASSES = ClassesOutput(scores="out", classes=("good", "scratch", "dent"), activation="softmax", good=("good",))


def package(output: Output) -> DeclaredPackage:
    manifest = Manifest(
        format=1,
        id="model",
        revision=1,
        licence="Apache-2.0",
        made_by="a test",
        input=InputSpec(name="in", shape=(1, 1, 48, 64), pixel_format=PixelFormat.MONO8, scale=1.0),
        output=output,
        threshold=Threshold(value=0.5, set_by="a test"),
        references=(Reference(input="0.png", output="0.npz", abs_tolerance=0, rel_tolerance=0),),
        files=dict.fromkeys(("0.png", "0.npz", "model.onnx"), "0" * 64),
    )
    return DeclaredPackage(folder=Path("model"), manifest=manifest, identity=Identity(id="model", sha256="0" * 64))


@pytest.fixture
def problems(tmp_path: Path):
    """What is said of one limit, or of one trigger, in a project with one package for all its views."""

    def problems(
        limit: str = "",
        *,
        output: Output = MAP,
        views: str = "",
        trigger: str = 'source = "software"',
        cameras: dict[str, str] | None = None,
        scale: str = "",
    ) -> list[str]:
        station_path = tmp_path / "calibration" / "press.toml"
        recipe_path = tmp_path / "models" / "recipes" / "plate.toml"
        recipe_path.parent.mkdir(parents=True)
        station_path.parent.mkdir()
        recipe_path.write_text(
            'recipe_id = "plate"\nrevision = 1\nproduct_id = "plate"\ndue_ms = 200\n'
            '[views.face]\npackage = "model"\npixel_format = "Mono8"\nsize_px = [64, 48]\n'
            f'{views}\n[[limits]]\nname = "any"\n{limit}\n'
        )
        tables = [f"[cameras.{view}]\n{keys}" for view, keys in (cameras or {"face": SIMULATED}).items()]
        station_path.write_text(
            f'line_id = "line-1"\nstation_id = "press"\nrecipe = "plate"\n[trigger]\n{trigger}\n'
            + "\n".join([*tables, scale])
        )
        station = read_station(station_path, camera_config_classes=camera_config_classes())
        recipe = read_recipe(recipe_path)
        packages = {view: package(output) for view in recipe.views}
        return [str(problem) for problem in check_together(recipe, station, packages)]

    return problems


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("max_area_px = 200", "into region rim of view face: max_area_px is 200; expected less than 200 px"),
        ("max_length_px = 23", "into region rim of view face: max_length_px is 23; expected less than 22.36 px"),
        ("max_area_mm2 = 2.5", "into region rim of view face: max_area_mm2 is 2.5; expected less than 2 mm²"),
        ("max_length_mm = 3", "into region rim of view face: max_length_mm is 3; expected less than 2.236 mm"),
    ],
)
@pytest.mark.parametrize("output", [MAP, SEGMENTS], ids=lambda output: output.kind)
def test_a_size_beyond_what_the_region_holds_is_refused(problems, output: Output, limit: str, said: str):
    (problem,) = problems(f'region = "rim"\n{limit}', output=output, views=RIM, scale=SCALE)

    assert said in problem


@pytest.mark.parametrize(
    "limit", ["max_area_px = 199", "max_length_px = 22", "max_area_mm2 = 1.9", "max_length_mm = 2.2", ""]
)
def test_a_size_that_fits_into_the_region_is_taken(problems, limit: str):
    assert problems(f'region = "rim"\n{limit}', views=RIM, scale=SCALE) == []


def test_a_box_may_reach_beyond_the_region(problems):
    assert problems('region = "rim"\nmax_area_px = 1000', output=BOXES, views=RIM) == []


def test_a_limit_over_all_regions_is_held_against_all_of_them_together(problems):
    (problem,) = problems("max_area_px = 88\nmax_length_px = 70", views=TWO_PATCHES)

    assert "into the regions together of view face: max_area_px is 88; expected less than 88 px" in problem


@pytest.mark.parametrize("output", [BOXES, CLASSES, SEGMENTS], ids=lambda output: output.kind)
def test_no_probability_is_above_one(problems, output: Output):
    (problem,) = problems("min_score = 1.5", output=output)

    assert 'plate.toml:12: limit "any" can never be broken: min_score is 1.5; expected at most 1' in problem


def test_the_scores_of_an_anomaly_map_know_no_bound(problems):
    assert problems("min_score = 1.5") == []


def test_a_probability_of_one_is_possible(problems):
    assert problems("min_score = 1.0", output=CLASSES) == []


def test_a_score_below_what_the_package_reports_is_refused(problems):
    (problem,) = problems("min_score = 0.1", output=BOXES)

    assert "asks for scores from 0.1; expected at least 0.2: package model reports none below" in problem


@pytest.mark.parametrize(
    ("limit", "output", "views", "most"),
    [
        ("max_count = 5", BOXES, "", 5),
        ("max_count = 10", BOXES, SIDE, 10),
        ('max_count = 5\nview = "side"\n[[limits]]\nname = "rest"', BOXES, SIDE, 5),
        ("max_count = 2", CLASSES, "", 2),
        ('max_count = 1\nclass = "dent"', CLASSES, "", 1),
    ],
)
def test_more_findings_than_the_packages_report_cannot_be_counted(
    problems, limit: str, output: Output, views: str, most: int
):
    cameras = {"face": SIMULATED, "side": SIMULATED} if views else {"face": SIMULATED}

    (problem,) = problems(limit, output=output, views=views, cameras=cameras)

    assert "can never be broken: max_count is" in problem
    assert f"expected less than {most}: the packages of its views report no more" in problem


@pytest.mark.parametrize(
    ("limit", "output", "views"),
    [("max_count = 4", BOXES, ""), ("max_count = 9", BOXES, SIDE), ("max_count = 999", MAP, "")],
)
def test_a_count_that_the_packages_can_reach_is_taken(problems, limit: str, output: Output, views: str):
    cameras = {"face": SIMULATED, "side": SIMULATED} if views else {"face": SIMULATED}

    assert problems(limit, output=output, views=views, cameras=cameras) == []


HARDWARE = 'trigger = "hardware"\ntrigger_source = "Line1"'


@pytest.mark.parametrize(
    ("trigger", "camera", "said"),
    [
        (
            'source = "camera"',
            'trigger = "software"',
            "press.toml:11: camera face waits for a command, and [trigger] s",
        ),
        ('source = "camera"', "", "press.toml:6: camera face waits for a command"),
        (
            'source = "software"',
            HARDWARE,
            'camera face waits for a signal, and [trigger] source = "software" for frames',
        ),
        ('source = "takt"\ntakt_ms = 100', HARDWARE, 'and [trigger] source = "takt" for frames on command'),
    ],
)
def test_a_camera_that_the_station_would_wait_for_in_vain_is_refused(problems, trigger: str, camera: str, said: str):
    (problem,) = problems(trigger=trigger, cameras={"face": GENICAM + camera})

    assert said in problem


@pytest.mark.parametrize(
    ("trigger", "camera"),
    [
        ('source = "camera"', HARDWARE),
        ('source = "camera"', 'trigger = "free_run"'),
        ('source = "software"', 'trigger = "free_run"'),
        ('source = "software"', 'trigger = "software"'),
    ],
)
def test_a_camera_and_a_trigger_that_go_together_are_taken(problems, trigger: str, camera: str):
    assert problems(trigger=trigger, cameras={"face": GENICAM + camera}) == []


def test_views_that_would_join_the_wrong_part_are_refused(problems):
    cameras = {"face": SIMULATED + "takt_ms = 60\n", "side": SIMULATED + "takt_ms = 50\n"}

    (problem,) = problems(trigger='source = "camera"', views=SIDE, cameras=cameras)

    assert "press.toml:16: camera side shows a part every 50 ms, and views join for 50 ms" in problem


@pytest.mark.parametrize(
    ("trigger", "takt"), [('source = "camera"', 51), ('source = "camera"', 0), ('source = "software"', 50)]
)
def test_a_takt_longer_than_the_join_or_none_is_taken(problems, trigger: str, takt: int):
    cameras = dict.fromkeys(("face", "side"), f"{SIMULATED}takt_ms = {takt}\n")

    assert problems(trigger=trigger, views=SIDE, cameras=cameras) == []


@pytest.mark.parametrize("corners", [((0, 0), (4, 0), (4, 3)), ((4, 3), (4, 0), (0, 0))])
def test_the_area_of_a_triangle_is_half_its_rectangle(corners):
    assert area(corners) == 6
