"""The OpenCV camera on a real video file and on streams that ffmpeg serves on loopback."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from camera_cases import FFMPEG_TEST_STREAM, http_camera, video_file

from lineside.cameras.opencv import OpencvCamera, OpencvConfig
from lineside.core.errors import CameraLost, ConfigError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.ports import EndOfSource
from lineside.core.reason import Reason

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def opencv_camera(source: int | str, **keys: object) -> OpencvCamera:
    declared = {"backend": "opencv", "source": source, "pixel_format": "BGR8", "size_px": [160, 120], **keys}
    return OpencvCamera("top", OpencvConfig.model_validate(declared))


@pytest.fixture
def stream() -> Iterator[str]:
    with http_camera() as url:
        yield url


@contextlib.contextmanager
def ffmpeg_serving() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """ffmpeg itself as the HTTP server, for one client."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with subprocess.Popen([*FFMPEG_TEST_STREAM, "-listen", "1", url]) as ffmpeg:
        try:
            yield url, ffmpeg
        finally:
            ffmpeg.kill()


def connect_when_up(camera: OpencvCamera) -> None:
    for _ in range(100):
        try:
            camera.connect()
            return
        except CameraLost:
            time.sleep(0.05)
    raise AssertionError("the stream never came up")


def test_a_video_file_gives_every_frame_once_and_ends(tmp_path: Path) -> None:
    camera = opencv_camera(str(video_file(tmp_path / "line.mkv", frames=12)))
    report = camera.connect()

    frames = []
    with pytest.raises(EndOfSource):
        while True:
            frames.append(camera.wait(1000))
    camera.close()

    assert list(range(1, 13)) == [frame.frame_id for frame in frames]
    brightness = [int(frame.pixels.mean()) for frame in frames]
    assert sorted(set(brightness)) == brightness
    assert report.waits_for_reader


def test_a_frame_of_a_file_was_captured_when_the_file_was_written(tmp_path: Path) -> None:
    video = video_file(tmp_path / "line.mkv")
    os.utime(video, ns=(0, 1_234_567_891_000_000_000))
    camera = opencv_camera(str(video))
    camera.connect()

    frame = camera.capture(1, 1000)
    camera.close()

    assert isinstance(frame, Frame)
    assert frame.captured_utc_ns == 1_234_567_891_000_000_000


def test_a_video_becomes_grey_by_declaration(tmp_path: Path) -> None:
    camera = opencv_camera(str(video_file(tmp_path / "line.mkv")), pixel_format="Mono8")
    camera.connect()

    frame = camera.capture(1, 1000)
    camera.close()

    assert isinstance(frame, Frame)
    assert frame.check().pixels.shape == (120, 160)


def test_what_is_no_video_is_lost_and_a_folder_is_no_file(tmp_path: Path) -> None:
    text = tmp_path / "line.mkv"
    text.write_text("this is not a video")

    with pytest.raises(CameraLost, match="cannot be opened"):
        opencv_camera(str(text)).connect()
    with pytest.raises(ConfigError, match="there is no video file"):
        opencv_camera(str(tmp_path)).connect()


def test_a_usb_camera_that_is_not_there_is_lost() -> None:
    with pytest.raises(CameraLost, match="cannot be opened"):
        opencv_camera(99).connect()


def test_a_relative_file_starts_at_the_project_and_an_address_does_not(tmp_path: Path) -> None:
    keys = {"backend": "opencv", "pixel_format": "BGR8", "size_px": (160, 120)}

    assert OpencvConfig(source="a.mkv", **keys).rooted(tmp_path).source == str(tmp_path / "a.mkv")
    assert OpencvConfig(source="rtsp://camera/1", **keys).rooted(tmp_path).source == "rtsp://camera/1"
    assert OpencvConfig(source=0, **keys).rooted(tmp_path).source == 0


