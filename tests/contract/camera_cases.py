"""The table of camera backends that the contract suite runs: adding a camera is adding one line to CASES."""

import contextlib
import http.server
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lineside.cameras.camera_config import CameraConfig
from lineside.cameras.folder import FolderCamera, FolderConfig
from lineside.cameras.genicam import GenicamCamera, GenicamConfig
from lineside.cameras.opencv import OpencvCamera, OpencvConfig
from lineside.core.ports import Camera

Keys = Mapping[str, Any]
WIDTH_PX, HEIGHT_PX = 160, 120


@dataclass(frozen=True, kw_only=True)
class CameraCase:
    """One backend as the contract suite sees it.

    `prepare(folder, stack)` makes what the camera needs (files; servers, closed by the stack) and returns its keys.
    `wrong_size` and `wrong_format` are keys that must be refused, `missing` keys of a device that is not there,
    `settings` what the report must say was read back.
    """

    name: str
    camera: Callable[..., Camera]
    config: type[CameraConfig]
    prepare: Callable[[Path, contextlib.ExitStack], Keys]
    wrong_size: Keys
    wrong_format: Keys
    missing: Keys
    settings: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    """A program without which the row is skipped."""


def pictures(folder: Path, count: int = 12) -> Path:
    """A folder of colour pictures, part1.png to part<count>.png, each of another brightness."""
    folder.mkdir(exist_ok=True)
    for number in range(1, count + 1):
        shade = np.full((HEIGHT_PX, WIDTH_PX, 3), (number, 2 * number, 3 * number), np.uint8)
        assert cv2.imwrite(str(folder / f"part{number}.png"), shade)
    return folder


def video_file(path: Path, frames: int = 12) -> Path:
    """A lossless video whose frames get brighter."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 25, (WIDTH_PX, HEIGHT_PX))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((HEIGHT_PX, WIDTH_PX, 3), 10 * number, np.uint8))
    writer.release()
    return path


FFMPEG_TEST_STREAM = [
    *["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-re"],
    *["-f", "lavfi", "-i", f"testsrc2=size={WIDTH_PX}x{HEIGHT_PX}:rate=50", "-f", "mpjpeg"],
]
"""Makes 50 pictures per second; the place to send them is still to be added."""


class _StreamHandler(http.server.BaseHTTPRequestHandler):
    """Answers every request with a stream of its own, as an IP camera does; ffmpeg makes it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=ffmpeg")
        self.end_headers()
        with subprocess.Popen([*FFMPEG_TEST_STREAM, "-"], stdout=subprocess.PIPE) as ffmpeg:
            assert ffmpeg.stdout
            with contextlib.suppress(ConnectionError):
                while chunk := ffmpeg.stdout.read1():
                    self.wfile.write(chunk)
            ffmpeg.kill()

    def log_message(self, format: str, *args: object) -> None: ...


@contextlib.contextmanager
def http_camera() -> Iterator[str]:
    """The address of an MJPEG stream on loopback that any number of clients may open, one after the other."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _StreamHandler)
    server.daemon_threads = False  # so that closing waits for them
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stream"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _keys(backend: str, **more: object) -> Keys:
    return {"backend": backend, "pixel_format": "RGB8", "size_px": [WIDTH_PX, HEIGHT_PX], **more}


def _viky(folder: Path, stack: contextlib.ExitStack) -> Keys:
    return _keys(
        "genicam",
        producers=["viky.cti"],
        serial="1",
        trigger="free_run",
        device_pixel_format="RGBa8",
        features={"AcquisitionFrameRate": 200.0},
    )


CASES = [
    CameraCase(
        name="folder",
        camera=FolderCamera,
        config=FolderConfig,
        prepare=lambda folder, stack: _keys("folder", path=str(pictures(folder / "pictures"))),
        wrong_size={"size_px": [WIDTH_PX + 1, HEIGHT_PX]},
        wrong_format={"pixel_format": "Mono8"},
        missing={"path": "no-such-folder"},
        settings={"pictures": "12", "takt_ms": "0"},
    ),
    CameraCase(
        name="opencv-file",
        camera=OpencvCamera,
        config=OpencvConfig,
        prepare=lambda folder, stack: _keys("opencv", source=str(video_file(folder / "line.mkv"))),
        wrong_size={"size_px": [WIDTH_PX, HEIGHT_PX - 2]},
        wrong_format={"pixel_format": "Mono12"},
        missing={"source": "no-such-file.mkv"},
        settings={"backend": "FFMPEG"},
    ),
    CameraCase(
        name="opencv-http",
        camera=OpencvCamera,
        config=OpencvConfig,
        prepare=lambda folder, stack: _keys("opencv", source=stack.enter_context(http_camera())),
        wrong_size={"size_px": [WIDTH_PX, HEIGHT_PX - 2]},
        wrong_format={"pixel_format": "Mono12"},
        missing={"source": "http://127.0.0.1:1/stream"},
        settings={"backend": "FFMPEG"},
        needs="ffmpeg",
    ),
    CameraCase(
        name="genicam",
        camera=GenicamCamera,
        config=GenicamConfig,
        prepare=_viky,
        wrong_size={"size_px": [5000, HEIGHT_PX]},
        wrong_format={"device_pixel_format": "Mono12", "pixel_format": "Mono12"},
        missing={"serial": "no-such-serial"},
        settings={"AcquisitionFrameRate": "200.0", "PixelFormat": "RGBa8", "Width": str(WIDTH_PX)},
    ),
]


def why_skipped(case: CameraCase) -> str:
    """Why this machine cannot run the row, or nothing."""
    return f"{case.needs} is not installed" if case.needs and not shutil.which(case.needs) else ""
