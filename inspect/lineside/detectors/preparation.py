"""A frame becomes the graph's input tensor; where it lies in there is kept, to find the way back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lineside.core.errors import FrameError
from lineside.core.frame import Pixels, check_pixels
from lineside.detectors.manifest import InputSpec
from lineside.detectors.placement import LocatedPlacement, Placement
from lineside.imaging.locate import Located, locate
from lineside.imaging.resize import resized

__all__ = ["Preparation"]


class Preparation:
    """Prepares frames for one package, on one thread: the tensor that it returns is overwritten by the next call.

    `reference` is the good part that `spec.locate` names, where it names one.
    """

    def __init__(self, spec: InputSpec, reference: Pixels | None = None) -> None:
        self.spec = spec
        self.pattern = None if spec.locate is None or reference is None else spec.locate.pattern(reference)
        if (spec.locate is None) != (self.pattern is None):
            raise ValueError("spec.locate names a reference: expected it")
        self._tables = _tables(spec)
        self._tensor: NDArray[Any] = np.empty(0, dtype=spec.dtype)
        self._planes: NDArray[Any] = self._tensor
        self._canvas: NDArray[Any] = np.empty(0, dtype=spec.pixel_format.dtype)
        self._plane: NDArray[Any] = np.empty(0, dtype=spec.pixel_format.dtype)
        self._placement: Placement | None = None

    def prepare(self, pixels: Pixels) -> tuple[NDArray[Any], Placement]:
        """The tensor for a frame in the package's pixel format, and the frame's place in it.

        Raises: FrameError, NotLocated.
        """
        check_pixels(pixels, self.spec.pixel_format)
        top = self.spec.pixel_format.max_value
        if pixels.dtype == np.uint16 and top < 65535 and int(pixels.max()) > top:
            raise FrameError(
                f"a pixel has the value {int(pixels.max())}",
                expected=f"at most {top} in {self.spec.pixel_format}",
                remedy="correct the declared pixel format, or the shift of the camera's bits",
            )
        if self.pattern is None:
            return self._tensor_of(pixels)
        part = locate(pixels, self.pattern)
        tensor, place = self._tensor_of(part.pixels)
        return tensor, _located(place, part, pixels)

    def _tensor_of(self, pixels: Pixels) -> tuple[NDArray[Any], Placement]:
        height, width = pixels.shape[:2]
        place = self._placement
        if place is None or (place.frame_width_px, place.frame_height_px) != (width, height):
            place = self._placement = self._make_room(width, height)
        self._fill(self._fit(pixels, place))
        return self._tensor, place

    def _make_room(self, width: int, height: int) -> Placement:
        spec = self.spec
        place = _place(spec, width, height)
        sizes = {"N": 1, "C": spec.channel_count, "H": place.height_px, "W": place.width_px}
        self._tensor = np.empty([sizes[axis] for axis in spec.layout], dtype=spec.dtype)
        self._planes = np.moveaxis(self._tensor, spec.layout.index("C"), 0).reshape(-1, place.height_px, place.width_px)
        self._canvas = np.full(
            spec.pixel_format.shape(place.width_px, place.height_px), spec.pad_value or 0, dtype=spec.pixel_format.dtype
        )
        self._plane = np.empty((place.height_px, place.width_px), dtype=spec.pixel_format.dtype)
        return place

    def _fit(self, pixels: Pixels, place: Placement) -> NDArray[Any]:
        """The frame at the input's size; the canvas's padding is written once and stays."""
        content = (place.content_width_px, place.content_height_px)
        if self.spec.resize == "exact":
            return pixels
        right, bottom = place.left_px + content[0], place.top_px + content[1]
        target = self._canvas[place.top_px : bottom, place.left_px : right]
        if content == (place.frame_width_px, place.frame_height_px):
            target[...] = pixels
        else:
            target[...] = resized(pixels, content, self.spec.interpolation or "area")
        return self._canvas

    def _fill(self, picture: NDArray[Any]) -> None:
        """Writes normalised values into the tensor, plane by plane through look-up tables."""
        spec = self.spec
        for channel in range(spec.channel_count):
            target = self._planes[channel]
            if picture.ndim == 2:
                plane: NDArray[Any] = picture
            else:
                source = 2 - channel if spec.channels == "reversed" else channel
                plane = cv2.extractChannel(picture, source, self._plane)
            if self._tables is None:
                target[...] = plane
            elif target.flags.c_contiguous:
                cv2.LUT(plane, self._tables[channel], target)
            else:
                target[...] = cv2.LUT(plane, self._tables[channel])


def _tables(spec: InputSpec) -> NDArray[np.float32] | None:
    """(channels, levels) float32: the normalised value of every possible pixel; None where pixels go in as they are."""
    if spec.in_graph:
        return None
    levels = np.arange(np.iinfo(spec.pixel_format.dtype).max + 1, dtype=np.float64) * (spec.scale or 1.0)
    mean = np.asarray(spec.mean or (0.0,) * spec.channel_count)[:, None]
    std = np.asarray(spec.std or (1.0,) * spec.channel_count)[:, None]
    tables: NDArray[np.float32] = ((levels - mean) / std).astype(np.float32)
    return tables


def _place(spec: InputSpec, width: int, height: int) -> Placement:
    size = spec.size_px or (width, height)
    content, left, top = size, 0, 0
    if spec.resize == "exact" and size != (width, height):
        raise FrameError(
            f"a frame of {width}x{height} px",
            expected=f"exactly {size[0]}x{size[1]} px",
            remedy="set the camera's region, or pack the graph with resize = 'stretch' or 'letterbox'",
        )
    if spec.resize == "letterbox":
        share = min(size[0] / width, size[1] / height)
        content = (max(1, round(width * share)), max(1, round(height * share)))
        if spec.letterbox_at != "top_left":
            left, top = (size[0] - content[0]) // 2, (size[1] - content[1]) // 2
    return Placement(
        frame_width_px=width,
        frame_height_px=height,
        width_px=size[0],
        height_px=size[1],
        left_px=left,
        top_px=top,
        content_width_px=content[0],
        content_height_px=content[1],
    )


def _located(place: Placement, part: Located, pixels: Pixels) -> LocatedPlacement:
    return LocatedPlacement(
        **{key.name: getattr(place, key.name) for key in fields(place)},
        camera_width_px=pixels.shape[1],
        camera_height_px=pixels.shape[0],
        pose=part.pose,
    )
