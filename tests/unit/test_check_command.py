"""`lineside check` says all that is wrong with a station without starting it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner, Result

from lineside.cli import app
from lineside.core.pixel_format import PixelFormat
from lineside.detectors.manifest import AnomalyMapOutput, InputSpec, Threshold
from lineside.detectors.package import PackageDraft, write_package

STATION = """\
line_id = "line-1"
station_id = "press"
recipe = "plate"
[trigger]
source = "software"
[serve]
tcp = "127.0.0.1:0"
[archive]
min_free_bytes = 0
[cameras.face]
backend = "simulated"
pixel_format = "Mono8"
size_px = [64, 48]
[scales.face]
mm_per_px = 0.1
mm_per_px_uncertainty = 0.001
"""

RECIPE = """\
recipe_id = "plate"
revision = 1
product_id = "plate"
due_ms = 200
[views.face]
package = "bright"
pixel_format = "Mono8"
size_px = [64, 48]
[[limits]]
name = "bright places"
class = "anomaly"
max_length_mm = 0.5
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one station, one recipe and one package: bright places are anomalies."""
    (tmp_path / "calibration").mkdir()
    (tmp_path / "models" / "recipes").mkdir(parents=True)
    (tmp_path / "calibration" / "press.toml").write_text(STATION)
    (tmp_path / "models" / "recipes" / "plate.toml").write_text(RECIPE)
    frame, heat = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 48, 64]) for name in ("frame", "map"))
    graph = helper.make_graph([helper.make_node("Identity", ["frame"], ["map"])], "bright", [frame], [heat])
    draft = PackageDraft(
        id="bright",
        licence="Apache-2.0",
        made_by="a test",
        input=InputSpec(name="frame", shape=(1, 1, 48, 64), pixel_format=PixelFormat.MONO8, scale=1 / 255),
        output=AnomalyMapOutput(map="map"),
        threshold=Threshold(value=0.5, set_by="a test"),
    )
    write_package(
        tmp_path / "models" / "bright",
        graph=helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString(),
        draft=draft,
        reference_inputs=[np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)],
    )
    return tmp_path


def check(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app("check"), ["check", str(project / "calibration" / "press.toml"), *arguments])


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_a_good_station_fits_and_nothing_is_left_behind(project: Path):
    before = sorted(project.rglob("*"))

    result = check(project)

    assert result.exit_code == 0, result.output
    assert "everything fits" in result.output
    for said in ("press", "line-1", "plate", "bright", "finds anomaly", "0.1 ± 0.001 mm per px", "fingerprint"):
        assert said in result.output
    assert before == sorted(project.rglob("*"))


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("press", "tcp = ", "tpc = ", 'press.toml:7: unknown key "serve.tpc"'),
        ("press", "size_px = [64, 48]", "size_px = [64, 40]", "press.toml:13: camera face hands out [64, 40] px"),
        ("press", '"Mono8"', '"RGB8"', "press.toml:12: camera face hands out RGB8; expected Mono8, as recipe plate"),
        ("press", "[cameras.face]", "[cameras.back]", "a scale for view"),
        (
            "press",
            "\nmm_per_px = 0.1",
            "\nmm_per_px = 0.005",
            'plate.toml:12: limit "bright places" can never be broken',
        ),
        ("press", "127.0.0.1:0", "192.0.2.1:50051", "press.toml:7: 192.0.2.1:50051 cannot be listened on"),
        ("press", "min_free_bytes = 0", f"min_free_bytes = {2**60}", "press.toml:9:"),
        ("press", 'recipe = "plate"', 'recipe = "bracket"', "bracket.toml: cannot be read"),
        ("plate", "due_ms = 200", "due_ms = 20", "plate.toml:4: due_ms 20 leaves no time to inspect"),
        ("plate", "max_length_mm = 0.5", "max_length_m = 0.5", "plate.toml:12: unknown key"),
        ("plate", '"anomaly"', '"scratch"', 'plate.toml:11: limit "bright places" is about class "scratch"'),
        (
            "plate",
            "size_px = [64, 48]",
            "size_px = [64, 64]",
            "plate.toml:5: frames of 64x64 px for the package bright",
        ),
        ("plate", '"Mono8"', '"RGB8"', "plate.toml:5: frames in RGB8 for the package bright"),
        ("plate", '"bright"', '"dark"', "models/dark"),
        (
            "plate",
            '"bright"',
            '"bright"\nlocate = true',
            "plate.toml:7: locate = true, and the package bright looks at",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_file_and_line(project: Path, name: str, old: str, new: str, words: str):
    folder = project / ("calibration" if name == "press" else "models/recipes")
    change(folder / f"{name}.toml", old, new)

    result = check(project)

    assert result.exit_code == 2
    assert words in result.output
    assert "everything fits" not in result.output


def test_a_limit_in_mm_needs_a_scale(project: Path):
    path = project / "calibration" / "press.toml"
    path.write_text(path.read_text().split("[scales.face]")[0])

    result = check(project)

    assert result.exit_code == 2
    assert 'plate.toml:9: limit "bright places" is in mm, and view face has no scale at station press' in result.output


def test_a_package_with_one_changed_byte_is_told(project: Path):
    graph = project / "models" / "bright" / "model.onnx"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)

    result = check(project)

    assert result.exit_code == 2
    assert "model.onnx" in result.output


def test_views_without_camera_and_cameras_without_view_are_told(project: Path):
    path = project / "calibration" / "press.toml"
    path.write_text(path.read_text().replace(".face]", ".top]"))

    result = check(project)

    assert "press.toml:10: no camera for view face" in result.output
    assert "press.toml:10: camera top is for no view of recipe plate" in result.output


def test_an_address_in_use_is_told(project: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        change(project / "calibration" / "press.toml", "127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}")

        result = check(project)

    assert result.exit_code == 2
    assert "Address already in use" in result.output


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_cannot_be_written_is_told(project: Path):
    locked = project / "locked"
    locked.mkdir(mode=0o500)
    change(project / "calibration" / "press.toml", 'recipe = "plate"', f'recipe = "plate"\ndata_dir = "{locked}/x"')

    assert "cannot be written" in check(project).output


def test_a_file_where_the_data_folder_should_be_is_told(project: Path):
    (project / "var").write_text("")

    assert "press.toml:1: " in check(project).output
    assert "cannot be written" in check(project).output


def test_another_recipe_of_the_project_can_be_checked(project: Path):
    other = RECIPE.replace('"plate"\nrevision = 1', '"fine"\nrevision = 7')
    (project / "models" / "recipes" / "fine.toml").write_text(other)

    result = check(project, "--recipe", "fine")

    assert result.exit_code == 0, result.output
    assert "revision 7" in result.output


def test_the_schema_is_json_of_what_a_recipe_may_say():
    result = CliRunner().invoke(app("schema"), ["schema", "recipe"])

    assert result.exit_code == 0
    assert {"recipe_id", "limits", "views"} <= json.loads(result.output)["properties"].keys()
