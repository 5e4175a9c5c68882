"""The GenICam camera for real, on the simulator `viky.cti` that the genicam wheel ships."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineside.cameras.genicam import GenicamCamera, GenicamConfig
from lineside.cameras.producers import find_producers, list_devices
from lineside.core.errors import CameraLost, ConfigError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.reason import Reason

VIKY = ["viky.cti"]


def viky(**keys: object) -> GenicamCamera:
    declared = {
        "backend": "genicam",
        "producers": VIKY,
        "serial": "2",
        "trigger": "free_run",
        "pixel_format": "RGB8",
        "device_pixel_format": "RGBa8",
        "size_px": [200, 100],
        "features": {"AcquisitionFrameRate": 200.0},
    }
    return GenicamCamera("top", GenicamConfig.model_validate({**declared, **keys}))


def test_a_hundred_triggers_get_a_hundred_frames() -> None:
    camera = viky()
    camera.connect()

    frames = [camera.capture(number, 5000) for number in range(100)]
    camera.close()

    assert all(isinstance(frame, Frame) for frame in frames)
    ids = [frame.frame_id for frame in frames]
    assert sorted(set(ids)) == ids


def test_every_frame_of_a_free_running_camera_is_a_frame_or_named_as_lost() -> None:
    camera = viky()
    camera.connect()

    shots = [camera.wait(5000) for _ in range(100)]
    camera.close()

    first, last = shots[0], next(shot for shot in reversed(shots) if isinstance(shot, Frame))
    assert last.frame_id - first.frame_id == shots.index(last)
    assert all(isinstance(shot, Frame) or shot.reason is Reason.FRAME_LOST for shot in shots)


def test_grey_and_colour_are_what_the_camera_was_told_to_send() -> None:
    shapes = {}
    for pixel_format, sent in [("Mono8", "Mono8"), ("Mono8", "RGBa8"), ("BGR8", "RGBa8")]:
        camera = viky(pixel_format=pixel_format, device_pixel_format=sent)
        report = camera.connect()
        frame = camera.capture(1, 5000)
        camera.close()
        assert isinstance(frame, Frame)
        shapes[pixel_format, sent] = (frame.check().pixels.shape, report.settings["PixelFormat"])

    assert shapes == {
        ("Mono8", "Mono8"): ((100, 200), "Mono8"),
        ("Mono8", "RGBa8"): ((100, 200), "RGBa8"),
        ("BGR8", "RGBa8"): ((100, 200, 3), "RGBa8"),
    }


def test_the_serial_chooses_among_the_cameras_of_one_producer() -> None:
    ball_colour = {}
    for serial in "012":
        camera = viky(serial=serial)
        camera.connect()
        frame = camera.capture(1, 5000)
        camera.close()
        assert isinstance(frame, Frame)
        ball_colour[frame.camera_serial] = int(frame.pixels.reshape(-1, 3).mean(axis=0).argmax())

    assert ball_colour == {"0": 0, "1": 1, "2": 2}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"size_px": [5000, 100]}, "asked for Width = 5000, camera has 400 .*; expected 100 to 800 in steps of 1"),
        ({"features": {"AcquisitionFrameRate": 999.0}}, "asked for AcquisitionFrameRate = 999.0, .*1.0 to 200.0 Hz"),
        ({"device_pixel_format": "BayerRG8"}, "asked for PixelFormat = BayerRG8, .*; expected one of RGBa8, Mono8"),
        ({"features": {"PixelFormat": "Mono8"}}, "asked for PixelFormat = RGBa8, camera has Mono8"),
        ({"features": {"AspectRatio": 3.0}}, "asked for AspectRatio = 3.0, .*not writable"),
        ({"features": {"Strobe": True}}, "has no feature Strobe"),
        ({"features": {"AcquisitionFrameRate": "fast"}}, "asked for AcquisitionFrameRate = fast"),
        ({"exposure_us": 500.0}, "has no feature ExposureTime"),
        ({"trigger": "software"}, 'takes no software trigger: .*expected .*trigger = "free_run"'),
        ({"pixel_format": "Mono12"}, "RGBa8 from the camera cannot become Mono12"),
        ({"producers": ["acme.cti"]}, "there is no GenTL producer acme.cti"),
        ({"producers": ["/etc/hostname"]}, "is no GenTL producer for this machine"),
    ],
)
def test_what_does_not_hold_refuses_to_start_and_leaves_the_camera_free(keys: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        viky(**keys).connect()

    camera = viky()
    camera.connect()
    assert isinstance(camera.capture(1, 5000), Frame)
    camera.close()


def test_a_serial_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(CameraLost, match="no camera with serial '7'; expected one of '0', '1', '2'"):
        viky(serial="7").connect()


def test_a_camera_is_lost_when_it_is_closed() -> None:
    camera = viky()
    camera.connect()
    camera.close()

    with pytest.raises(CameraLost):
        camera.wait(10)


def test_a_free_running_camera_has_no_frame_within_no_time() -> None:
    camera = viky()
    camera.connect()

    shot = camera.capture(3, 0)
    camera.close()

    assert isinstance(shot, MissedFrame)
    assert shot.reason is Reason.NO_FRAME


def test_the_camera_leaves_ctrl_c_to_the_program() -> None:
    before = signal.getsignal(signal.SIGINT)
    camera = viky()
    camera.connect()

    assert before is signal.getsignal(signal.SIGINT)
    camera.close()


def test_the_simulator_says_that_it_is_one() -> None:
    camera = viky()

    assert camera.connect().simulated
    camera.close()


def test_all_producers_of_the_machine_are_found_by_the_variable_of_the_standard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wheel_file,) = find_producers(VIKY)
    (tmp_path / "viky.cti").symlink_to(wheel_file)
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"/nowhere{os.pathsep}{tmp_path}")

    assert find_producers([]) == [tmp_path / "viky.cti"]
    monkeypatch.delenv("GENICAM_GENTL64_PATH")
    with pytest.raises(ConfigError, match="no GenTL producer is installed"):
        find_producers([])


def test_devices_are_listed_with_what_tells_them_apart() -> None:
    devices = list_devices(VIKY)

    assert [device.serial for device in devices] == ["0", "1", "2"]
    assert {(device.model, device.free, device.simulated) for device in devices} == {("Viky", True, True)}


def test_the_cameras_command_shows_a_table() -> None:
    import typer

    from lineside.commands.cameras import cameras

    app = typer.Typer()
    app.command()(cameras)

    shown = CliRunner().invoke(app, ["--producer", "viky.cti"])

    assert shown.exit_code == 0
    assert shown.output.count("Viky") == 3


def test_importing_the_cameras_needs_no_vendor_package() -> None:
    code = (
        "import sys\n"
        "import lineside.cameras.genicam, lineside.cameras.folder, lineside.cameras.opencv\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('harvesters', 'genicam')))"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout == "[]\n"


def test_a_missing_vendor_package_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "from lineside.cameras.producers import list_devices\n"
        "sys.path = [path for path in sys.path if 'site-packages' not in path]\n"
        "list_devices(['viky.cti'])\n"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "pip install 'lineside[genicam]'" in told.stderr