@needs_ffmpeg
def test_a_stream_whose_server_dies_is_lost_after_its_last_frame() -> None:
    with ffmpeg_serving() as (url, ffmpeg):
        camera = opencv_camera(url)
        connect_when_up(camera)
        assert isinstance(camera.capture(1, 5000), Frame)

        ffmpeg.kill()

        with pytest.raises(CameraLost, match="sends no more"):
            for _ in range(100):
                camera.wait(200)
        with pytest.raises(CameraLost):
            camera.capture(2, 200)
        camera.close()


@needs_ffmpeg
def test_a_stream_that_freezes_is_lost_after_its_read_timeout() -> None:
    with ffmpeg_serving() as (url, ffmpeg):
        camera = opencv_camera(url, read_timeout_ms=300)
        connect_when_up(camera)

        ffmpeg.send_signal(signal.SIGSTOP)

        with pytest.raises(CameraLost, match="sends no more"):
            for _ in range(100):
                camera.wait(200)
        camera.close()


@needs_ffmpeg
def test_a_server_that_falls_silent_is_lost() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        camera = opencv_camera(
            f"http://127.0.0.1:{listener.getsockname()[1]}/", open_timeout_ms=500, read_timeout_ms=500
        )

        with pytest.raises(CameraLost):
            camera.connect()


@needs_ffmpeg
def test_frames_that_nobody_fetched_in_time_are_named_one_by_one(stream: str) -> None:
    camera = opencv_camera(stream)
    camera.connect()
    shots = [camera.wait(5000)]
    time.sleep(0.6)  # some thirty frames at 50 per second, of which eight are kept

    while not isinstance(shots[-1], Frame) or len(shots) < 2:
        shots.append(camera.wait(5000))
    camera.close()

    first, *lost, next_one = shots
    assert isinstance(first, Frame)
    assert isinstance(next_one, Frame)
    assert lost
    assert all(isinstance(shot, MissedFrame) and shot.reason is Reason.FRAME_LOST for shot in lost)
    assert next_one.frame_id == first.frame_id + len(lost) + 1


@needs_ffmpeg
def test_a_trigger_never_gets_a_frame_that_was_kept_from_before(stream: str) -> None:
    camera = opencv_camera(stream)
    camera.connect()
    for number in range(3):
        time.sleep(0.1)
        triggered_mono_ns = time.monotonic_ns()

        frame = camera.capture(number, 5000)

        assert isinstance(frame, Frame)
        assert frame.captured_mono_ns >= triggered_mono_ns
    camera.close()


@needs_ffmpeg
def test_a_frame_that_comes_sooner_than_the_latency_is_an_old_one(stream: str) -> None:
    camera = opencv_camera(stream, latency_ms=100)
    camera.connect()
    triggered_mono_ns = time.monotonic_ns()

    frame = camera.capture(1, 5000)
    camera.close()

    assert isinstance(frame, Frame)
    assert frame.captured_mono_ns >= triggered_mono_ns
    assert time.monotonic_ns() - triggered_mono_ns >= 100_000_000


@needs_ffmpeg
def test_a_trigger_with_no_time_is_a_missed_frame(stream: str) -> None:
    camera = opencv_camera(stream, latency_ms=60_000)
    camera.connect()

    shot = camera.capture(7, 50)
    camera.close()

    assert isinstance(shot, MissedFrame)
    assert shot.reason is Reason.NO_FRAME
    assert "trigger 7" in shot.detail


@needs_ffmpeg
def test_a_password_in_an_address_is_told_to_nobody(stream: str) -> None:
    camera = opencv_camera(stream.replace("://", "://admin:s3cret@"))
    report = camera.connect()
    frame = camera.capture(1, 5000)
    camera.close()

    assert "***@127.0.0.1" in report.serial
    assert "s3cret" not in f"{report} {frame}"
    with pytest.raises(CameraLost) as lost:
        opencv_camera("http://admin:s3cret@127.0.0.1:1/").connect()
    assert "s3cret" not in str(lost.value)
