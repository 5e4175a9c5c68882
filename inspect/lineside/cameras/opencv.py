"""Whatever OpenCV opens: a USB camera, a video file, an RTSP or HTTP stream."""

from __future__ import annotations

import math
import re
import stat
import time
from pathlib import Path
from typing import Final, Literal, Self

import cv2
import structlog
from pydantic import Field, NonNegativeInt, PositiveInt

from lineside.cameras.camera_config import CameraConfig
from lineside.cameras.pixels import check_conversion, check_size, to_house
from lineside.cameras.video_reader import Arrival, VideoReader
from lineside.core.errors import CameraLost, ConfigError, FrameError
from lineside.core.frame import Frame, MissedFrame
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport, EndOfSource
from lineside.core.reason import Reason

__all__ = ["OpencvCamera", "OpencvConfig"]

_log = structlog.get_logger(__name__)

_DECODED: Final = PixelFormat.BGR8
"""What OpenCV hands out, whatever the source speaks."""
_SETTING_TOLERANCE: Final = 1e-3
"""Drivers round; more than a thousandth is another setting."""


class OpencvConfig(CameraConfig):
    """Keys of `backend = "opencv"`."""

    backend: Literal["opencv"]
    source: int | str
    """Number or path of a USB camera (/dev/v4l/by-id/... survives replugging), path of a video file, or a URL."""
    settings: dict[str, int | float] = Field(default_factory=dict)
    """Properties of a USB camera by OpenCV's names without CAP_PROP_, such as EXPOSURE, set in this order."""
    open_timeout_ms: PositiveInt = 5000
    """Longest wait for a stream to open and send its first frame."""
    read_timeout_ms: PositiveInt = 2000
    """A stream that sends nothing for so long is lost."""
    latency_ms: NonNegativeInt = 0
    """From exposure to arrival; a frame that comes sooner after a trigger is an old one."""

    def rooted(self, project: Path) -> Self:
        if isinstance(self.source, int) or _is_url(self.source):
            return self
        return self.model_copy(update={"source": str(project / self.source)})


