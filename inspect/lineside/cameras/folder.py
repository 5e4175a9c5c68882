"""A folder of real pictures as a camera: in order, at a takt or as fast as they are read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from lineside.cameras.camera_config import AnyFormat, CameraConfig, FilePath, Strings
from lineside.cameras.fit import Fit, fitted
from lineside.cameras.picture_list import Picture, listed_pictures, pictures_in
from lineside.cameras.pixels import check_conversion, check_size, to_house
from lineside.core.errors import CameraLost, FrameError
from lineside.core.frame import Frame, MissedFrame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import CameraReport, EndOfSource
from lineside.core.reason import Reason
from lineside.imaging.picture_file import decode_pixels, size_in_header

__all__ = ["FolderCamera", "FolderConfig"]

_BYTES_PER_PX: Final = 8
"""The largest pixel that a picture file can store: four values of 16 bits."""
_HEADER_BYTES: Final = 1 << 20
"""Room for metadata beside the pixels."""


class FolderConfig(CameraConfig):
    """Keys of `backend = "folder"`."""

    backend: Literal["folder"]
    path: FilePath
    """The folder; a relative path starts at the project's folder."""
    pattern: Strings = ("*.png", "*.jpg", "*.jpeg", "*.bmp", "*.tif", "*.tiff")
    """Names of the files to show, in any case; any of them."""
    recursive: bool = False
    """Folders below as well."""
    list_file: FilePath | None = None
    """A CSV file with a column `file`, inside `path` unless absolute; replaces `pattern` and `recursive`."""
    where: dict[str, str | Strings] = Field(default_factory=dict)
    """Rows of the list to show: the value, or one of the values, of each column named."""
    takt_ms: NonNegativeInt = 0
    """Time from one picture to the next; 0 is as fast as they are read."""
    loop: bool = False
    """Starts again after the last picture, for ever."""
    fit: Fit = "refuse"
    """What becomes of a picture of another size."""
    file_pixel_format: AnyFormat | None = None
    """What the files hold, where that is not `pixel_format`."""
    max_pixels: PositiveInt = 100_000_000
    """A file that claims more is not decoded."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.where and self.list_file is None:
            raise ValueError("where needs a list_file to choose from")
        return self

    @property
    def stored_format(self) -> PixelFormat:
        """What a file must decode to. The order of colours is the decoder's affair, not the file's."""
        declared = self.file_pixel_format or self.pixel_format
        return PixelFormat.BGR8 if declared is PixelFormat.RGB8 else declared

    def rooted(self, project: Path) -> Self:
        return self.model_copy(update={"path": project / self.path})


class FolderCamera:
    """Shows real pictures in order. Part ids are the files' paths inside the folder.

    `captured_utc_ns` is the file's modification time, the nearest to an exposure that a file can tell;
    `captured_mono_ns` is when reading began. Waits for its reader: nothing is lost by reading late.
    """

    def __init__(self, view: str, config: FolderConfig) -> None:
        self._view = view
        self._config = config
        self._pictures: list[Picture] = []
        self._shown = 0
        self._next_mono_ns = 0

    def connect(self) -> CameraReport:
        """Lists the pictures. Raises: ConfigError when there is none, or the formats cannot be converted."""
        config = self._config
        check_conversion(config.stored_format, config.pixel_format)
        if config.list_file is not None:
            where = {key: (value,) if isinstance(value, str) else value for key, value in config.where.items()}
            self._pictures = listed_pictures(config.path, config.path / config.list_file, where=where)
        else:
            self._pictures = pictures_in(config.path, patterns=config.pattern, recursive=config.recursive)
        self._shown = 0
        self._next_mono_ns = 0
        return CameraReport(
            serial=self._serial,
            model=f"folder of {len(self._pictures)} pictures",
            pixel_format=config.pixel_format,
            width_px=config.width_px,
            height_px=config.height_px,
            settings={
                "pictures": str(len(self._pictures)),
                "takt_ms": str(config.takt_ms),
                "loop": str(config.loop).lower(),
                "fit": config.fit,
            },
            waits_for_reader=True,
        )

    def capture(self, trigger_number: int, timeout_ms: int) -> Frame | MissedFrame:
        """The next picture, at once: a trigger does not wait for the takt. Raises: CameraLost, EndOfSource."""
        return self._show_next()

    def wait(self, timeout_ms: int) -> Frame | MissedFrame | None:
        """The next picture when the takt says so. Raises: CameraLost, EndOfSource."""
        if self._ended():
            raise EndOfSource
        ahead_ns = self._next_mono_ns - time.monotonic_ns()
        if ahead_ns > 0:
            time.sleep(min(ahead_ns, timeout_ms * 1_000_000) / 1e9)
            if ahead_ns > timeout_ms * 1_000_000:
                return None
        # A late picture does not hurry those after it: the line it stands for would not either.
        self._next_mono_ns = max(self._next_mono_ns, time.monotonic_ns()) + self._config.takt_ms * 1_000_000
        return self._show_next()

    def close(self) -> None:
        self._pictures = []

    @property
    def _serial(self) -> str:
        return os.fsencode(self._config.path).decode("utf-8", "backslashreplace")

    def _ended(self) -> bool:
        if not self._pictures:
            raise CameraLost(f"{self._view}: the folder camera is closed", remedy="connect it")
        return not self._config.loop and self._shown >= len(self._pictures)

    def _show_next(self) -> Frame | MissedFrame:
        if self._ended():
            raise EndOfSource
        picture = self._pictures[self._shown % len(self._pictures)]
        self._shown += 1
        mono_ns = time.monotonic_ns()
        try:
            data, modified_utc_ns = self._read(picture.path)
            pixels = self._pixels_of(data)
        except OSError as error:
            return self._missed(picture, Reason.NO_FRAME, f"{error.strerror or error}")
        except FrameError as error:
            return self._missed(picture, Reason.FRAME_DAMAGED, str(error))
        return Frame(
            view=self._view,
            pixels=pixels,
            pixel_format=self._config.pixel_format,
            frame_id=self._shown,
            captured_utc_ns=modified_utc_ns,
            captured_mono_ns=mono_ns,
            camera_serial=self._serial,
            part_id=picture.part_id,
        )

    def _missed(self, picture: Picture, reason: Reason, why: str) -> MissedFrame:
        return MissedFrame(view=self._view, reason=reason, detail=f"{picture.part_id}: {why}", part_id=picture.part_id)

    def _read(self, path: Path) -> tuple[NDArray[np.uint8], int]:
        if not path.is_file():
            raise FileNotFoundError("no such file, or not an ordinary one")
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            most_bytes = self._config.max_pixels * _BYTES_PER_PX + _HEADER_BYTES
            if status.st_size > most_bytes:
                raise FrameError(
                    f"file of {status.st_size} bytes", expected=f"at most {most_bytes} for {self._config.max_pixels} px"
                )
            return np.frombuffer(file.read(most_bytes), np.uint8), status.st_mtime_ns

    def _pixels_of(self, data: NDArray[np.uint8]) -> Pixels:
        """The picture as the station sees it. Raises: FrameError."""
        config = self._config
        return to_house(
            fitted(self._decoded(data), config.size_px, config.fit), config.stored_format, config.pixel_format
        )

    def _decoded(self, data: NDArray[np.uint8]) -> NDArray[Any]:
        """The picture as stored, its orientation tag ignored. Raises: FrameError."""
        if self._config.fit == "refuse":
            width_px, height_px = size_in_header(data)
            check_size(np.empty((height_px, width_px, 0), np.uint8), *self._config.size_px)
        return decode_pixels(data, max_pixels=self._config.max_pixels)
