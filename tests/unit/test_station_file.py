"""A station file is taken as it is meant or refused with the line and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from lineside.cameras.camera_config import CameraConfig
from lineside.config.fingerprint import config_fingerprint
from lineside.config.station_file import read_station
from lineside.core.calibration import Scale
from lineside.core.errors import ConfigError, InvalidRequest
from lineside.core.identity import Identity

GOOD = """\
line_id = "line-1"
station_id = "press"
recipe = "plate"
data_dir = "var/press"

[trigger]
source = "takt"
takt_ms = 100
count = 200
max_in_flight = 8
decision_margin_ms = 10

[inspector]
workers = 2
provider = ["cuda", "cpu"]
hang_ms = 4000
keep_warm_ms = 0
intra_op_threads = 2

[serve]
tcp = "[::1]:50052"
unix = "var/press.sock"
max_message_bytes = 1048576
max_readers = 3

[archive]
max_bytes = 1000
min_free_bytes = 500

[cameras.face]
backend = "fake"
pixel_format = "Mono8"
size_px = [640, 480]
gain_db = 3

[scales.face]
mm_per_px = 0.05
mm_per_px_uncertainty = 0.0001
"""

LEAST = """\
line_id = "line-1"
station_id = "press"
recipe = "plate"
trigger.source = "camera"
cameras.face.backend = "fake"
"""


class FakeConfig(CameraConfig):
    backend: Literal["fake"]
    gain_db: float = 0.0


@pytest.fixture
def write(tmp_path: Path):
    folder = tmp_path / "calibration" / "stations"
    folder.mkdir(parents=True)

    def write(text: str) -> Path:
        path = folder / "press.toml"
        path.write_text(text)
        return path

    return write


def test_every_key_reaches_the_station(write, tmp_path: Path):
    station = read_station(write(GOOD), camera_config_classes={"fake": FakeConfig})

    assert (station.line_id, station.station_id, station.recipe_id) == ("line-1", "press", "plate")
    trigger = station.trigger
    assert (trigger.source, trigger.takt_ms, trigger.count) == ("takt", 100, 200)
    assert (trigger.max_in_flight, trigger.decision_margin_ms) == (8, 10)
    inspector = station.inspector
    assert (inspector.workers, inspector.provider, inspector.hang_ms) == (2, ("cuda", "cpu"), 4000)
    assert (inspector.keep_warm_ms, inspector.intra_op_threads) == (0, 2)
    serve = station.serve
    assert (serve.tcp, serve.tcp_address, serve.max_message_bytes) == ("[::1]:50052", ("::1", 50052), 1048576)
    assert serve.max_readers == 3
    assert (station.archive.max_bytes, station.archive.min_free_bytes) == (1000, 500)
    assert station.calibration.scales == {"face": Scale(mm_per_px=0.05, mm_per_px_uncertainty=0.0001)}
    assert station.cameras["face"]["gain_db"] == 3
    assert station.camera_configs["face"] == FakeConfig(
        backend="fake", pixel_format="Mono8", size_px=(640, 480), gain_db=3
    )
    assert station.project == tmp_path
    assert station.data_dir == tmp_path / "var" / "press"
    assert station.unix_path == tmp_path / "var" / "press.sock"
    assert station.recipe_path == tmp_path / "models" / "recipes" / "plate.toml"
    assert station.package_folder("demo") == tmp_path / "models" / "demo"


@pytest.mark.parametrize(
    "outside", ["../../../outside/evil", "/outside/evil", "..", "", ".hidden", "a/b", "a\\b", "plate\n", "plate\0"]
)
def test_no_id_leads_out_of_the_project(write, outside: str):
    station = read_station(write(GOOD), camera_config_classes={"fake": FakeConfig})

    with pytest.raises(InvalidRequest, match=r"recipe id .*; expected lower-case letters.*; name a recipe"):
        station.recipe_path_of(outside)
    with pytest.raises(InvalidRequest, match=r"package id .*; expected letters.*; name a package"):
        station.package_folder(outside)


def test_five_lines_are_a_station(write):
    station = read_station(write(LEAST))

    assert station.inspector.provider == ("cpu",)
    assert station.serve.tcp_address == ("127.0.0.1", 50051)
    assert station.unix_path is None
    assert station.calibration.scales == {}


def test_paths_start_at_the_project_wherever_the_command_is_run(write, monkeypatch, tmp_path: Path):
    write(GOOD)
    monkeypatch.chdir(tmp_path / "calibration")

    assert read_station(Path("stations/press.toml")).data_dir == tmp_path / "var" / "press"


def test_an_absolute_data_dir_is_taken_as_it_is(write):
    assert read_station(write(GOOD.replace('var/press"', '/data/press"'))).data_dir == Path("/data/press")


def test_one_provider_may_be_written_without_brackets(write):
    station = read_station(write(GOOD.replace('["cuda", "cpu"]', '"openvino"')))

    assert station.inspector.provider == ("openvino",)


def test_the_calibration_is_known_by_its_scales_alone(write):
    plain = read_station(write(GOOD))
    faster = read_station(write(GOOD.replace("takt_ms = 100", "takt_ms = 50")))
    finer = read_station(write(GOOD.replace("mm_per_px = 0.05", "mm_per_px = 0.04")))

    assert plain.calibration.identity == faster.calibration.identity
    assert plain.identity.sha256 != faster.identity.sha256
    assert plain.calibration.identity.sha256 != finer.calibration.identity.sha256


def test_the_fingerprint_changes_with_each_of_the_four_and_with_nothing_else():
    def print_of(recipe: str = "a", calibration: str = "b", station: str = "c", packages: str = "de") -> str:
        return config_fingerprint(
            recipe=Identity(id="r", sha256=recipe),
            calibration=Identity(id="s", sha256=calibration),
            station=Identity(id="s", sha256=station),
            packages=[Identity(id="p", sha256=each) for each in packages],
        )

    changed = {print_of(recipe="x"), print_of(calibration="x"), print_of(station="x"), print_of(packages="dx")}

    assert print_of() == print_of(packages="ed") == "22b84f88381206e1"
    assert len(changed | {print_of()}) == 5


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('line_id = "line-1"', 'line_id = "Line 1"', 1, "line_id is 'Line 1'"),
        ('line_id = "line-1"', f'line_id = "{"a" * 65}"', 1, "line_id is 'aaa"),
        ('station_id = "press"', 'station_id = "saw"', 2, 'station_id is "saw" in a file named press.toml'),
        ('source = "takt"', 'source = "plc"', 7, "expected 'camera', 'software' or 'takt'"),
        ('source = "takt"', 'source = "camera"', 6, 'takt_ms is set with source "camera"'),
        ("takt_ms = 100", "", 6, 'takt_ms is missing with source "takt"'),
        ("takt_ms = 100", "takt_ms = 0.5", 8, "greater than or equal to 1"),
        ("count = 200", "count = -1", 9, "trigger.count is -1"),
        ("max_in_flight = 8", "max_in_flight = 0", 10, "greater than or equal to 1"),
        ("workers = 2", "workers = 0", 14, "greater than or equal to 1"),
        ("workers = 2", "worker = 2", 14, 'did you mean "workers"?'),
        ('["cuda", "cpu"]', '["cuda", "gpu"]', 15, "inspector.provider.1 is 'gpu'"),
        ('["cuda", "cpu"]', '["cpu", "cpu"]', 15, "name one twice"),
        ('["cuda", "cpu"]', "[]", 15, "inspector.provider is []"),
        ("hang_ms = 4000", "hang_ms = 99", 16, "greater than or equal to 100"),
        ('tcp = "[::1]:50052"', 'tcp = "50052"', 21, 'tcp is "50052"; expected "host:port"'),
        ('tcp = "[::1]:50052"', 'tcp = "localhost:70000"', 21, "a port from 0 to 65535"),
        ('tcp = "[::1]:50052"', 'tcp = "[::x]:50052"', 21, 'tcp is "[::x]:50052"'),
        ('tcp = "[::1]:50052"', 'tcp = "::1:50052"', 21, 'tcp is "::1:50052"'),
        ("var/press.sock", "/run/" + "x" * 103, 22, "has 108 bytes; expected at most 107"),
        ("max_readers = 3", "max_readers = 0", 24, "greater than or equal to 1"),
        ("min_free_bytes = 500", "min_free_bytes = -1", 28, "greater than or equal to 0"),
        ('backend = "fake"', 'backend = "fale"', 31, "camera face has no backend 'fale'; expected one of fake"),
        ('backend = "fake"', "", 30, "camera face names no backend"),
        ("gain_db = 3", "gian_db = 3", 34, 'unknown key "cameras.face.gian_db"; expected one of backend, gain_db'),
        ("gain_db = 3", "gian_db = 3", 34, 'did you mean "gain_db"?'),
        ('pixel_format = "Mono8"', 'pixel_format = "BGRa8"', 32, "BGRa8 is a format that only cameras speak"),
        ("[scales.face]", "[scales.back]", 36, 'a scale for view "back", which has no camera'),
        ("mm_per_px = 0.05", "mm_per_px = 0", 37, "greater than 0"),
        ("mm_per_px_uncertainty = 0.0001", "", 36, 'key "scales.face.mm_per_px_uncertainty" is missing'),
        ("mm_per_px_uncertainty = 0.0001", "mm_per_px_uncertainty = -1", 38, "greater than or equal to 0"),
        ("mm_per_px_uncertainty = 0.0001", "mm_per_px_uncertainty = 0.2", 36, "is not below mm_per_px 0.05"),
        ("[cameras.face]", "[camera.face]", 30, 'unknown key "camera"'),
    ],
)
def test_a_wrong_value_is_refused_at_its_line(write, old: str, new: str, line: int, words: str):
    assert GOOD.count(old) == 1
    path = write(GOOD.replace(old, new))

    with pytest.raises(ConfigError) as refusal:
        read_station(path, camera_config_classes={"fake": FakeConfig})

    told = [problem for problem in str(refusal.value).splitlines() if f"{path}:{line}:" in problem]
    assert any(words in problem for problem in told), str(refusal.value)


def test_the_problems_of_a_camera_are_told_beside_the_others(write):
    path = write(GOOD.replace("workers = 2", "workers = 0").replace("gain_db = 3", "gain_db = 'x'"))

    with pytest.raises(ConfigError, match=r"2 problems\n.*:14: inspector\.workers.*\n.*:34: cameras\.face\.gain_db"):
        read_station(path, camera_config_classes={"fake": FakeConfig})


def test_a_station_that_nobody_could_hear_is_refused(write):
    with pytest.raises(ConfigError, match=":20: neither tcp nor unix is set"):
        read_station(write(GOOD.replace('"[::1]:50052"', '""').replace('"var/press.sock"', '""')))


def test_a_station_file_outside_a_project_is_refused(tmp_path: Path):
    path = tmp_path / "press.toml"
    path.write_text(LEAST)

    with pytest.raises(ConfigError, match="lies in no project"):
        read_station(path)


def test_the_shipped_station_is_good():
    from lineside.assemble import camera_config_classes

    path = Path(__file__).parents[2] / "calibration" / "stations" / "demo.toml"

    assert read_station(path, camera_config_classes=camera_config_classes()).recipe_id == "demo-plate"