class OpencvCamera:
    """A camera behind `cv2.VideoCapture`. Frames are numbered from 1 in order of arrival.

    Live sources (USB, streams) are read by a thread, so that waits are bounded and no frame grows old in a buffer:
    `captured_*` is the arrival less `latency_ms`. A capture takes the first frame certainly exposed after it. A video
    file waits for its reader; `captured_utc_ns` is the file's modification time.
    """

    def __init__(self, view: str, config: OpencvConfig) -> None:
        self._view = view
        self._config = config
        self._name = _without_password(str(config.source))
        self._file: cv2.VideoCapture | None = None
        self._file_utc_ns = 0
        self._reader: VideoReader | None = None
        self._number = 0
        self._held: Arrival | None = None
        self._lost = 0
        self._pacing = False

    def connect(self) -> CameraReport:
        """Opens the source, applies the settings, and checks the size of a frame. Raises: ConfigError, CameraLost."""
        check_conversion(_DECODED, self._config.pixel_format)
        self.close()
        try:
            return self._opened()
        except BaseException:
            self.close()
            raise

    def _opened(self) -> CameraReport:
        config = self._config
        is_file = isinstance(config.source, str) and not _is_url(config.source) and not _is_device(config.source)
        if is_file:
            self._file_utc_ns = _modified_utc_ns(Path(str(config.source)))
        video = self._open()
        settings = {} if is_file or self._is_stream else self._apply(video)
        settings["backend"] = video.getBackendName()
        if is_file:
            self._file = video
            size_px = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        else:
            self._reader = VideoReader(video, self._view)
            size_px = self._size_of_first(self._reader)
        if size_px != config.size_px:
            raise ConfigError(
                f"{self._name} sends {size_px[0]} x {size_px[1]} px",
                expected=f"{config.width_px} x {config.height_px} px",
                remedy="correct size_px, or the camera",
            )
        return CameraReport(
            serial=self._name,
            model=f"OpenCV {'video file' if is_file else 'stream' if self._is_stream else 'device'}",
            pixel_format=config.pixel_format,
            width_px=config.width_px,
            height_px=config.height_px,
            settings=settings,
            waits_for_reader=is_file,
        )

    @property
    def _is_stream(self) -> bool:
        return isinstance(self._config.source, str) and _is_url(self._config.source)

    def _open(self) -> cv2.VideoCapture:
        config = self._config
        source: int | str = config.source
        if self._is_stream:
            timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, config.open_timeout_ms]
            timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, config.read_timeout_ms]
            video = cv2.VideoCapture(str(source), cv2.CAP_FFMPEG, timeouts)
        elif isinstance(source, str) and _is_device(source):
            video = cv2.VideoCapture(str(Path(source).resolve()), cv2.CAP_ANY)
        else:
            video = cv2.VideoCapture(source)
        if not video.isOpened():
            raise CameraLost(
                f"{self._name} cannot be opened",
                expected="a USB camera, a video file or a stream that OpenCV reads",
                remedy="see the source, cable and network, and that no other program holds the camera",
            )
        return video

    def _apply(self, video: cv2.VideoCapture) -> dict[str, str]:
        wishes = {"FRAME_WIDTH": self._config.width_px, "FRAME_HEIGHT": self._config.height_px, **self._config.settings}
        for name, value in wishes.items():
            video.set(_property(name), value)
        # Read back when all are set: one may change another.
        for name, value in wishes.items():
            got = video.get(_property(name))
            if not math.isclose(got, value, rel_tol=_SETTING_TOLERANCE, abs_tol=1e-9):
                raise ConfigError(
                    f"{self._name}: asked for {name} = {value}, camera has {got}",
                    expected="a value that its driver takes (see v4l2-ctl --list-ctrls)",
                    remedy="correct the station file",
                )
        return {name: str(video.get(_property(name))) for name in wishes}

    def _size_of_first(self, reader: VideoReader) -> tuple[int, int]:
        first = reader.next(self._config.open_timeout_ms / 1000)
        if first is None:
            raise CameraLost(
                f"{self._name} opened and sent no frame within {self._config.open_timeout_ms} ms",
                remedy="see the source, cable and network",
            )
        self._number = reader.drop_kept()
        return int(first.pixels.shape[1]), int(first.pixels.shape[0])

    def capture(self, trigger_number: int, timeout_ms: int) -> Frame | MissedFrame:
        """The first frame exposed after the call; of a file the next frame. Raises: CameraLost, EndOfSource."""
        if self._file is not None:
            return self._next_of_file(self._file)
        reader = self._live()
        self._held, self._lost = None, 0
        triggered_mono_ns = time.monotonic_ns()
        # The first frame to arrive now may have been under way at the trigger; the one behind it was not.
        under_way = reader.drop_kept() + 1

        def exposed_after(arrival: Arrival) -> bool:
            return arrival.number > under_way and arrival.mono_ns - self._latency_ns >= triggered_mono_ns

        arrival = reader.next(timeout_ms / 1000, exposed_after)
        if arrival is not None:
            return self._frame(arrival)
        self._check_alive(reader)
        return self._missed(Reason.NO_FRAME, f"no frame within {timeout_ms} ms of trigger {trigger_number}")

    def wait(self, timeout_ms: int) -> Frame | MissedFrame | None:
        """The next frame; a MissedFrame for each one that was not fetched in time. Raises: CameraLost, EndOfSource."""
        if self._file is not None:
            return self._next_of_file(self._file)
        reader = self._live()
        if not self._pacing:  # what came between connect and the first wait was nobody's
            self._number, self._pacing = reader.drop_kept(), True
        if self._held is None:
            self._held = reader.next(timeout_ms / 1000)
            if self._held is None:
                self._check_alive(reader)
                return None
            self._lost = self._held.number - self._number - 1
        if self._lost > 0:
            self._lost -= 1
            return self._missed(Reason.FRAME_LOST, f"not fetched in time; {self._lost} more before the next frame")
        arrival, self._held = self._held, None
        return self._frame(arrival)

    def _live(self) -> VideoReader:
        if self._reader is None:
            raise CameraLost(f"{self._name} is closed", remedy="connect it")
        return self._reader

    def _check_alive(self, reader: VideoReader) -> None:
        if (why := reader.broken) is not None:
            raise CameraLost(f"{self._name}: {why}", remedy="see the source, cable and network")

    def _next_of_file(self, video: cv2.VideoCapture) -> Frame | MissedFrame:
        mono_ns = time.monotonic_ns()
        read, pixels = video.read()
        if not read:
            promised = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
            if self._number < promised:
                _log.warning("video ends early", view=self._view, file=self._name, read=self._number, promised=promised)
            raise EndOfSource
        return self._frame(
            Arrival(pixels=pixels, number=self._number + 1, mono_ns=mono_ns, utc_ns=self._file_utc_ns), latency_ns=0
        )

    def _frame(self, arrival: Arrival, latency_ns: int | None = None) -> Frame | MissedFrame:
        self._number = arrival.number
        latency_ns = self._latency_ns if latency_ns is None else latency_ns
        try:
            check_size(arrival.pixels, *self._config.size_px)
            pixels = to_house(arrival.pixels, _DECODED, self._config.pixel_format)
        except FrameError as error:
            return self._missed(Reason.FRAME_DAMAGED, f"frame {arrival.number}: {error}")
        return Frame(
            view=self._view,
            pixels=pixels,
            pixel_format=self._config.pixel_format,
            frame_id=arrival.number,
            captured_utc_ns=arrival.utc_ns - latency_ns,
            captured_mono_ns=arrival.mono_ns - latency_ns,
            camera_serial=self._name,
        )

    def _missed(self, reason: Reason, why: str) -> MissedFrame:
        return MissedFrame(view=self._view, reason=reason, detail=f"{self._name}: {why}")

    @property
    def _latency_ns(self) -> int:
        return self._config.latency_ms * 1_000_000

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.release()
        reader, self._reader = self._reader, None
        if reader is not None and not reader.stop(self._config.read_timeout_ms / 1000 + 1):
            _log.error("OpenCV does not return from reading", view=self._view, source=self._name)
        self._number = 0
        self._held, self._lost, self._pacing = None, 0, False


def _is_url(source: str) -> bool:
    return "://" in source


def _is_device(source: str) -> bool:
    try:
        return stat.S_ISCHR(Path(source).stat().st_mode)
    except OSError:
        return False


def _modified_utc_ns(file: Path) -> int:
    try:
        if file.is_file():
            return file.stat().st_mtime_ns
    except OSError:
        pass
    raise ConfigError(f"there is no video file {file}", remedy="correct source; a relative path starts at the project")


def _property(name: str) -> int:
    code = getattr(cv2, f"CAP_PROP_{name}", None)
    if not isinstance(code, int):
        raise ConfigError(
            f"OpenCV has no property CAP_PROP_{name}", expected="a name such as EXPOSURE, GAIN, AUTO_EXPOSURE or FPS"
        )
    return code


def _without_password(source: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "***@", source)
