"""Reads pictures of good parts exactly as the folder camera would show them to the station."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.cameras.fit import Fit, fitted
from lineside.cameras.folder import FolderCamera, FolderConfig
from lineside.core.errors import ConfigError, FrameError
from lineside.core.frame import Frame, MissedFrame, Pixels
from lineside.core.pixel_format import PixelFormat
from lineside.core.ports import EndOfSource
from lineside.imaging.picture_file import decode_pixels, size_in_header

__all__ = ["PICTURE_SUFFIXES", "Fit", "ImageSource", "format_of", "listed_images", "size_of"]

PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_MASK_LEVEL: Final = 127
"""A pixel of a mask above this is of the defect."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSource:
    """What the pictures are declared to be. The words are those of the folder camera, and mean the same."""

    pixel_format: PixelFormat
    size_px: tuple[int, int]
    fit: Fit = "refuse"
    file_pixel_format: PixelFormat | None = None

    def read(self, path: Path) -> Pixels:
        """The picture as the station would see it. Raises: ConfigError naming the file, with expected and got."""
        camera = FolderCamera(
            "training",
            FolderConfig(
                backend="folder",
                path=path.parent,
                pattern=(glob.escape(path.name),),
                pixel_format=self.pixel_format,
                file_pixel_format=self.file_pixel_format,
                size_px=self.size_px,
                fit=self.fit,
            ),
        )
        camera.connect()
        try:
            # The pattern minds no case: A.png and a.png are two files.
            while (frame := camera.capture(0, 0)).part_id != path.name:
                pass
        except EndOfSource as end:
            raise ConfigError(f"{path} is gone", expected="a picture of a good part") from end
        finally:
            camera.close()
        return self._pixels_of(frame, path)

    def read_mask(self, path: Path) -> NDArray[np.uint8]:
        """Where a defect is, 255 or 0, (H, W) at the size and fit of its picture; grey, colour and alpha are read.

        Raises: ConfigError naming the file.
        """
        stored = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if stored is None:
            raise ConfigError(f"mask {path} cannot be read", expected="an 8-bit PNG, above 127 where the defect is")
        # Before it is made another size: what is just above 127 would be lost at the outline.
        marked = np.asarray(stored > _MASK_LEVEL, np.uint8) * np.uint8(255)
        try:
            return np.asarray(fitted(marked, self.size_px, self.fit), np.uint8)
        except FrameError as error:
            raise ConfigError(f"mask {path}: {error.what}", expected=error.expected, remedy=error.remedy) from error

    def _pixels_of(self, frame: Frame | MissedFrame, path: Path) -> Pixels:
        if isinstance(frame, Frame):
            return frame.pixels
        raise ConfigError(
            f"{path.parent}: {frame.detail}",
            expected=f"a picture in {self.file_pixel_format or self.pixel_format} of {self.size_px} px (width, height)",
            remedy="leave it out, or declare --pixel-format, --file-pixel-format, --size or --fit",
        )


def listed_images(places: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named, each once and in order of name. Raises: ConfigError."""
    found = {path.resolve(): path for place in places for path in _pictures_at(place)}
    return [found[key] for key in sorted(found)]


def _pictures_at(place: Path) -> Iterable[Path]:
    if place.is_dir():
        pictures = [path for path in place.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
        if not pictures:
            raise ConfigError(f"no picture in {place}", expected=f"files ending in {', '.join(PICTURE_SUFFIXES)}")
        return pictures
    if not place.is_file():
        raise ConfigError(f"there is no file {place}", expected="pictures of good parts, or folders of them")
    return [place]


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in px as the picture's header claims. Raises: ConfigError."""
    try:
        return size_in_header(np.fromfile(path, np.uint8))
    except FrameError as error:
        raise ConfigError(f"{path}: {error.what}", expected=error.expected, remedy="leave it out") from error


def format_of(path: Path) -> PixelFormat:
    """The pixel format that the picture holds: Mono8 or BGR8. Raises: ConfigError for any other, which is declared."""
    try:
        pixels = decode_pixels(np.fromfile(path, np.uint8))
    except FrameError as error:
        raise ConfigError(f"{path}: {error.what}", expected=error.expected, remedy="leave it out") from error
    if pixels.dtype == np.uint8 and (pixels.ndim == 2 or pixels.shape[2] == 3):
        return PixelFormat.MONO8 if pixels.ndim == 2 else PixelFormat.BGR8
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise ConfigError(
            f"{path} has {pixels.shape[2]} channels",
            expected="grey, or three colours without transparency",
            remedy="save the pictures without an alpha channel",
        )
    if pixels.ndim == 3:
        raise ConfigError(
            f"{path} is in colour with {pixels.dtype.itemsize * 8} bits",
            expected="8 bits a colour; 16 bits may be grey",
            remedy="save the pictures with 8 bits a colour",
        )
    raise ConfigError(
        f"{path} holds {pixels.dtype}{list(pixels.shape)}",
        expected="--pixel-format declared: 16 bits may be Mono10, Mono12 or Mono16",
    )
