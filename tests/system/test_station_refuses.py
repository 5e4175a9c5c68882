"""What is not as declared refuses to start: exit code 2, with what was expected and what was got."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import make_project, running


def refusal(station: Path, *, leaves_socket: bool = False) -> str:
    """What `lineside run` says; it must end with 2, in order, before it has answered anybody."""
    command = [sys.executable, "-m", "lineside", "run", str(station)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert " serves on " not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (station.parents[2] / "s.sock").exists() == leaves_socket
    return ended.stderr


def replace_in(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def recipe_of(station: Path) -> Path:
    return station.parents[2] / "models" / "recipes" / "small.toml"


def package_of(station: Path) -> Path:
    return station.parents[2] / "models" / "small"


def flip_a_byte(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def test_a_camera_of_another_pixel_format_than_the_recipe(tmp_path: Path) -> None:
    station = make_project(tmp_path)
    replace_in(station, 'pixel_format = "Mono8"', 'pixel_format = "RGB8"')
    said = refusal(station)
    assert "small.toml:15: camera top hands out RGB8" in said
    assert "expected: Mono8" in said


def test_a_camera_of_another_size_than_the_recipe(tmp_path: Path) -> None:
    station = make_project(tmp_path)
    replace_in(station, "size_px = [160, 120]", "size_px = [320, 240]")
    said = refusal(station)
    assert "camera top hands out [320, 240] px" in said
    assert "expected: [160, 120] px" in said


def test_a_recipe_of_another_pixel_format_than_its_package(tmp_path: Path) -> None:
    station = make_project(tmp_path)
    replace_in(station, 'pixel_format = "Mono8"', 'pixel_format = "RGB8"')
    replace_in(recipe_of(station), 'pixel_format = "Mono8"', 'pixel_format = "RGB8"')
    said = refusal(station)
    assert "RGB8" in said
    assert "expected: Mono8" in said


def test_a_recipe_of_another_size_than_its_package(tmp_path: Path) -> None:
    station = make_project(tmp_path)
    replace_in(station, "size_px = [160, 120]", "size_px = [320, 240]")
    replace_in(recipe_of(station), "size_px = [160, 120]", "size_px = [320, 240]")
    said = refusal(station)
    assert "320" in said
    assert "160" in said.partition("expected:")[2]


def test_a_recipe_that_leaves_no_time_to_inspect(tmp_path: Path) -> None:
    said = refusal(make_project(tmp_path, due_ms=20))
    assert "models/recipes/small.toml:4: due_ms 20 leaves no time to inspect" in said
    assert "expected: more than decision_margin_ms 20" in said


def test_a_recipe_id_that_leads_out_of_the_project(tmp_path: Path) -> None:
    station = make_project(tmp_path / "project")
    recipe_of(station).rename(tmp_path / "evil.toml")
    command = [sys.executable, "-m", "lineside", "run", str(station), "--recipe", "../../../evil"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "recipe id '../../../evil'" in ended.stderr


def test_checking_a_recipe_loads_no_model_runtime_into_the_station(tmp_path: Path) -> None:
    station = make_project(tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from lineside.assemble import read_files; from lineside.config.cross_check import check_recipe\n"
        "check_recipe(*read_files(Path(sys.argv[1]))); print('onnxruntime' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(station)], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


@pytest.mark.parametrize(
    ("file", "place"),
    [("model.onnx", 200), ("reference/0.npz", -40), ("reference/0.png", 60), ("package.toml", 30)],
)
def test_a_package_with_one_changed_byte(file: str, place: int, tmp_path: Path) -> None:
    station = make_project(tmp_path)
    flip_a_byte(package_of(station) / file, place)
    assert Path(file).name in refusal(station)


def test_a_package_that_is_not_there(tmp_path: Path) -> None:
    station = make_project(tmp_path)
    shutil.rmtree(package_of(station))
    assert "models/small" in refusal(station)


def test_a_second_station_on_the_same_journal(tmp_path: Path) -> None:
    station = make_project(tmp_path)
    other = station.with_name("other.toml")
    other.write_text(station.read_text().replace('station_id = "small"', 'station_id = "other"').replace("s.sock", "o"))
    with running(station) as first:  # its socket stays: it is none the worse for the other
        said = refusal(other, leaves_socket=True)
        assert f"in use by process {first.process.pid}" in said
        assert "expected: one station per journal" in said


def test_a_tcp_port_that_is_taken(tmp_path: Path) -> None:
    station = make_project(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        replace_in(station, "127.0.0.1:0", f"127.0.0.1:{port}")
        assert f"127.0.0.1:{port}" in refusal(station)
    with running(station):  # nothing of the refused start is in the way
        pass
